"""Lines and pages put together from glyphs: what is drawn, from which glyphs, and by whom it is asked for."""
# from week 3

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from data_files import packed_idx
from pytorch_lightning.plugins.precision import Precision
from torch import Tensor

from lab.data import emnist_lines, images
from lab.data.base import IGNORED, LabData
from lab.data.digit_lines import SIDES, DigitLines
from lab.data.digit_paragraphs import NEAR, ROOM, DigitParagraphs  # from week 6
from lab.data.digits import Digits
from lab.data.emnist import ALL
from lab.data.emnist_lines import EMNISTLines, spelled
from lab.data.glyph_lines import MARGIN, GlyphImages, Glyphs, Places
from lab.data.sentences import sentences
from lab.errors import LabError

MODULES: dict[str, tuple[Any, dict[str, Any]]] = {
    "DigitLines": (DigitLines, {}),
    "DigitParagraphs": (DigitParagraphs, {}),  # from week 6
    "EMNISTLines": (EMNISTLines, {}),
    "EMNISTLines of the test part": (EMNISTLines, {"source": "test"}),
}
STAGES = ("train", "val", "test")
# Copies of each of EMNIST's classes for training, validation and test.
COPIES = (3, 2, 1)


def coded(label: int, part: int, copy: int) -> np.ndarray:
    """A picture (28, 28), upright, that tells which it is: a bar at its left, rows of bits, an underline."""
    picture = np.zeros((28, 28))
    picture[2:26, 9] = picture[24:26, 9:19] = 255
    for bit in range(10):
        if label << 4 >> bit & 1 or (part << 2 | copy) >> bit & 1:
            picture[3 + 2 * bit : 5 + 2 * bit, 10:19] = 255
    return picture


def read(image: np.ndarray) -> tuple[str, set[int], set[int]]:
    """The text of a line (28, W) of such pictures that do not overlap, and the parts they are of."""
    starts = np.flatnonzero((image[2:26] == 255).all(axis=0))
    codes = [
        sum(int(image[3 + 2 * bit, start + 4] > 0) << bit for bit in range(10)) for start in starts
    ]
    text = "".join(
        (" " if number > 0 and start - starts[number - 1] >= 20 else "") + ALL[code >> 4]
        for number, (start, code) in enumerate(zip(starts, codes, strict=True))
    )
    return text, {code >> 2 & 3 for code in codes}, {code & 3 for code in codes}


