"""Generated handwriting: strokes of the fonts, disjoint hands and texts, stated sizes, normalised ink."""
# from week 3

import string
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from HersheyFonts import HersheyFonts

from lab.data.base import IGNORED
from lab.data.pen_glyphs import (
    ACCENTED,
    ASCII,
    CAPITALS,
    CHARACTERS,
    LARGER,
    PIECES,
    SHARED,
    SHARED_FONT,
    STYLES,
    X_HEIGHT,
    glyph_table,
    readable,
)
from lab.data.pen_hands import hands
from lab.data.pen_images import HANDS, SPACING, PenTexts
from lab.data.pen_lines import PenLines
from lab.data.pen_paragraphs import PenParagraphs  # from week 6
from lab.data.pen_strokes import draw_ink
from lab.data.sentences import PARTS, part_of, sentences
from lab.data.vocabulary import stated_vocabulary
from lab.errors import LabError

CLASSES: list[Any] = [
    PenLines,
    PenParagraphs,  # from week 6
]
FRENCH = "L’été à Évian, où l’œuvre naît : «çà» n°{} ☃ Zoë"


def small(cls: Any = PenLines, **options: Any) -> Any:
    data = cls(train_size=options.pop("train_size", 300), **options)
    data.setup("fit")
    return data


@pytest.fixture(scope="module")
def lines() -> Any:
    return small()


@pytest.fixture(scope="module")
def kinds(lines: Any) -> list[Any]:
    """All data that are written with pens."""
    found = [lines]
    # >>> from week 6
    found.append(PenParagraphs(train_size=100))
    found[1].setup("fit")
    # <<< from week 6
    return found


# >>> from week 6
@pytest.fixture(scope="module")
def pages(kinds: list[Any]) -> Any:
    return kinds[1]


# <<< from week 6


def sets(data: Any) -> dict[str, PenTexts]:
    return dict(zip(PARTS, (data.train_set, data.val_set, data.test_set), strict=True))


# Strokes


@cache
def glyphs(name: str) -> dict[str, Any]:
    font = HersheyFonts()
    font.load_default_font(name)
    return font.all_glyphs


def font_segments(style: int, character: str) -> np.ndarray:
    """Both ends of each segment of a character by the font itself, from the middle of the letter, (n, 4)."""
    small_letters, capitals = STYLES[style]
    name = capitals if character in CAPITALS else small_letters
    glyph = glyphs(SHARED_FONT if character in SHARED else name)[character]
    across, down = LARGER.get(character, (1.0, 1.0))
    middle = glyph.left_offset + glyph.char_width / 2
    ends = np.array([[*start, *end] for start, end in glyph.lines], dtype=float)
    return (ends - [middle, 9] * 2) * ([across, down] * 2) + [0, X_HEIGHT / 2] * 2


