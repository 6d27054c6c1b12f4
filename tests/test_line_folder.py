"""Lines from a folder of one's own: content, facts, and clear errors."""
# from week 3

import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from test_data import trainer
from torch import Tensor

from lab.data.base import IGNORED
from lab.data.line_folder import LineFolder
from lab.data.line_paragraphs import LineParagraphs  # from week 6
from lab.data.stacked_lines import StackedLines, random_plan, whole_plan  # from week 6
from lab.data.vocabulary import UNKNOWN, stated_vocabulary
from lab.errors import LabError

# id, split, writer, text.
LINES = [
    ("a-1", "train", "ann", "the first line"),
    ("a-2", "train", "ann", "élan"),
    ("b.1", "train", "bob", "a much longer line, that goes on"),
    ("a-3", "train", "ann", "ann again"),
    ("c-1", "val", "cid", "valid"),
    ("c-2", "val", "cid", "zebra line"),
    ("c-3", "val", "cid", "alone"),
    ("d-1", "test", "dee", "tested line"),
    ("d-2", "test", "eve", "last"),
]
HEADER = "id\tsplit\twriter\ttext"


def picture(text: str) -> Image.Image:
    """A line of print, dark on light, 40 pixels high."""
    font = ImageFont.load_default(24)
    image = Image.new("L", (round(font.getlength(text)) + 12, 40), 225)
    ImageDraw.Draw(image).text((5, 5), text, font=font, fill=30)
    return image


def table(lines: list[tuple[str, ...]] = LINES, header: str = HEADER) -> str:
    return "\n".join([header, *("\t".join(line) for line in lines)]) + "\n"


def put(root: Path, *, content: str | None = None, zipped: bool = False) -> Path:
    """The folder with its table, the images in a subfolder or in a zip."""
    (root / "lines").mkdir(parents=True)
    for name, *_, text in LINES:
        picture(text).save(root / "lines" / f"{name}.png")
    (root / "lines.tsv").write_text(table() if content is None else content, encoding="utf-8")
    if zipped:
        with zipfile.ZipFile(root / "lines.zip", "w") as archive:
            for path in (root / "lines").iterdir():
                archive.write(path, f"lines/{path.name}")
                path.unlink()
    return root


def ready(data: Any) -> Any:
    data.prepare_data()
    data.setup("fit")
    return data


def sets(data: Any) -> tuple[Any, Any, Any]:
    return data.train_set, data.val_set, data.test_set


def texts(data: Any, targets: Tensor) -> list[str]:
    return ["".join(data.alphabet[token] for token in row if token >= 0) for row in targets]


# LineFolder


def test_facts_are_known_after_construction() -> None:
    put(Path("own"))
    data = LineFolder(path="own", height=20, width=300)
    assert data.input_shape == (1, 20, 300)
    letters = {letter for _, split, _, text in LINES for letter in text if split == "train"}
    assert data.alphabet == (UNKNOWN, *sorted(letters))
    assert data.text_length == len("a much longer line, that goes on")
    assert data.writers == ("ann", "bob", "cid", "dee", "eve")
    # Without a folder something is stated, so that models can be built; it is asked for before data are.
    nowhere = LineFolder()
    assert len(nowhere.alphabet) == 96 and nowhere.text_length == 100
    with pytest.raises(LabError, match=r"(?s)--data.path: say which folder or zip .*id, split"):
        nowhere.prepare_data()


