"""Image files: idx packed and unpacked, EMNIST's and CIFAR's archives, damaged ones, bytes to floats."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_idx
from data_files import (
    TEST,
    TRAIN,
    VAL,
    cifar_archive,
    emnist_archive,
    packed_idx,
    packed_tar,
    put_archive,
)
from torchvision.transforms.v2 import functional as reference

from lab.data import california, cifar, emnist, images
from lab.data.california import California
from lab.data.cifar import CIFAR10
from lab.data.emnist import EMNIST
from lab.data.images import Standardise, read_idx
from lab.data.mnist import MNIST
from lab.errors import LabError

RAW = Path("data/EMNIST/raw")


@pytest.mark.parametrize("shape", [(5,), (3, 4, 2)])
def test_idx_files_are_read_packed_and_unpacked(shape: tuple[int, ...]) -> None:
    array = np.random.RandomState(0).randint(0, 256, shape)
    write_idx(Path("plain"), array)
    Path("packed.gz").write_bytes(packed_idx(array))
    for name in ("plain", "packed.gz"):
        found = read_idx(Path(name))
        assert found.dtype == torch.uint8 and found.tolist() == array.tolist()


PACKED = packed_idx(np.arange(90).reshape(10, 9))
PLAIN = gzip.decompress(PACKED)
SPOILT = {
    "cut.gz": PACKED[:-30],
    "changed.gz": PACKED[:20] + bytes(8) + PACKED[28:],
    "deflate.gz": PACKED[:10] + b"\xff" * 20 + PACKED[30:],
    "text.gz": b"<html>no such file</html>",
    "short": PLAIN[:-1],
    "long": PLAIN + b"x",
    "empty": b"",
    "header": PLAIN[:6],
    "floats": PLAIN[:2] + b"\x0d" + PLAIN[3:],
    "words": b"what is this? it is long enough",
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_idx_files_are_named(name: str) -> None:
    Path(name).write_bytes(SPOILT[name])
    with pytest.raises(LabError, match=f"^{name}: cannot be read .*\n.*delete it"):
        read_idx(Path(name))


def test_missing_idx_file_is_named() -> None:
    with pytest.raises(LabError, match="^nothing.gz: cannot be read .*No such file"):
        read_idx(Path("nothing.gz"))


def test_mnist_reads_unpacked_files_and_keeps_5000_for_validation(
    image_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA_DIR", str(image_files))
    data = MNIST()
    data.prepare_data()
    data.setup("fit")
    raw = image_files / "MNIST" / "raw"
    whole = read_idx(raw / "train-images-idx3-ubyte")
    labels = read_idx(raw / "train-labels-idx1-ubyte")
    assert [len(part) for part in (data.train_set, data.val_set, data.test_set)] == [400, 5000, 300]
    assert torch.equal(data.train_set.tensors[0][:, 0], whole[:400])
    assert torch.equal(data.val_set.tensors[0][:, 0], whole[400:])
    assert data.val_set.tensors[1].tolist() == labels[400:].tolist()


def test_packed_file_of_another_size_is_told_though_an_unpacked_one_is_there(
    own_folder: Path,
) -> None:
    raw = own_folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    write_idx(raw / "train-images-idx3-ubyte", np.zeros((2, 28, 28)))
    (raw / "train-images-idx3-ubyte.gz").write_bytes(b"half")
    with pytest.raises(LabError, match="4 bytes, but train-images-idx3-ubyte.gz has 9912422"):
        MNIST().prepare_data()


@pytest.mark.parametrize("channels", [1, 3])
def test_standardise_is_scaling_to_one_then_normalising(channels: int) -> None:
    mean, std = [0.1307, 0.4822, 0.9][:channels], [0.3081, 0.2435, 0.1][:channels]
    pixels = torch.randint(0, 256, (4, channels, 5, 6), dtype=torch.uint8)
    before, labels = pixels.clone(), torch.arange(4)
    found, kept = Standardise(mean, std)((pixels, labels))
    expected = reference.normalize(pixels.float() / 255, mean, std)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(pixels, before) and kept is labels


@pytest.mark.parametrize(
    ("split", "classes"),
    [("byclass", 62), ("bymerge", 47), ("balanced", 47), ("letters", 26), ("digits", 10)]
    + [("mnist", 10)],
)
def test_emnist_splits_have_their_classes(split: str, classes: int) -> None:
    data = EMNIST(split=split)
    assert data.num_classes == len(set(data.class_names)) == classes


def test_emnist_classes_are_in_the_published_order() -> None:
    # From the mapping files: class number to character.
    places = {
        "byclass": {0: "0", 9: "9", 10: "A", 35: "Z", 36: "a", 61: "z"},
        "balanced": {9: "9", 10: "A", 35: "Z", 36: "a", 37: "b", 38: "d", 42: "h", 46: "t"},
        "bymerge": {39: "e", 40: "f", 41: "g", 43: "n", 44: "q", 45: "r"},
        "letters": {0: "a", 25: "z"},
    }
    for split, characters in places.items():
        names = EMNIST(split=split).class_names
        assert {number: names[number] for number in characters} == characters


def test_emnist_images_stand_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "VAL", 1)
    upright = np.zeros((28, 28), int)
    upright[4:24, 8] = upright[23, 8:20] = 255  # an L
    RAW.mkdir(parents=True)
    for part in ("train", "test"):
        letters = np.stack([upright.T] * 2)
        (RAW / f"emnist-letters-{part}-images-idx3-ubyte.gz").write_bytes(packed_idx(letters))
        labels = packed_idx(np.array([1, 26]))
        (RAW / f"emnist-letters-{part}-labels-idx1-ubyte.gz").write_bytes(labels)
    data = EMNIST(split="letters")
    data.prepare_data()
    data.setup("fit")
    for samples in (data.train_set, data.val_set, data.test_set):
        assert samples.tensors[0][0, 0].tolist() == upright.tolist()
    assert data.test_set.tensors[1].tolist() == [0, 25]


def test_emnist_takes_the_files_of_its_split_out_of_the_archive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = put_archive(monkeypatch, emnist, RAW.parent, emnist_archive("digits"))
    data = EMNIST(split="digits")
    data.prepare_data()
    expected = [f"emnist-digits-{part}-ubyte.gz" for part in emnist.PARTS]
    assert sorted(path.name for path in RAW.iterdir()) == sorted(expected)
    # What is there unpacked is not taken out again; what is missing is.
    first, second = RAW / expected[0], RAW / expected[1]
    first.with_suffix("").write_bytes(gzip.decompress(first.read_bytes()))
    first.unlink()
    second.unlink()
    data.prepare_data()
    assert second.is_file() and not first.exists()
    # Once all are out the archive may go.
    archive.unlink()
    data.prepare_data()
    monkeypatch.setattr(images, "VAL", VAL)
    data.setup("fit")
    assert [len(s) for s in (data.train_set, data.val_set, data.test_set)] == [TRAIN, VAL, TEST]


def test_a_broken_member_leaves_no_half_file(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(emnist_archive("digits"))
    first, second = (f"emnist-digits-{part}-ubyte.gz" for part in emnist.PARTS[:2])
    # A file lies behind its name.
    content[content.index(second.encode()) + len(second) + 20] ^= 255
    archive = put_archive(monkeypatch, emnist, RAW.parent, bytes(content))
    with pytest.raises(LabError, match=f"^{archive}: cannot be read .*Bad CRC-32"):
        EMNIST(split="digits").prepare_data()
    assert [path.name for path in RAW.iterdir()] == [first]


@pytest.mark.parametrize(
    "content",
    [emnist_archive("digits")[:-40], b"<html>sorry</html>", emnist_archive("mnist")],
    ids=["cut", "no archive", "without the files"],
)
def test_a_damaged_emnist_archive_is_named(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = put_archive(monkeypatch, emnist, RAW.parent, content)
    with pytest.raises(LabError, match=f"^{archive}: cannot be read"):
        EMNIST(split="digits").prepare_data()
    assert list(RAW.iterdir()) == []


def test_cifar_has_its_colours_and_labels_in_place(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "VAL", 1)
    red, green, blue = (np.full(1024, value) for value in (10, 20, 30))
    red[1] = 99  # second pixel of the first row
    record = bytes([7]) + b"".join(plane.astype(np.uint8).tobytes() for plane in (red, green, blue))
    parts = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    members = {f"cifar-10-batches-bin/{name}.bin": record for name in parts}
    put_archive(monkeypatch, cifar, own_folder / "data" / "CIFAR10", packed_tar(members))
    data = CIFAR10()
    data.prepare_data()
    data.setup("fit")
    pixels, labels = data.test_set.tensors
    assert pixels.shape == (1, 3, 32, 32) and data.class_names[labels[0]] == "horse"
    assert pixels[0, :, 0, 1].tolist() == [99, 20, 30] and pixels[0, :, 1, 0].tolist() == [
        10,
        20,
        30,
    ]
    assert len(data.train_set) == 4


@pytest.mark.parametrize(
    "content",
    [
        cifar_archive()[:-1000],
        cifar_archive()[:5000] + b"\xff" * 500 + cifar_archive()[5500:],
        b"<html>sorry</html>",
        packed_tar({"readme.html": b"no batches"}),
        packed_tar({f"cifar-10-batches-bin/data_batch_{n}.bin": b"half" for n in range(1, 6)}),
    ],
    ids=["cut", "changed", "no archive", "without the files", "short file"],
)
def test_a_damaged_cifar_archive_is_named(content: bytes) -> None:
    path = Path("data/CIFAR10") / cifar.ARCHIVE.name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(LabError, match=f"^{path}: cannot be read"):
        CIFAR10().setup("fit")


@pytest.mark.parametrize("content", [b"no archive", packed_tar({"other": b""})])
def test_a_damaged_california_archive_is_named(content: bytes) -> None:
    path = Path("data/California") / california.ARCHIVE.name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(LabError, match="SHA-256 is wrong"):
        California().prepare_data()
    with pytest.raises(LabError, match=f"^{path}: cannot be read"):
        California().setup("fit")