def distances(points: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Of each point (n, 2) to the nearest of the segments (m, 4)."""
    start, step = segments[:, :2], segments[:, 2:] - segments[:, :2]
    offset = points[:, None] - start
    share = (offset * step).sum(2) / np.maximum((step**2).sum(1), 1e-9)
    nearest = start + share.clip(0, 1)[:, :, None] * step
    return np.hypot(*(points[:, None] - nearest).transpose(2, 0, 1)).min(1)


@pytest.mark.parametrize("style", range(len(STYLES)))
def test_letters_have_the_strokes_of_their_font(style: int) -> None:
    table = glyph_table(SPACING)
    chosen = "aQ^{,%g" if style else ASCII[1::4] + "^{[,"
    for character in chosen:
        segments = font_segments(style, character)
        place = style, CHARACTERS.index(character)
        points = slice(table.first[place], table.first[place] + table.count[place])
        drawn = np.stack([table.x[points], table.y[points]], axis=1)
        assert distances(drawn, segments).max() < 1e-4, character
        length = np.hypot(*(segments[:, 2:] - segments[:, :2]).T).sum()
        assert table.length[points].sum() == pytest.approx(length, rel=1e-4), character
        # Every end of a segment is near a point.
        gaps = np.hypot(*(segments[:, None, :2] - drawn).transpose(2, 0, 1)).min(1)
        assert gaps.max() < SPACING + 0.5, character


def test_every_character_can_be_written_in_every_style() -> None:
    table = glyph_table(SPACING)
    assert len(set(CHARACTERS)) == len(CHARACTERS)
    assert (table.count[:, 1:] > 3).all() and (table.count[:, 0] == 0).all()
    assert (table.width > 3).all()
    assert set("éèêëàâäçîïôöùûüÿœæÉÈÀÇŒñ«»’“”–—…°€") <= set(CHARACTERS)
    # Accents stand above and below the letter, and an i loses its dot.
    box = dict(zip(CHARACTERS, table.box[:, 0].T, strict=True))
    assert all(box[letter][1] < box["e"][1] for letter in "éèêë")
    assert box["ç"][3] > box["c"][3] and box["ç"][1] == box["c"][1]
    assert box["É"][1] < box["E"][1]
    assert table.count[0, CHARACTERS.index("î")] < table.count[0, CHARACTERS.index("i")] + 20
    assert set(ACCENTED) & set(PIECES) == set()
    assert readable("e\u0301☃a") == "éa"


def test_ink_is_where_the_strokes_are(lines: Any) -> None:
    samples, count = lines.train_set, 6
    writing, sizes = samples.written(np.arange(count))
    ink = draw_ink(writing, glyph_table(SPACING), lines.height, int(sizes[:, 1].max()))
    style = hands(samples.hands).style
    for sample in range(count):
        expected = []
        letters = np.flatnonzero(writing.text == sample)
        for letter, character in zip(letters, samples.texts[sample], strict=True):
            if character == " ":
                continue
            ends = font_segments(int(style[sample]), character).reshape(-1, 2, 2)
            # Along each segment, since a warp bends it.
            share = np.linspace(0, 1, 5)[:, None, None]
            x, y = np.moveaxis(ends[:, 0] + share * (ends[:, 1] - ends[:, 0]), 2, 0).reshape(2, -1)
            terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
            expected.append(np.stack([writing.across[:, letter], writing.down[:, letter]]) @ terms)
        points = np.concatenate(expected, axis=1).T
        columns, rows = np.rint(points).astype(int).T
        assert ink[sample, rows, columns].min() > 0.1
        inked = np.argwhere(ink[sample].T > 0)
        far = torch.cdist(torch.tensor(inked).double(), torch.tensor(points)).amin(1).max()
        assert far < (writing.radius[sample] + writing.blur[sample] + 1) * 1.5


# What is written


def test_a_sample_is_a_function_of_its_number_alone(kinds: list[Any]) -> None:
    for data in kinds:
        other = small(type(data), train_size=20)
        for part, samples in sets(data).items():
            torch.manual_seed(len(part))
            numbers = [7, 3, 19, 0, 11]
            images, sizes, targets, writers = samples.__getitems__(numbers)
            for place, number in enumerate(numbers):
                alone = sets(other)[part][number]
                height, width = alone[1].tolist()
                assert alone[1].tolist() == sizes[place].tolist() == samples.sizes[number].tolist()
                same = images[place, :, :height, :width]
                assert torch.equal(alone[0][:, :height, :width], same)
                length = len(alone[2])
                assert torch.equal(alone[2], targets[place, :length])
                assert (targets[place, length:] == IGNORED).all()
                assert alone[3] == writers[place]


def test_parts_have_hands_of_their_own(lines: Any, kinds: list[Any]) -> None:
    numbers = [set(HANDS[part]) for part in PARTS]
    assert not (numbers[0] & numbers[1] or numbers[0] & numbers[2] or numbers[1] & numbers[2])
    for data in kinds:
        assert len(data.writers) == sum(map(len, numbers))
        for part, samples in sets(data).items():
            assert set(samples.hands.tolist()) <= set(HANDS[part])
            assert len(set(samples.hands.tolist())) > 50
    # No two hands are alike in anything but the style.
    known = hands(np.arange(len(lines.writers)))
    for name in ("tall", "slant", "spacing", "warp", "pressure"):
        assert len(np.unique(getattr(known, name))) == len(lines.writers)
    assert len(np.unique(known.style)) == len(STYLES)


def test_hands_have_shapes_of_letters_of_their_own() -> None:
    data = small(train_size=1)
    samples = data.train_set
    samples.texts, samples.hands = ["aaa"] * 40, np.arange(40)
    writing, _ = samples.written(np.arange(40))
    shapes = (writing.across[1:] / writing.across[1]).reshape(5, 40, 3)
    # The same letter of one hand varies less than it does between hands.
    within, between = shapes.std(2).mean(1), shapes.mean(2).std(1)
    assert (within[2:] < between[2:]).all() and (within[2:] > 0).all()


def test_parts_have_texts_of_their_own(lines: Any) -> None:
    for part, samples in sets(lines).items():
        home = "\n".join(sentences(part)).lower()
        codes = [text for text in samples.texts if text.lower() not in home]
        assert 0.05 < len(codes) / len(samples.texts) < 0.2
        assert all(part_of(text) == part for text in codes)


# >>> from week 6
def test_paragraphs_are_text_of_their_own_part(pages: Any) -> None:
    for part, samples in sets(pages).items():
        home = "".join("".join(sentences(part)).split())
        assert all("".join(text.split()) in home for text in samples.texts)


# <<< from week 6
def test_all_of_printable_ascii_is_trained() -> None:
    data = PenLines()
    found = Counter("".join(data.texts("train", 20_000)))
    assert tuple(sorted(found)) == data.alphabet == tuple(ASCII)
    assert min(found.values()) > 100
    # Also capitals, and where English has none.
    texts = data.texts("test", 1000)
    assert sum(text.isupper() for text in texts) > 30
    assert len(set("".join(texts))) > 90


def test_ink_ends_where_the_size_says(kinds: list[Any]) -> None:
    narrow = small(train_size=40, height=24, width=100)
    large = small(train_size=20, height=64, width=800)
    for data in (*kinds, narrow, large):
        samples, room = data.train_set, 9
        rows = np.arange(min(len(samples), 40))
        writing, sizes = samples.written(rows)
        writing.across[0] += room
        writing.down[0] += room
        height, width = (sizes.max(0) + 2 * room).tolist()
        spacing = SPACING / samples.scale
        inked = draw_ink(writing, glyph_table(spacing), height, width) > 0
        for ink, (high, wide) in zip(inked, sizes, strict=True):
            inside = ink[room : room + high, room : room + wide]
            assert inside.sum() == ink.sum() > 0
        assert (sizes <= np.array(data.input_shape[1:])).all()
        # Some are as large as may be, and little of most is empty.
        if isinstance(data, PenLines):
            assert (sizes[:, 0] == data.height).all()
    assert int((narrow.train_set.sizes[:, 1] == 100).sum()) > 20


def test_images_are_normalised_ink(kinds: list[Any]) -> None:
    for data in kinds:
        images, sizes, _, _ = data.train_set.__getitems__(range(60))
        assert images.dtype == torch.uint8 and images.shape[3] % 16 == 0
        for image, (height, width) in zip(images[:, 0], sizes.tolist(), strict=True):
            inside = image[:height, :width].numpy()
            assert np.median(inside) == 0 and inside.max() == 255
            assert int(image.sum()) == int(inside.sum(dtype=np.int64))
        # Paper differs: without a speck, and with shade or grain nearly everywhere.
        shares = (images > 0).float().mean((1, 2, 3))
        assert shares.min() < 0.35 and shares.max() > 0.4


def test_batches_are_what_the_facts_say(lines: Any, kinds: list[Any]) -> None:
    for data in kinds:
        for loader in (data.train_dataloader(), data.test_dataloader()):
            images, sizes, targets, writers = data.on_after_batch_transfer(next(iter(loader)), 0)
            assert images.dtype == torch.float and 0 <= images.min() < images.max() <= 1
            assert images.shape[1] == 1 and images.shape[2] == sizes[:, 0].max()
            assert targets.dtype == torch.long and targets.max() < len(data.alphabet)
            assert targets.shape[1] <= data.text_length
            assert writers.max() < len(data.writers)
    texts = lines.test_set.texts
    columns = lines.test_set.__getitems__(range(40))
    for text, target in zip(texts, columns[2], strict=False):
        assert "".join(lines.alphabet[n] for n in target if n >= 0) == text


# >>> from week 6
def test_paragraphs_have_lines_as_stated(pages: Any) -> None:
    for samples in sets(pages).values():
        rows = [text.split("\n") for text in samples.texts]
        assert {len(row) for row in rows} == set(range(pages.min_lines, pages.max_lines + 1))
        assert max(len(line) for row in rows for line in row) <= pages.line_length
        # Each line of text adds about a line's height.
        heights = samples.sizes[:, 0].numpy()
        few = heights[[len(row) == pages.min_lines for row in rows]].mean()
        many = heights[[len(row) == pages.max_lines for row in rows]].mean()
        more = (pages.max_lines - pages.min_lines) * pages.pitch
        assert 0.8 * more < many - few < 1.2 * more
    assert "\n" in pages.alphabet and set(ASCII) < set(pages.alphabet)


# <<< from week 6
# Texts from a file


def test_lines_of_a_file_are_written_instead(own_folder: Path) -> None:
    written = [FRENCH.format(number) for number in range(200)]
    Path("words.txt").write_text("\n".join(written), encoding="utf-8")
    for cls in CLASSES:
        data = cls(path="words.txt", train_size=50)
        expected = set("".join(written).replace("☃", ""))
        expected |= set() if cls is PenLines else {"\n"}
        assert set(data.alphabet) == expected and list(data.alphabet) == sorted(expected)
        data.setup("fit")
        texts = [set(data.texts(part, 200)) for part in PARTS]
        clean = [line.replace("☃ ", "") for line in written]
        home = {part: " ".join(t for t in clean if part_of(t) == part) for part in PARTS}
        for part, found in zip(PARTS, texts, strict=True):
            assert found and all(text.replace("\n", " ") in home[part] for text in found)
        assert data.train_set[0][2].max() < len(data.alphabet)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_stated_alphabet_is_that_of_other_data(cls: Any) -> None:
    more = "" if cls is PenLines else "\n"
    data = cls(characters="aeinst é", train_size=50)
    stated = stated_vocabulary("aeinst é", several_lines=bool(more))
    assert data.alphabet == stated.tokens
    data.setup("fit")
    for texts in (data.train_set.texts, data.test_set.texts):
        assert all(texts) and set("".join(texts)) == set("aeinst " + more)
    assert data.train_set[0][2].min() > 0  # the unknown token is never written
    data = cls(characters="é")
    with pytest.raises(LabError, match="--data.characters"):
        data.setup("fit")


def test_a_file_that_is_of_no_use_is_refused(own_folder: Path) -> None:
    Path("few.txt").write_text("one line\n")
    Path("bytes.txt").write_bytes(b"\xff\xfe\x00")
    for path in ("few.txt", "bytes.txt", "none.txt"):
        with pytest.raises(LabError, match=path):
            PenLines(path=path)


# Facts and options


@pytest.mark.parametrize("cls", CLASSES)
def test_facts_are_known_before_setup(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a file is opened")

    with monkeypatch.context() as context:
        for module in ("builtins", "io", "os"):
            context.setattr(f"{module}.open", refuse)
        data = cls()
    assert data.input_shape == ((1, 32, 400) if cls is PenLines else (1, 168, 320))
    assert data.text_length == (40 if cls is PenLines else 5 * 29 - 1)
    assert set(string.printable[:95]) <= set(data.alphabet)
    assert len(set(data.writers)) == len(data.writers) == 760


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        *((PenLines, {name: 0}) for name in ("train_size", "height", "width", "min_length")),
        *((PenLines, {name: 9999}) for name in ("height", "max_length")),
        (PenLines, {"min_length": 9, "max_length": 8}),
        # >>> from week 6
        *((PenParagraphs, {name: 0}) for name in ("train_size", "min_lines", "pitch", "width")),
        (PenParagraphs, {"min_lines": 6}),
        *((PenParagraphs, {"line_length": length}) for length in (7, 1000)),
        # <<< from week 6
        *((cls, {"augment": 9.0}) for cls in CLASSES),
    ],
    ids=str,
)
def test_wrong_options_are_refused(cls: Any, options: dict[str, Any]) -> None:
    name = next(iter(options))
    with pytest.raises(LabError, match=f"--data.{name} {options[name]}"):
        cls(**options)
