"""Readers in a file: they read what the model reads, from any kind of image, without Lightning or W&B."""
# from week 3

import copy
import io
import os
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import iam_fixture
import numpy as np
import pytest
import test_line_folder
import torch
from conftest import EXPERIMENTS, ROOT, Outcome
from PIL import Image
from test_glyph_lines import coded_emnist as coded_emnist
from test_repository import imports

from lab.data.digit_lines import DigitLines
from lab.data.digit_paragraphs import DigitParagraphs  # from week 6
from lab.data.emnist_lines import EMNISTLines
from lab.data.iam_lines import IAMLines
from lab.data.iam_paragraphs import IAMParagraphs  # from week 6
from lab.data.line_folder import LineFolder
from lab.data.line_paragraphs import LineParagraphs  # from week 6
from lab.data.pen_lines import PenLines
from lab.data.pen_paragraphs import PenParagraphs  # from week 6
from lab.data.text_images import to_unit
from lab.errors import LabError
from lab.ink import open_image, to_ink
from lab.models.line_ctc import LineCTC
from lab.models.line_transformer import LineTransformer  # from week 4
from lab.nets.line_cnn import LineCNN
from lab.nets.line_cnn_lstm import LineCNNLSTM
from lab.nets.line_cnn_transformer import LineCNNTransformer  # from week 4
from lab.nets.resnet_transformer import ResNetTransformer  # from week 6
from lab.nets.sliding_cnn import SlidingCNN
from lab.recognizer import LineRecognizer, ParagraphRecognizer, Reading
from lab.recognizer import main as recognize
from lab.recognizer_export import write_recognizer
from lab.recognizer_file import Facts
from lab.run import export

Script = Callable[..., Outcome]
SMALL_CNN = {"width": 4, "features": 24, "depth": 1}
SMALL_DECODER = {"channels": 8, "depth": 1, "width": 32, "heads": 2}  # from week 6
# A fresh process in which importing any of these fails.
BLOCKED = ("pytorch_lightning", "lightning", "wandb", "torchmetrics", "torchtext", "lab.models")
BLOCK = f"import sys; sys.modules.update(dict.fromkeys({BLOCKED!r})); "


def untrained(data: Any, net: Any, *, model: Any = LineCTC, **options: Any) -> Any:
    """A model with random weights that says much about any image: its batch norm has seen some."""
    torch.manual_seed(3)
    made = model(data.input_shape, data.alphabet, data.text_length, partial(net, **options))
    rows = np.arange(min(8, len(data.train_set)))
    images, sizes, *_ = to_unit(data.train_set.__getitems__(rows))
    with torch.no_grad():
        for name, weight in made.net.named_parameters():
            if name.endswith(("output.weight", "tokens", "cnn.5.weight")):
                weight.normal_(std=1.0)
            if name.endswith("tokens"):
                # So that a text does not end at once.
                weight[-1] *= 0.01
            if "cross" in name or "lstms" in name:
                weight *= 4
        made.net.train()
        for _ in range(20):
            made.net(images, sizes) if model is LineCTC else made.net.encode(images, sizes)
    return made.eval()


def facts_of(data: Any) -> Facts:
    _, height, width = data.input_shape
    kind = "paragraph" if "\n" in data.alphabet else "line"
    return Facts(kind, tuple(data.alphabet), height, width, data.text_length)


def pictures(samples: Any, count: int) -> list[Image.Image]:
    """The first images of a set, dark on light."""
    found = []
    for index in range(min(count, len(samples))):
        image, size, *_ = samples[index]
        found.append(Image.fromarray(255 - image[0, : size[0], : size[1]].numpy()))
    return found


def model_reads(model: Any, samples: Any, count: int) -> list[str]:
    """What the model reads in a batch of them, padded to the largest."""
    rows = np.arange(min(count, len(samples)))
    with torch.no_grad():
        return model.predict_step(to_unit(samples.__getitems__(rows)), 0)


