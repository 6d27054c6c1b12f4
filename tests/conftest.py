"""What all tests share: no network, a folder of their own, and the script called in this process."""

import json
import os
import socket
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image  # from week 3

from lab.data.word_text import TEXT8
from lab.run.main import main

ROOT = Path(__file__).resolve().parent.parent
EXPERIMENTS = ROOT / "training" / "experiments"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails at once."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise OSError(f"tests have no network, and {address} is not this machine")
        connect(self, address)

    def local_names(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (None, "127.0.0.1", "localhost", "::1", "0.0.0.0", socket.gethostname()):
            raise socket.gaierror(f"tests have no network, so no {host}")
        return resolve(host, *args, **kwargs)

    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", local_only)
    monkeypatch.setattr(socket, "getaddrinfo", local_names)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test works in an empty folder, without the settings of whoever runs it."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("WANDB_", "SLURM_", "LAB_", "PL_")):
            monkeypatch.delenv(name)
    return tmp_path


@dataclass
class Outcome:
    """What a call of the script did."""

    code: int
    out: str
    err: str
    folder: Path | None

    @property
    def summary(self) -> dict[str, Any]:
        assert self.folder is not None, self.err
        return json.loads((self.folder / "summary.json").read_text())


@pytest.fixture
def script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Calls the script's `main` with the given words; the newest folder in runs/ is its run's."""

    def call(*words: object) -> Outcome:
        before = set(Path("runs").glob("*"))
        text = [str(word) for word in words]
        monkeypatch.setattr(sys, "argv", ["training/run_experiment.py", *text])
        capsys.readouterr()
        code = main(EXPERIMENTS)
        out, err = capsys.readouterr()
        new = set(Path("runs").glob("*")) - before
        folder = Path(text[text.index("--run_dir") + 1]) if "--run_dir" in text else None
        return Outcome(code, out, err, folder or (new.pop() if new else None))

    return call


QUICK = ("--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false")


def write_idx(path: Path, array: np.ndarray) -> None:
    """An unpacked idx file of bytes."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_text8(folder: Path, text: str) -> None:
    """A text8.zip with another text, but of its size; a zip may begin with anything."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "text", "w") as archive:
        archive.writestr("text8", text)
    content = (folder / "text").read_bytes()
    with (folder / TEXT8.name).open("wb") as file:
        file.seek(TEXT8.size - len(content))
        file.write(content)


# >>> from week 3
def write_lines(folder: Path) -> None:
    """A folder of line images with its table: bars as wide as the letters are far in the alphabet."""
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    rows = ["id\tsplit\twriter\ttext"]
    for number in range(60):
        letters = random.choice(list("abcdefgh "), size=random.randint(5, 20))
        text = " ".join("".join(letters).split()) or "a"
        image = np.full((40, 14 * len(text)), 255, np.uint8)
        for place, letter in enumerate(text):
            image[8:32, 14 * place : 14 * place + "abcdefgh ".index(letter) % 8] = 0
        Image.fromarray(image).save(folder / f"{number}.png")
        part = ("train", "train", "train", "val", "test")[number % 5]
        rows.append(f"{number}\t{part}\t{number % 5}\t{text}")
    (folder / "lines.tsv").write_text("\n".join(rows) + "\n")


def write_emnist_test(folder: Path) -> None:
    """EMNIST's test part, byclass, by its number of images: all classes in turn, a bar each."""
    folder.mkdir(parents=True)
    labels = np.arange(116_323) % 62
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[np.arange(len(labels)), labels % 28, 4 + 9 * (labels // 28)] = 255
    write_idx(folder / "emnist-byclass-test-images-idx3-ubyte", images)
    write_idx(folder / "emnist-byclass-test-labels-idx1-ubyte", labels)


# <<< from week 3
@pytest.fixture(scope="session")
def image_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with what presets download: 5400 + 300 random images for MNIST and its like, texts."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.RandomState(0)
    for name in ("MNIST", "FashionMNIST", "KMNIST"):
        raw = folder / name / "raw"
        raw.mkdir(parents=True)
        for part, count in (("train", 5400), ("t10k", 300)):
            labels = random.randint(0, 10, count)
            images = random.randint(0, 100, (count, 28, 28))
            # A bright bar tells the class.
            images[np.arange(count), 2 * labels + 4] = 255
            write_idx(raw / f"{part}-images-idx3-ubyte", images)
            write_idx(raw / f"{part}-labels-idx1-ubyte", labels)
    text = folder / "tinyshakespeare" / "input.txt"
    text.parent.mkdir()
    # As long as the real one, which is known by its size.
    text.write_text(("To be, or not to be: that is the question.\n" * 30_000)[:1_115_394])
    words = [f"w{number}" for number in random.geometric(0.05, 5000)]
    write_text8(folder / "text8", " ".join(words))
    # >>> from week 3
    for name in ("copiste", "memorials1905"):
        write_lines(folder / "handwriting_lines" / name)
    write_emnist_test(folder / "EMNIST" / "raw")
    # <<< from week 3
    yield folder


@pytest.fixture
def registered() -> Iterator[None]:
    """The small environments, by their names in Gymnasium's registry."""
    import gymnasium
    from small_environments import Counting, Dark, Numbered, Painted

    classes = (Counting, Painted, Numbered, Dark)
    for cls in classes:
        gymnasium.register(f"{cls.__name__}-v0", cls)
    yield
    for cls in classes:
        del gymnasium.registry[f"{cls.__name__}-v0"]
