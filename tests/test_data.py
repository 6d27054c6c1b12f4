"""What every data module promises: facts, splits, batches, augmentation of training batches alone."""

import inspect
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ROOT
from data_files import TEST, TRAIN, VAL, put_all
from pytorch_lightning.plugins.precision import DoublePrecision, Precision
from torch import Tensor

from lab.data import california, cifar, emnist
from lab.data.base import LabData
from lab.data.california import California
from lab.data.cifar import CIFAR10
from lab.data.curve import Curve
from lab.data.diabetes import Diabetes
from lab.data.digits import Digits
from lab.data.emnist import EMNIST
from lab.data.gaussians import Gaussians
from lab.data.mnist import KMNIST, MNIST, FashionMNIST
from lab.run.names import index

# Class, options, sizes of the three sets.
MODULES: dict[str, tuple[type[LabData], dict[str, Any], tuple[int, int, int]]] = {
    "Curve": (Curve, {"points": 500}, (500, 1000, 1000)),
    "Diabetes": (Diabetes, {}, (265, 88, 89)),
    "Gaussians": (Gaussians, {"points": 500}, (500, 2000, 2000)),
    "California": (California, {}, (60, 20, 20)),
    "Digits": (Digits, {}, (1200, 237, 360)),
    "Digits by position": (Digits, {"by_position": True}, (1200, 237, 360)),
    **{cls.__name__: (cls, {}, (TRAIN, VAL, TEST)) for cls in (MNIST, FashionMNIST, KMNIST)},
    "CIFAR10": (CIFAR10, {}, (TRAIN, VAL, TEST)),
    **{f"EMNIST {s}": (EMNIST, {"split": s}, (TRAIN, VAL, TEST)) for s in emnist.SPLITS},
}
# Those that do not hand out samples with a label or target each, and the file that tests them.
ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("PythonDocs", "MarkovText", "CharText"), "test_char_data.py"),
    **dict.fromkeys(("Families", "WordText"), "test_word_data.py"),
    # >>> from week 3
    **dict.fromkeys(("DigitLines", "EMNISTLines"), "test_glyph_lines.py"),
    "LineFolder": "test_line_folder.py",
    "IAMLines": "test_iam.py",
    "PenLines": "test_pen_lines.py",
    # <<< from week 3
    # >>> from week 6
    "DigitParagraphs": "test_glyph_lines.py",
    "LineParagraphs": "test_line_folder.py",
    "IAMParagraphs": "test_iam.py",
    "PenParagraphs": "test_pen_lines.py",
    # <<< from week 6
    **dict.fromkeys(
        ("CartPole", "Environment", "GridWorld", "DigitBandit"), "test_environments.py"
    ),
}
AUGMENTED = [
    name for name, (cls, _, _) in MODULES.items() if "augment" in inspect.signature(cls).parameters
]