@cache
def digits() -> Any:
    data = DigitLines(train_size=20)
    data.setup("fit")
    return data


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A model of DigitLines, and its reader."""
    # As large as usual: of a smaller net the program would be most of the file.
    model = untrained(digits(), LineCNN)
    path = tmp_path_factory.mktemp("reader") / "digits.zip"
    net = model.net.train()
    before = copy.deepcopy(net.state_dict())
    write_recognizer(path, net, facts_of(digits()))
    # Saving leaves the net as it was.
    assert net.training
    assert all(torch.equal(weight, before[name]) for name, weight in net.state_dict().items())
    return model.eval(), path


@pytest.fixture(scope="module")
def reader(small: tuple[Any, Path]) -> LineRecognizer:
    return LineRecognizer.load(small[1])


def stored(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def fresh(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run code in a new process in which nothing can import Lightning or W&B."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_a_reader_reads_pictures_as_the_model_reads_the_batch(
    small: tuple[Any, Path], reader: LineRecognizer
) -> None:
    expected = model_reads(small[0], digits().test_set, 24)
    found = [reader.read(picture) for picture in pictures(digits().test_set, 24)]
    assert [reading.text for reading in found] == expected
    assert len(set(expected)) > 12
    for reading in found:
        assert len(reading.confidences) == len(reading.text)
        assert all(0 < sure <= 1 for sure in reading.confidences)
        assert reading.confidence == pytest.approx(np.mean(reading.confidences))
    assert Reading("", ()).confidence == 0


def test_the_command_prints_texts_and_tells_what_is_no_image(
    small: tuple[Any, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    names, texts = put_pictures(digits().test_set, 3), model_reads(small[0], digits().test_set, 3)
    bad = put_bad()
    assert recognize([str(small[1]), *names, *bad]) == 1
    out, err = capsys.readouterr()
    check_output(out, err, names, texts)
    assert recognize([str(small[1]), "0.png"]) == 0
    assert capsys.readouterr() == (texts[0] + "\n", "")
    assert recognize(["no.zip", "0.png"]) == 2
    assert capsys.readouterr().err == "error: no.zip: there is no such file\n"


def put_pictures(samples: Any, count: int) -> list[str]:
    """Names of files with the first images of a set."""
    found = pictures(samples, count)
    for number, picture in enumerate(found):
        picture.save(f"{number}.png")
    return [f"{number}.png" for number in range(len(found))]


def put_bad() -> list[str]:
    """Names of files that are no images."""
    Path("bad.png").write_bytes(Path("0.png").read_bytes()[:70])
    return ["bad.png", "missing.png"]


def check_output(out: str, err: str, names: list[str], texts: list[str]) -> None:
    """What the command prints of three good images and two bad ones, and nothing else."""
    assert out.splitlines() == [f"{name}: {text}" for name, text in zip(names, texts, strict=True)]
    first, second = err.splitlines()
    assert first.startswith("error: bad.png: ")
    assert second == "error: missing.png: there is no such file"


@pytest.mark.slow
def test_the_command_runs_where_nothing_of_lightning_can_be_imported(
    small: tuple[Any, Path],
) -> None:
    names, texts = put_pictures(digits().test_set, 3), model_reads(small[0], digits().test_set, 3)
    code = "import runpy; runpy.run_module('lab.recognizer', run_name='__main__')"
    done = fresh(code, small[1], *names, *put_bad())
    check_output(done.stdout, done.stderr, names, texts)
    assert done.returncode == 1


def test_a_reader_imports_nothing_of_what_trains() -> None:
    found, left = set(), ["lab.recognizer"]
    while left:
        path = ROOT / (left.pop().replace(".", "/") + ".py")
        if path.is_file() and path not in found:
            found.add(path)
            left += imports(path)
    libraries = {module.split(".")[0] for path in found for module in imports(path)}
    assert libraries - sys.stdlib_module_names == {"lab", "numpy", "PIL", "torch"}
    assert not [path for path in found if path.parent.name in ("models", "data", "run")]


def test_all_forms_of_an_image_read_the_same(reader: LineRecognizer, tmp_path: Path) -> None:
    (picture,) = pictures(digits().test_set, 1)
    array, expected = np.array(picture), reader.read(picture)
    assert expected.text
    path = tmp_path / "line.png"
    picture.save(path)
    turned, exif = picture.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6
    clear = Image.merge("LA", [Image.new("L", picture.size, 0), Image.fromarray(255 - array)])
    for form in (
        path,
        str(path),
        path.read_bytes(),
        array,
        255 - array,
        np.stack([array] * 3, 2),
        array / 255,
        picture.convert("RGB"),
        picture.convert("CMYK"),
        stored(turned, exif=exif),
        stored(clear),
        stored(picture, "TIFF"),
    ):
        assert reader.read(form) == expected


def test_images_of_any_size_are_read(reader: LineRecognizer) -> None:
    (picture,) = pictures(digits().test_set, 1)
    text, ink = reader.read(picture).text, reader.ink(picture).float()
    large = picture.resize((picture.width * 5, picture.height * 5), Image.Resampling.BICUBIC)
    assert (reader.ink(large) - ink).abs().mean() < 15 and len(reader.read(large).text) > 2
    # Wider than any line in training, and a single pixel.
    wide = Image.new("L", (1600, 16), 255)
    wide.paste(picture, (0, 0))
    assert reader.read(wide).text.startswith(text[:3])
    for size in ((1, 1), (1, 300), (40, 1)):
        assert isinstance(reader.read(Image.new("L", size, 99)).text, str)


def test_mutated_images_never_crash_a_reader(reader: LineRecognizer) -> None:
    random = np.random.default_rng(0)
    (picture,) = pictures(digits().test_set, 1)
    whole = [
        stored(picture.convert(mode), kind)
        for mode, kind in (
            ("L", "PNG"),
            ("P", "PNG"),
            ("RGBA", "PNG"),
            ("RGB", "JPEG"),
            ("L", "TIFF"),
            ("P", "GIF"),
            ("RGB", "BMP"),
            ("RGB", "WEBP"),
        )
    ]
    outcomes = {"read": 0, "refused": 0}
    for number in range(200):
        content = bytearray(whole[number % len(whole)])
        match number % 5:
            case 0:
                del content[int(random.integers(len(content))) :]
            case 1:
                start = int(random.integers(len(content)))
                del content[start : start + int(random.integers(1, 40))]
            case _:
                # Headers are where it hurts.
                end = 64 if number % 5 == 2 else len(content)
                for place in random.integers(0, min(end, len(content)), 1 + number % 7):
                    content[place] = int(random.integers(256))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                assert isinstance(reader.read(bytes(content)).text, str)
                outcomes["read"] += 1
            except LabError as error:
                assert len(str(error).splitlines()) == 1
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 20


def test_the_file_is_hardly_larger_than_the_weights(small: tuple[Any, Path]) -> None:
    weights = sum(weight.numel() * weight.element_size() for weight in small[0].net.parameters())
    assert 0.5 * weights < small[1].stat().st_size <= 1.05 * weights


# >>> from week 6
@pytest.mark.slow
def test_the_file_of_a_decoder_is_hardly_larger_than_its_weights(tmp_path: Path) -> None:
    data = ready("DigitParagraphs")
    model = untrained(data, ResNetTransformer, model=LineTransformer)
    net = model.net
    write_recognizer(tmp_path / "reader", net, facts_of(data))
    weights = sum(weight.numel() * weight.element_size() for weight in net.parameters())
    assert 0.5 * weights < (tmp_path / "reader").stat().st_size <= 1.05 * weights


# <<< from week 6
def test_what_is_no_reader_is_refused(small: tuple[Any, Path]) -> None:
    content = small[1].read_bytes()
    Path("cut.zip").write_bytes(content[:-500])
    Path("text.zip").write_text("none")
    with zipfile.ZipFile("other.zip", "w") as archive:
        archive.writestr("facts.json", '{"format": "of tomorrow"}')
    for name, message in (
        ("cut.zip", "damaged, or not a reader.\nMake one from a run"),
        ("text.zip", "damaged, or not a reader"),
        ("other.zip", "made by another version"),
        ("none.zip", "there is no such file"),
    ):
        with pytest.raises(LabError, match=f"{name}: .*{message}"):
            LineRecognizer.load(name)
    with pytest.raises(LabError, match="does not read a paragraph, but a line: use LineRecognizer"):
        ParagraphRecognizer.load(small[1])


def test_a_net_that_does_not_read_makes_no_reader() -> None:
    with pytest.raises(LabError, match="Linear does not read text"):
        write_recognizer(Path("x.zip"), torch.nn.Linear(2, 2), facts_of(digits()))

    class Odd(LineCNN):
        def forward(self, images: Any, sizes: Any = None) -> Any:
            return super().forward(images, sizes) * float(images.sum())

    with pytest.raises(LabError, match="torch.export can't make programs of Odd"):
        write_recognizer(Path("x.zip"), Odd((1, 16, 64), 12, **SMALL_CNN), facts_of(digits()))
    assert not Path("x.zip").exists()


# All data sets


def folder() -> str:
    return str(test_line_folder.put(Path("own")))


def iam() -> str:
    return str(iam_fixture.put(Path("iam")))


LINE_DATA: dict[str, Callable[[], Any]] = {
    "DigitLines": digits,
    "EMNISTLines": lambda: EMNISTLines(train_size=20, source="test"),
    "PenLines": lambda: PenLines(train_size=20),
    "LineFolder": lambda: LineFolder(path=folder(), height=32, width=200),
    "IAMLines": lambda: IAMLines(path=iam(), height=40, width=400),
}
DATA = {**LINE_DATA}
# >>> from week 6
PAGE_DATA: dict[str, Callable[[], Any]] = {
    "DigitParagraphs": lambda: DigitParagraphs(train_size=20),
    "PenParagraphs": lambda: PenParagraphs(train_size=20),
    "LineParagraphs": lambda: LineParagraphs(path=folder(), train_size=20, height=24, width=200),
    "IAMParagraphs": lambda: IAMParagraphs(path=iam(), synthetic=20),
}
DATA |= PAGE_DATA
# <<< from week 6


def ready(name: str) -> Any:
    data = DATA[name]()
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("name", DATA)
def test_a_picture_of_any_data_set_gives_the_same_ink(name: str) -> None:
    data = ready(name)
    for samples in (data.train_set, data.test_set):
        for index, picture in enumerate(pictures(samples, 12)):
            image, (height, width), *_ = samples[index]
            ink = image[0, :height, :width]
            assert torch.equal(to_ink(open_image(stored(picture))), ink)
            assert ink.max() == 255


@pytest.mark.slow
@pytest.mark.parametrize("name", LINE_DATA)
def test_lines_of_each_data_set_are_read_in_a_fresh_process(name: str) -> None:
    data = ready(name)
    model = untrained(data, LineCNN, **SMALL_CNN)
    check_fresh(data, model)


# >>> from week 6
@pytest.mark.slow
@pytest.mark.parametrize("name", PAGE_DATA)
def test_paragraphs_of_each_data_set_are_read_in_a_fresh_process(name: str) -> None:
    data = ready(name)
    model = untrained(data, ResNetTransformer, model=LineTransformer, **SMALL_DECODER)
    check_fresh(data, model)


# <<< from week 6
NETS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "LSTM": (LineCTC, LineCNNLSTM, {**SMALL_CNN, "lstm_width": 16, "lstm_depth": 2}),
    "stride 1": (LineCTC, LineCNN, {**SMALL_CNN, "stride": 1}),
    "stride 8": (LineCTC, LineCNN, {**SMALL_CNN, "stride": 8}),
    "sliding": (LineCTC, SlidingCNN, {"width": 4, "window": 16, "stride": 5}),
    # >>> from week 4
    "line decoder": (
        LineTransformer,
        LineCNNTransformer,
        {"channels": 4, "features": 24, "layers": 1, "width": 32},
    ),
    # <<< from week 4
    # >>> from week 6
    "decoder": (LineTransformer, ResNetTransformer, SMALL_DECODER),
    "whole image": (LineTransformer, ResNetTransformer, {**SMALL_DECODER, "stem_stride": 1}),
    # <<< from week 6
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_every_net_is_read_in_a_fresh_process(name: str) -> None:
    kind, net, options = NETS[name]
    check_fresh(digits(), untrained(digits(), net, model=kind, **options))


def check_fresh(data: Any, model: Any) -> None:
    """What a fresh process reads in pictures is what the model reads in a batch."""
    write_recognizer(Path("reader.zip"), model.net, facts_of(data))
    kind = "ParagraphRecognizer" if "\n" in data.alphabet else "LineRecognizer"
    done = fresh(
        f"from lab.recognizer import {kind} as Recognizer; reader = Recognizer.load('reader.zip')\n"
        "for name in sys.argv[1:]: print(ascii(reader.read(name).text))",
        *put_pictures(data.train_set, 8),
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    expected = model_reads(model, data.train_set, 8)
    assert done.stdout.splitlines() == [ascii(text) for text in expected]
    assert len(set(expected)) > 1 and len("".join(expected)) > 2 * len(expected)


# >>> from week 6
@pytest.mark.slow
def test_a_beam_search_goes_into_the_file() -> None:
    model = untrained(digits(), ResNetTransformer, model=LineTransformer, **SMALL_DECODER)
    facts = facts_of(digits())
    model.beam = 3
    write_recognizer(Path("reader.zip"), model.net, Facts(**{**facts.__dict__, "beam": 3}))
    reader = LineRecognizer.load("reader.zip")
    found = [reader.read(picture) for picture in pictures(digits().test_set, 8)]
    assert [reading.text for reading in found] == model_reads(model, digits().test_set, 8)
    assert all(len(reading.text) == len(reading.confidences) for reading in found)


# <<< from week 6
@pytest.mark.slow
def test_a_run_becomes_a_reader_by_one_command(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", "DigitLines", "--data.train_size", "400", "--model", "LineCTC"]
    options = [f"--model.net.{name}={value}" for name, value in SMALL_CNN.items()]
    outcome = script(*words, *options, "--trainer.max_epochs", "2")
    assert outcome.code == 0 and outcome.folder is not None, outcome.err

    def call(*given: object) -> int:
        monkeypatch.setattr(sys, "argv", ["training/export_recognizer.py", *map(str, given)])
        return export.main(EXPERIMENTS)

    assert call(outcome.folder) == 0
    out = capsys.readouterr().out
    path = outcome.folder / "recognizer.zip"
    assert f"python -m lab.recognizer {path} IMAGE" in out
    assert call(outcome.folder / "checkpoints" / "last.ckpt", "last.zip") == 0
    for file in (path, Path("last.zip")):
        reader = LineRecognizer.load(file)
        assert reader.alphabet == tuple(digits().alphabet)
        assert isinstance(reader.read(pictures(digits().test_set, 1)[0]).text, str)
    capsys.readouterr()
    assert call("runs/none") == 2
    assert "there is no such checkpoint" in capsys.readouterr().err
    outcome = script("--trainer.max_epochs", "1")
    assert call(outcome.folder) == 2
    assert "a Classification does not read text" in capsys.readouterr().err