@pytest.mark.parametrize("form", ["folder", "zip in folder", "zip", "below LAB_DATA_DIR"])
def test_every_form_of_folder_reads_the_same(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ready(LineFolder(path=str(put(Path("plain"))), height=20))
    root = put(Path("data/other"), zipped=form == "zip in folder")
    path = "data/other"
    if form == "zip":
        path = "all.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in root.rglob("*.*"):
                archive.write(file, f"top/{file.relative_to(root)}")
            archive.writestr("__MACOSX/top/lines/._a-1.png", b"none")
    if form == "below LAB_DATA_DIR":
        monkeypatch.setenv("LAB_DATA_DIR", "data")
        path = "other"
    other = ready(LineFolder(path=path, height=20))
    for one, two in zip(sets(plain), sets(other), strict=True):
        assert one.texts == two.texts and torch.equal(one.pixels, two.pixels)


def test_batches_hold_images_sizes_texts_and_writers() -> None:
    data = ready(LineFolder(path=str(put(Path("own"))), height=20, batch_size=3))
    for samples, part in zip(sets(data), ("train", "val", "test"), strict=True):
        rows = [line for line in LINES if line[1] == part]
        assert samples.texts == tuple(text for *_, text in rows)
        images, sizes, targets, writers = samples.__getitems__(np.arange(len(rows)))
        assert images.dtype == torch.uint8 and images.shape[:3] == (len(rows), 1, 20)
        assert images.shape[3] == -(-int(sizes[:, 1].max()) // 16) * 16
        for (_, _, writer, text), image, size, number in zip(
            rows, images, sizes, writers, strict=True
        ):
            expected = picture(text).size
            assert size.tolist() == [20, round(expected[0] * 20 / expected[1])]
            own, beyond = image[0, :, : size[1]], image[0, :, size[1] :]
            assert own.float().median() == 0 and own.max() == 255 and beyond.sum() == 0
            assert data.writers[number] == writer
        assert texts(data, targets) == [
            "".join(letter if letter in data.alphabet else UNKNOWN for letter in text)
            for *_, text in rows
        ]
        assert (targets[0, len(rows[0][-1]) :] == IGNORED).all()


def test_whole_batches_and_single_samples_agree() -> None:
    data = ready(LineFolder(path=str(put(Path("own"))), height=20))
    images, sizes, targets, writers = data.train_set.__getitems__([2, 0])
    for place, index in enumerate((2, 0)):
        image, size, target, writer = data.train_set[index]
        assert torch.equal(image[:, :, : size[1]], images[place, :, :, : size[1]])
        assert torch.equal(size, sizes[place]) and writer == writers[place]
        assert torch.equal(target, targets[place, : len(target)])


def test_wide_lines_are_squeezed_and_narrow_ones_kept() -> None:
    free = ready(LineFolder(path=str(put(Path("own"))), height=20))
    tight = ready(LineFolder(path="own", height=20, width=100))
    assert (free.train_set.sizes[:, 1] > 100).any()
    assert torch.equal(tight.train_set.sizes[:, 1], free.train_set.sizes[:, 1].clamp(max=100))
    assert tight.train_set.image(2).max() == 255


def test_training_batches_alone_are_augmented() -> None:
    data = ready(LineFolder(path=str(put(Path("own"))), height=20, augment=1.0))
    batch = data.batch_transform(data.train_set.__getitems__([0, 1, 2]))
    for training in (False, True):
        data.trainer = trainer(training=training)
        images = data.on_after_batch_transfer(data.train_set.__getitems__([0, 1, 2]), 0)[0]
        assert torch.equal(images, batch[0]) != training and images.dtype == torch.float


def test_an_alphabet_can_be_stated_and_fits_that_of_other_data() -> None:
    put(Path("own"))
    Path("letters.txt").write_text("the quick\nbrown\tfox e\u0301\n", encoding="utf-8")
    by_file = LineFolder(path="own", characters="letters.txt")
    assert by_file.alphabet == (UNKNOWN, *sorted(set("the quickbrownfoxé")))
    assert LineFolder(path="own", characters="the quickbrownfox\u00e9").alphabet == by_file.alphabet
    assert stated_vocabulary("ab", several_lines=True).tokens == (UNKNOWN, "\n", "a", "b")
    ready(by_file)
    with pytest.raises(LabError, match="--data.characters '': it has no character"):
        _ = LineFolder(path="own", characters="").alphabet
    Path("bytes.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(LabError, match="bytes.txt: cannot be read"):
        _ = LineFolder(path="own", characters="bytes.txt").alphabet


def test_characters_come_composed_and_files_may_be_of_windows() -> None:
    lines = [(*line[:3], unicodedata.normalize("NFD", line[3])) for line in LINES]
    content = "\ufeff" + table(lines).replace("\n", "\r\n")
    data = ready(LineFolder(path=str(put(Path("own"), content=content)), height=20))
    assert "élan" in data.train_set.texts and "é" in data.alphabet


def test_columns_may_come_in_any_order_and_name_the_file() -> None:
    lines = [(text, f"lines/{name}.png", split, f"n{name}") for name, split, _, text in LINES]
    content = table(lines, "text\tfile\tsplit\tid")
    data = ready(LineFolder(path=str(put(Path("own"), content=content)), height=20))
    assert data.train_set.texts[0] == "the first line" and data.writers == ("",)


def changed(number: int, line: str) -> str:
    """The table with another line."""
    lines = table().splitlines()
    lines[number - 1] = line
    return "\n".join(lines) + "\n"


WRONG = {
    "no split column": (
        changed(1, "id\tparts\twriter\ttext"),
        "line 1: no column split.*\nNearest: ",
    ),
    "commas": (table().replace("\t", ","), "line 1: no column id; needed are id, split, text"),
    "too few cells": (changed(3, "a-2\ttrain\télan"), "line 3: 3 cells, but 4 columns"),
    "empty line": (changed(3, ""), "line 3: 1 cells, but 4 columns"),
    "split": (
        changed(4, "b.1\ttrian\tbob\ta"),
        "line 4: no split is called 'trian'.\nNearest: train",
    ),
    "no text": (changed(5, "a-3\ttrain\tann\t  "), "line 5: the text is empty"),
    "no id": (changed(5, "\ttrain\tann\tx"), "line 5: the id is empty"),
    "twice": (changed(5, "a-1\ttrain\tann\tx"), "line 5: id a-1 is that of line 2 too"),
    "no image": (
        changed(2, "a-9\ttrain\tann\tx"),
        "line 2 of the table, a-9: no such image\nNearest: a-",
    ),
    "no val": (
        table([line for line in LINES if line[1] != "val"]),
        "of 6 lines none has split val",
    ),
    "nothing": ("", "line 1: no column id"),
    "header only": (HEADER, "of 0 lines none has split train"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_is_told_with_the_line(name: str) -> None:
    content, message = WRONG[name]
    put(Path("own"), content=content)
    with pytest.raises(LabError, match=message) as caught:
        ready(LineFolder(path="own"))
    assert len(str(caught.value).splitlines()) <= 2


def test_other_faults_of_a_folder_are_told() -> None:
    with pytest.raises(LabError, match="--data.path own: there is no such file or folder"):
        _ = LineFolder(path="own").alphabet
    root = put(Path("own"))
    (root / "lines" / "a-1.png").write_bytes(b"none")
    with pytest.raises(LabError, match=r"own, lines/a-1.png: this is no image"):
        ready(LineFolder(path="own"))
    (root / "other").mkdir()
    picture("x").save(root / "other" / "a-1.png")
    with pytest.raises(LabError, match="a-1: several images: lines/a-1.png, other/a-1.png"):
        ready(LineFolder(path="own"))
    (root / "lines.tsv").write_bytes(b"id\tsplit\ttext\n\xff")
    with pytest.raises(LabError, match="lines.tsv: cannot be read"):
        ready(LineFolder(path="own"))
    (root / "lines.tsv").unlink()
    with pytest.raises(LabError, match="one table is needed, such as lines.tsv; there is none"):
        ready(LineFolder(path="own"))
    Path("bad.zip").write_bytes(b"PK none")
    with pytest.raises(LabError, match="bad.zip: cannot be read"):
        ready(LineFolder(path="bad.zip"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 5}, "--data.height 5: choose 8 to 256"),
        ({"width": 20}, "--data.width 20: choose 56"),
        ({"augment": 9.0}, "--data.augment 9.0: choose 0"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        LineFolder(**options)


# >>> from week 6
# Paragraphs


def test_paragraphs_are_stacked_lines_of_one_writer_of_their_own_split() -> None:
    put(Path("own"))
    data = ready(LineParagraphs(path="own", train_size=40, lines=3, height=16, width=200))
    known = {
        part: {text: w for _, s, w, text in LINES if s == part} for part in ("train", "val", "test")
    }
    for samples, part in zip(sets(data), known, strict=True):
        for index, text in enumerate(samples.texts):
            lines = text.split("\n")
            assert {known[part][line] for line in lines} == {data.writers[samples.writers[index]]}
            assert 1 <= len(lines) <= 3 and len(text) <= data.text_length
            assert texts(data, samples.target(index)[None]) == [
                "".join(c if c in data.alphabet else UNKNOWN for c in text)
            ]
    # Outside of training each line comes once, in the order of the table.
    assert data.val_set.texts == ("valid\nzebra line\nalone",)
    assert data.test_set.texts == ("tested line", "last")
    assert len({len(text.split("\n")) for text in data.train_set.texts}) == 3
    assert "\n" in data.alphabet and len(data.train_set) == 40


def test_paragraphs_show_their_lines_from_top_to_bottom() -> None:
    put(Path("own"))
    data = ready(LineParagraphs(path="own", train_size=40, lines=3, height=16, width=200))
    samples: StackedLines = data.train_set
    _, height, width = data.input_shape
    assert (samples.sizes <= torch.tensor([height, width])).all()
    for index in range(len(samples)):
        image = samples.image(index)
        assert tuple(image.shape) == tuple(samples.sizes[index].tolist())
        assert image.max() == 255 and image.float().median() == 0
        count = samples.counts[index]
        assert count == len(samples.texts[index].split("\n"))
        tops = samples.tops[index, :count]
        assert (np.diff(tops) > 0).all()
        for place in range(count):
            line = samples.lines.image(samples.plan[index, place])
            top, left = tops[place], samples.lefts[index, place]
            assert (image[top : top + 16, left : left + line.shape[1]] >= line).all()
        assert int(image.sum()) <= sum(
            int(samples.lines.image(row).sum()) for row in samples.plan[index, :count]
        )


def test_paragraphs_are_a_function_of_their_number() -> None:
    put(Path("own"))
    one, two = (
        ready(LineParagraphs(path="own", train_size=size, lines=3, height=16)).train_set
        for size in (5, 40)
    )
    torch.manual_seed(1)
    assert one.texts == two.texts[:5]
    for index in (4, 0):
        assert torch.equal(one.image(index), two.image(index))
    assert len(set(two.texts)) > 20


def test_plans_use_all_lines_and_no_line_twice_in_a_row_of_whole_ones() -> None:
    writers = torch.tensor([0, 0, 0, 1, 1, 0])
    assert whole_plan(writers, most=2).tolist() == [[0, 1], [2, -1], [3, 4], [5, -1]]
    plan = random_plan(writers, 2000, most=4, seed=3)
    lengths = (plan >= 0).sum(1)
    assert plan.shape == (2000, 4) and set(lengths.tolist()) == {1, 2, 3, 4}
    counts = np.bincount(plan[plan >= 0], minlength=6)
    assert counts.min() > 0.8 * counts.mean()
    assert all(len(set(writers[row[row >= 0]].tolist())) == 1 for row in plan)


@pytest.mark.parametrize("option", ["train_size", "lines"])
def test_paragraph_options_out_of_range(option: str) -> None:
    with pytest.raises(LabError, match=f"--data.{option} 0: choose 1"):
        LineParagraphs(**{option: 0})


# <<< from week 6