@pytest.fixture(autouse=True)
def coded_emnist(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """EMNIST's files with pictures that tell their class and part; all in the test part, or parted."""
    monkeypatch.setattr(emnist_lines, "VAL", 60)
    monkeypatch.setattr(emnist_lines, "TEST", 70)
    ends = np.cumsum([62 * copies for copies in COPIES])
    monkeypatch.setattr(emnist_lines, "TEST_PART", tuple(ends[:2]))
    monkeypatch.setattr(images, "VAL", 62 * COPIES[1])
    raw = own_folder / "data" / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    write_emnist(raw, "test", parts=(0, 1, 2))
    return raw


@cache
def emnist_files(parts: tuple[int, ...]) -> dict[str, bytes]:
    names = [
        (part, copy, label) for part in parts for copy in range(COPIES[part]) for label in range(62)
    ]
    # The files hold each picture transposed.
    pictures = np.stack([coded(label, part, copy).T for part, copy, label in names])
    labels = np.array([label for _, _, label in names])
    return {"images-idx3": packed_idx(pictures), "labels-idx1": packed_idx(labels)}


def write_emnist(raw: Path, name: str, *, parts: tuple[int, ...]) -> None:
    for kind, content in emnist_files(parts).items():
        (raw / f"emnist-byclass-{name}-{kind}-ubyte.gz").write_bytes(content)


def made(name: str, **options: Any) -> Any:
    """The data module, ready to use."""
    cls, own = MODULES[name]
    if name == "EMNISTLines":
        write_emnist(Path("data/EMNIST/raw"), "train", parts=(0, 1))
        write_emnist(Path("data/EMNIST/raw"), "test", parts=(2,))
    data = cls(**{"train_size": 300, "batch_size": 10, **own, **options})
    data.prepare_data()
    data.setup("fit")
    return data


def sets(data: Any) -> list[GlyphImages]:
    return [data.train_set, data.val_set, data.test_set]


def whole(part: GlyphImages) -> tuple[Tensor, ...]:
    """All samples of a set as one batch."""
    return part.__getitems__(range(len(part)))


def texts(data: Any, targets: Tensor) -> list[str]:
    return ["".join(data.alphabet[n] for n in row.tolist() if n != IGNORED) for row in targets]


def trainer(*, training: bool) -> Any:
    return SimpleNamespace(training=training, precision_plugin=Precision())


@pytest.mark.parametrize("name", MODULES)
def test_facts_are_known_before_a_file_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a file is opened")

    cls, options = MODULES[name]
    monkeypatch.setenv("LAB_DATA_DIR", "nowhere")
    with monkeypatch.context() as context:
        for module in ("builtins", "io", "os"):
            context.setattr(f"{module}.open", refuse)
        data = cls(**options)
    assert data.input_shape[:2] == (1, {"D": 16, "E": 28}[name[0]] if "Lines" in name else 60)
    assert sorted(data.alphabet) == list(data.alphabet) and " " in data.alphabet
    assert ("\n" in data.alphabet) == ("Lines" not in name)
    assert data.text_length > 0 and data.writers == ("unknown",)


@pytest.mark.parametrize("name", MODULES)
def test_batches_are_what_the_facts_say(name: str) -> None:
    data = made(name)
    sizes = [len(part) for part in sets(data)]
    assert sizes == ([300, 60, 70] if "EMNIST" in name else [300, 500, 1000])
    for stage in STAGES:
        loader = getattr(data, f"{stage}_dataloader")()
        for batch in list(loader)[:5]:
            images, sizes_, targets, writers = batch
            assert images.dtype == torch.uint8 and images.shape[:2] == (10, 1)
            assert tuple(sizes_.amax(0).tolist()) <= data.input_shape[1:]
            assert images.shape[2] == sizes_[:, 0].max() and images.shape[3] % 16 == 0
            assert 0 <= images.shape[3] - sizes_[:, 1].max() < 16
            assert targets.dtype == torch.long and targets.shape[1] <= data.text_length
            assert targets.max() < len(data.alphabet) and (targets[:, -1] != IGNORED).any()
            ended = (targets == IGNORED).long()
            assert (ended.diff(dim=1) >= 0).all() and (targets[ended == 0] >= 0).all()
            assert writers.tolist() == [0] * 10
            ink = data.on_after_batch_transfer(batch, 0)[0]
            torch.testing.assert_close(ink * 255, images.float())


@pytest.mark.parametrize("name", MODULES)
def test_ink_is_normalised_and_within_the_true_size(name: str) -> None:
    data = made(name)
    for part in sets(data):
        images, sizes, *_ = whole(part)
        for image, (height, width) in zip(images[:, 0], sizes.tolist(), strict=True):
            inside = image[:height, :width]
            assert inside.sum() == image.sum() and inside.max() == 255
            assert inside.flatten().median() == 0
            columns = inside.amax(0).nonzero().flatten()
            assert columns[-1] == width - 1 - MARGIN
            assert columns[0] == MARGIN or "Paragraphs" in name


@pytest.mark.parametrize("name", MODULES)
def test_images_follow_their_number_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(name, train_size=60)
    images, sizes, targets, _ = whole(data.train_set)
    random = np.random.RandomState(0)
    torch.manual_seed(1)
    np.random.seed(1)
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    again = made(name, train_size=90, batch_size=3)
    again.setup("test")
    for part in (data.train_set, again.train_set):
        for rows in (random.permutation(60)[:20], [7], [59, 3, 3]):
            found, found_sizes, found_targets, _ = part.__getitems__(rows)
            height, width = found.shape[2:]
            assert torch.equal(found, images[rows][..., :height, :width])
            assert images[rows].sum() == found.sum()
            assert torch.equal(found_sizes, sizes[rows])
            assert torch.equal(found_targets, targets[rows][:, : found_targets.shape[1]])
    # No two are alike.
    assert len({image.numpy().tobytes() for image in images}) == 60


def test_any_worker_draws_the_same_images() -> None:
    def batches(num_workers: int) -> list[tuple[Tensor, ...]]:
        data = DigitLines(train_size=300, num_workers=num_workers)
        data.setup("fit")
        return [*map(tuple, data.train_dataloader())]

    for own, others in zip(batches(0), batches(2), strict=True):
        assert all(torch.equal(*pair) for pair in zip(own, others, strict=True))


@pytest.mark.parametrize("name", ["EMNISTLines", "EMNISTLines of the test part"])
def test_emnist_lines_show_their_text_in_pictures_of_their_part(name: str) -> None:
    data = made(name, overlap=0.0)
    for number, part in enumerate(sets(data)):
        images, _, targets, _ = whole(part)
        parts, copies = set(), set()
        for image, text in zip(images[:, 0].numpy(), texts(data, targets), strict=True):
            found, of_parts, of_copies = read(image)
            assert found == text
            parts |= of_parts
            copies |= of_copies
        assert parts == {number} and copies == set(range(COPIES[number]))


def test_emnist_lines_are_of_sentences_of_their_part() -> None:
    data = made("EMNISTLines of the test part")
    pools = {stage: [spelled(sentence) for sentence in sentences(stage)] for stage in STAGES}
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not set(pools[one]) & set(pools[other])
    for stage, part in zip(STAGES, sets(data), strict=True):
        for text in texts(data, whole(part)[2]):
            assert len(text) <= 32 and any(text in sentence for sentence in pools[stage])
            assert len(text) >= 8 or any(sentence.endswith(text) for sentence in pools[stage])
            assert text == " ".join(text.split())


def test_texts_are_spelled_in_emnists_characters() -> None:
    text = "It's a so-called \"x_1\", isn't it? (É: 2.5)"
    assert spelled(text) == "Its a so called x 1 isnt it 2 5"


def test_emnists_test_part_is_enough_for_its_source(coded_emnist: Path) -> None:
    assert len(list(coded_emnist.iterdir())) == 2
    made("EMNISTLines of the test part")
    with pytest.raises(LabError, match="gzip.zip"):
        EMNISTLines().prepare_data()


def test_characters_without_a_picture_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # Validation begins and ends with the first digits.
    start = emnist_lines.TEST_PART[0]
    monkeypatch.setattr(emnist_lines, "TEST_PART", (start, start + 10))
    with pytest.raises(LabError, match="EMNIST's pictures for val have no '[A-Za-z]'"):
        made("EMNISTLines of the test part")


@pytest.mark.parametrize("by_position", [False, True])
@pytest.mark.parametrize(
    "cls",
    [
        DigitLines,
        DigitParagraphs,  # from week 6
    ],
)
def test_digits_are_those_of_their_part(cls: Any, by_position: bool) -> None:
    data = cls(by_position=by_position, train_size=500)
    data.setup("fit")
    digits = Digits(by_position=by_position)
    digits.setup("fit")
    eight = SIDES.index(8) * (len(SIDES) + 1)
    seen: list[set[bytes]] = []
    for part, source in zip(
        sets(data), (digits.train_set, digits.val_set, digits.test_set), strict=True
    ):
        originals, labels = source.tensors
        count = len(labels)
        # Among all sizes those of 8x8 are the source's own, stretched to full black, without the palest.
        own = part.glyphs.pictures[eight * count : (eight + 1) * count].transpose(0, 2, 1)[
            :, :8, :8
        ]
        expected = originals[:, 0] / originals.amax((1, 2, 3)).view(-1, 1, 1) * 255
        clear = (expected >= 33).numpy()
        assert np.abs(own - expected.numpy())[clear].max() <= 1 and not own[expected < 31].any()
        used = np.unique(part.chosen[part.chosen >= 0])
        assert len(np.unique(used // count)) == len(SIDES) ** 2
        assert used.max() < len(SIDES) ** 2 * count
        shown = np.unique(used % count)
        assert len(shown) > 0.9 * count, "nearly all digits are used"
        seen.append({originals[number].numpy().tobytes() for number in shown})
        # What is drawn, from left to right and line by line, is what the text says.
        zero = data.alphabet.index("0")
        for pictures, tokens in zip(part.chosen, part.tokens.numpy(), strict=True):
            drawn = labels[pictures[pictures >= 0] % count].numpy()
            assert (drawn == tokens[tokens >= zero] - zero).all()
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


@pytest.mark.parametrize("name", MODULES)
def test_glyphs_follow_each_other(name: str) -> None:
    data = made(name)
    part = data.train_set
    for tokens, pictures, lefts, tops, size in zip(
        part.tokens.numpy(), part.chosen, part.lefts, part.tops, part.sizes.numpy(), strict=True
    ):
        pictures = pictures[pictures >= 0]
        begins = lefts[: len(pictures)] + part.glyphs.left[pictures]
        ends = begins + part.glyphs.width[pictures]
        text = "".join(data.alphabet[token] for token in tokens if token >= 0)
        assert len(pictures) == len(text.replace(" ", "").replace("\n", ""))
        assert (tops[: len(pictures)] + part.glyphs.pictures.shape[2] <= size[0]).all()
        place = 0
        for line in text.split("\n"):
            last = None
            for word in line.split(" "):
                for number in range(place, place + len(word)):
                    if number > place:
                        assert begins[number] > begins[number - 1]
                        assert begins[number] - ends[number - 1] <= data.spacing.gap + 1
                    elif last is not None:
                        assert begins[number] - ends[last] >= data.spacing.blank[0] - 4
                place += len(word)
                last = place - 1


@pytest.mark.parametrize("name", ["DigitLines", "EMNISTLines of the test part"])
@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5])
def test_no_more_is_covered_than_the_overlap(name: str, overlap: float) -> None:
    part = made(name, overlap=overlap).train_set
    covered = []
    for pictures, lefts in zip(part.chosen, part.lefts, strict=True):
        pictures = pictures[pictures >= 0]
        width = part.glyphs.width[pictures]
        begins = lefts[: len(pictures)] + part.glyphs.left[pictures]
        both = (begins + width)[:-1] - begins[1:]
        # Whole pixels round it.
        covered.append(both - overlap * np.minimum(width[:-1], width[1:]))
        assert overlap > 0 or both.max() <= 0
    above = np.concatenate(covered)
    assert above.max() < 1
    assert overlap == 0 or (above > -1).any()


def by_hand(part: GlyphImages, number: int, height: int, width: int) -> np.ndarray:
    """An image pixel by pixel, in numbers that can't wrap."""
    image = np.zeros((height, width + 100), dtype=int)
    for picture, left, top in zip(
        part.chosen[number], part.lefts[number], part.tops[number], strict=True
    ):
        if picture >= 0:
            glyph = part.glyphs.pictures[picture].T.astype(int)
            high, wide = glyph.shape
            image[top : top + high, 50 + left : 50 + left + wide] += glyph
    return image[:, 50 : 50 + width].clip(max=255)


@pytest.mark.parametrize("name", [name for name in MODULES if name != "EMNISTLines"])
def test_whole_batches_are_what_a_loop_draws(name: str) -> None:
    part = made(name, overlap=0.5).train_set
    rows = np.random.RandomState(0).permutation(300)[:40]
    found = part.__getitems__(rows)[0][:, 0].numpy()
    for number, image in zip(rows, found, strict=True):
        assert np.array_equal(image, by_hand(part, number, *image.shape))


def test_ink_adds_up_to_255_at_most() -> None:
    pictures = np.zeros((3, 3, 2), dtype=np.uint8)
    pictures[0] = [[0, 255], [200, 200], [40, 0]]
    pictures[1] = [[255, 0], [200, 40], [0, 100]]
    pictures[2] = 255
    glyphs = Glyphs(pictures, np.array([0, 1, 2]), alphabet=3)
    tokens = np.array([[0, 1, IGNORED]])
    places = Places(np.array([[0, 1, -1]]), np.array([[1, 1, 0]]), np.array([[0, 0, 0]]))
    part = GlyphImages(glyphs, tokens, places, sizes=np.array([[2, 5]]))
    image, size, target, writer = part[0]
    assert image[0, :, 1:4].tolist() == [[255, 255, 40], [255, 240, 100]]
    assert image.sum() == 4 * 255 - 0 - 255 + 40 + 240 + 100 and image.shape == (1, 2, 16)
    assert size.tolist() == [2, 5] and target.tolist() == [0, 1] and writer == 0


def test_glyphs_know_their_ink() -> None:
    pictures = np.zeros((3, 6, 2), dtype=np.uint8)
    pictures[0, 1:3, 1] = 100
    pictures[1, 5] = [255, 31]
    pictures[2, 0, 0], pictures[2, 4, 1], pictures[2, 5, 1] = 250, 33, 30
    before = pictures.copy()
    glyphs = Glyphs(pictures, np.array([1, 1, 0]), alphabet=3)
    assert glyphs.left.tolist() == [1, 5, 0] and glyphs.width.tolist() == [2, 1, 5]
    assert glyphs.pictures.max(axis=(1, 2)).tolist() == [255, 255, 255]
    assert glyphs.pictures[2, 4, 1] == 34 and glyphs.pictures[1, 5, 1] == 0
    assert np.array_equal(pictures, before)
    # Of 0 the one, of 1 the first or the second by half, of 2 none.
    tokens = np.array([[0, 1, 1, 1, 1, 2, IGNORED]])
    draws = np.array([[0.99, 0.0, 0.49, 0.5, 0.99, 0.5, 0.5]])
    assert glyphs.choose(tokens, draws).tolist() == [[2, 0, 0, 1, 1, -1, -1]]


def test_digits_come_in_groups() -> None:
    data = made("DigitLines", train_size=2000)
    lines = texts(data, whole(data.train_set)[2])
    groups = [line.split(" ") for line in lines]
    counts = np.bincount([sum(map(len, parts)) for parts in groups])
    # Four to twelve digits, each number of them as often.
    assert not counts[:4].any() and len(counts) == 13 and counts[4:].min() > 2000 / 9 * 0.8
    # Only the last group may be a single digit.
    assert all(len(group) >= 2 for parts in groups for group in parts[:-1])
    assert 2.0 < np.mean([len(parts) for parts in groups]) < 3.5
    digits = np.bincount([int(digit) for line in lines for digit in line if digit != " "])
    assert digits.min() > 0.9 * digits.mean() and max(map(len, lines)) <= data.text_length
    short = made("DigitLines", min_length=1, max_length=1)
    assert short.text_length == 1
    assert set(texts(short, whole(short.train_set)[2])) == set("0123456789")


# >>> from week 6
def test_pages_have_lines_of_any_length_and_distance() -> None:
    data = made("DigitParagraphs", train_size=2000)
    part = data.train_set
    pages = [text.split("\n") for text in texts(data, whole(part)[2])]
    counts = np.bincount([len(page) for page in pages])
    assert counts[0] == 0 and len(counts) == 5 and counts[1:].min() > 2000 / 4 * 0.9
    assert {len(line.replace(" ", "")) for page in pages for line in page} == set(range(2, 7))
    distances, indents = set(), set()
    for number, page in enumerate(pages):
        place, tops = 0, []
        for line in page:
            length = len(line.replace(" ", ""))
            picture = part.chosen[number, place]
            indents.add(part.lefts[number, place] + part.glyphs.left[picture])
            tops.append(part.tops[number, place : place + length])
            place += length
        for above, below in zip(tops, tops[1:], strict=False):
            assert below.min() > above.max()
            distances.add(below.min() - above.min())
    assert min(distances) >= NEAR - ROOM and len(distances) > 5 and len(indents) > 8
    heights = part.sizes[:, 0].unique()
    assert len(heights) > 20 and heights.max() <= 60
    single = made("DigitParagraphs", min_lines=2, max_lines=2)
    assert {text.count("\n") for text in texts(single, whole(single.val_set)[2])} == {1}


# <<< from week 6
@pytest.mark.parametrize("name", MODULES)
def test_training_alone_is_augmented_within_the_true_size(name: str) -> None:
    plain, data = made(name), made(name, augment=1.0)
    for part in sets(plain):
        batch = part.__getitems__(range(16))
        data.trainer = trainer(training=False)
        expected = plain.on_after_batch_transfer(batch, 0)[0]
        assert torch.equal(data.on_after_batch_transfer(batch, 0)[0], expected)
        data.trainer = plain.trainer = trainer(training=True)
        torch.manual_seed(0)
        found, sizes, targets, _ = data.on_after_batch_transfer(batch, 0)
        assert torch.equal(targets, batch[2]) and torch.equal(sizes, batch[1])
        assert ((found != expected).flatten(1).any(1)).all()
        for image, (height, width) in zip(found[:, 0], sizes.tolist(), strict=True):
            assert image[height:].sum() == image[:, width:].sum() == 0
        assert torch.equal(plain.on_after_batch_transfer(batch, 0)[0], expected)


LINES = [
    ({"train_size": 0}, "--data.train_size 0: choose 1 or more"),
    ({"min_length": 0}, "--data.min_length 0: choose 1 to"),
    ({"min_length": 9, "max_length": 8}, "--data.min_length 9: choose 1 to 8"),
    ({"overlap": 0.6}, "--data.overlap 0.6: choose 0 .none. to 0.5"),
    ({"overlap": -0.1}, "--data.overlap -0.1"),
    ({"augment": 3.0}, "--data.augment 3.0: choose 0 .none. to 2"),
    ({"batch_size": 0}, "--data.batch_size 0"),
]


@pytest.mark.parametrize(
    "cls",
    [
        DigitLines,
        EMNISTLines,
        DigitParagraphs,  # from week 6
    ],
)
@pytest.mark.parametrize(("options", "message"), LINES)
def test_options_out_of_range(cls: type[LabData], options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        cls(**options)


def test_other_options_out_of_range() -> None:
    # >>> from week 6
    with pytest.raises(LabError, match="--data.min_lines 5: choose 1 to 4"):
        DigitParagraphs(min_lines=5)
    # <<< from week 6
    with pytest.raises(LabError, match="--data.source train: no such source.\nNearest: all, test"):
        EMNISTLines(source="train")