def made(name: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> LabData:
    """The data module, ready to use, from tiny files where it is one to be downloaded."""
    cls, options, _ = MODULES[name]
    if not Path("tiny").exists():
        put_all(monkeypatch, Path("tiny"), split=options.get("split", "mnist"))
    data = cls(**options, **more)
    data.prepare_data()
    data.setup("fit")
    return data


def columns(data: LabData) -> list[Tensor]:
    sets = (data.train_set, data.val_set, data.test_set)
    return [column for samples in sets for column in samples.tensors]


def trainer(*, training: bool, precision: Precision | None = None) -> Any:
    """What a data module asks of a trainer."""
    epochs = SimpleNamespace(current=SimpleNamespace(processed=0))
    return SimpleNamespace(
        training=training,
        precision_plugin=precision or Precision(),
        global_rank=0,
        world_size=1,
        fit_loop=SimpleNamespace(epoch_progress=epochs),
    )


def first_batch(data: LabData, stage: str) -> tuple[Tensor, ...]:
    """As the model gets it."""
    batch = next(iter(getattr(data, f"{stage}_dataloader")()))
    return data.on_after_batch_transfer(batch, 0)


def test_every_data_module_is_tested() -> None:
    assert {cls.__name__ for cls, _, _ in MODULES.values()} | set(ELSEWHERE) == set(index("data"))
    for name, file in ELSEWHERE.items():
        assert re.search(rf"\b{name}\(", (ROOT / "tests" / file).read_text()), name


@pytest.mark.parametrize("name", MODULES)
def test_facts_are_known_before_a_file_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a file is opened")

    cls, options, _ = MODULES[name]
    monkeypatch.setenv("LAB_DATA_DIR", "nowhere")
    with monkeypatch.context() as context:
        for module in ("builtins", "io", "os"):
            context.setattr(f"{module}.open", refuse)
        data = cls(**options)
    assert all(isinstance(size, int) for size in data.input_shape)
    if hasattr(data, "num_classes"):
        assert len(set(data.class_names)) == data.num_classes
        assert not hasattr(data, "output_shape")
    else:
        assert data.output_shape == (1,)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", MODULES)
def test_batches_are_what_the_facts_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(name, monkeypatch, batch_size=7)
    for stage in ("train", "val", "test", "predict"):
        x, y = first_batch(data, stage)
        assert x.shape == (7, *data.input_shape) and x.dtype == torch.float
        assert torch.isfinite(x).all()
        if hasattr(data, "num_classes"):
            assert y.shape == (7,) and y.dtype == torch.long
        else:
            assert y.shape == (7, *data.output_shape) and y.dtype == torch.float
    if hasattr(data, "num_classes"):
        found = torch.cat([data.train_set.tensors[1], data.val_set.tensors[1]])
        assert found.unique().tolist() == list(range(data.num_classes))


@pytest.mark.parametrize("name", MODULES)
def test_sets_are_of_the_stated_sizes_and_disjoint(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made(name, monkeypatch)
    inputs, labels = columns(data)[::2], columns(data)[1::2]
    assert tuple(len(x) for x in inputs) == tuple(len(y) for y in labels) == MODULES[name][2]
    rows = torch.cat(inputs).flatten(1)
    # None of these sources holds the same sample twice.
    assert len(rows.unique(dim=0)) == len(rows)


@pytest.mark.parametrize("name", MODULES)
def test_the_split_depends_on_the_data_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    data = made(name, monkeypatch)
    before = columns(data)
    torch.manual_seed(2)
    np.random.seed(2)
    monkeypatch.setenv("PL_GLOBAL_SEED", "2")
    for again in (data, made(name, monkeypatch, batch_size=3)):
        again.setup("test")
        assert all(torch.equal(*pair) for pair in zip(before, columns(again), strict=True))


@pytest.mark.parametrize("name", AUGMENTED)
def test_training_batches_alone_are_augmented(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = made(name, monkeypatch, batch_size=50)
    data = made(name, monkeypatch, batch_size=50, augment=True)
    torch.manual_seed(0)
    for stage in ("val", "test", "predict"):
        data.trainer = trainer(training=False)
        for column, expected in zip(
            first_batch(data, stage), first_batch(plain, stage), strict=True
        ):
            assert torch.equal(column, expected)
    data.trainer = plain.trainer = trainer(training=True)
    (x, y), (plain_x, plain_y) = first_batch(data, "train"), first_batch(plain, "train")
    assert torch.equal(y, plain_y)
    changed = (x != plain_x).flatten(1).any(1)
    assert changed.float().mean() > 0.9


@pytest.mark.parametrize("name", ["Digits", "MNIST", "CIFAR10"])
def test_batches_have_the_precision_of_the_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(name, monkeypatch, augment=True)
    for training in (False, True):
        data.trainer = trainer(training=training, precision=DoublePrecision())
        x, y = first_batch(data, "train")
        assert x.dtype == torch.double and y.dtype == torch.long


def test_downloads_come_over_https() -> None:
    archives = [module.ARCHIVE for module in (california, cifar, emnist)]
    for file in (*MNIST.FILES, *FashionMNIST.FILES, *KMNIST.FILES, *archives):
        assert file.mirrors and all(url.startswith("https://") for url in file.mirrors)
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
    for path in (ROOT / "lab" / "data").glob("*.py"):
        assert "http://" not in path.read_text(), path
