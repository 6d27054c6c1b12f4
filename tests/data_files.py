"""Tiny data sets in the files of the real ones."""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lab.data import california, cifar, emnist, images, mnist
from lab.data.download import RemoteFile

TRAIN, VAL, TEST = 60, 10, 20
# The first two districts of the real file.
DISTRICTS = """\
-122.230000,37.880000,41.000000,880.000000,129.000000,322.000000,126.000000,8.325200,452600.000000
-122.220000,37.860000,21.000000,7099.000000,1106.000000,2401.000000,1138.000000,8.301400,358500.000000
"""


def packed_idx(array: np.ndarray, *, kind: int = 8) -> bytes:
    """An idx file of bytes, packed."""
    header = struct.pack(">HBB", 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), compresslevel=1)


@cache
def image_sets(names: tuple[str, ...], *, classes: int, first: int = 0) -> dict[str, bytes]:
    """Packed idx files of random images, and of labels that go round the classes."""
    random = np.random.RandomState(len(names[0]))
    sizes = (TRAIN + VAL, TRAIN + VAL, TEST, TEST)
    return {
        name: packed_idx(
            first + np.arange(size) % classes
            if "labels" in name
            else random.randint(0, 256, (size, 28, 28))
        )
        for name, size in zip(names, sizes, strict=True)
    }


@cache
def emnist_archive(split: str) -> bytes:
    """The archive of EMNIST with the files of one split."""
    names = tuple(f"emnist-{split}-{part}-ubyte.gz" for part in emnist.PARTS)
    first = 1 if split == "letters" else 0
    members = image_sets(names, classes=len(emnist.SPLITS[split]), first=first)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"gzip/{name}", content)
    return buffer.getvalue()


def packed_tar(members: dict[str, bytes]) -> bytes:
    """A tar archive packed with gzip."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@cache
def cifar_archive() -> bytes:
    """Random pixels; the label of record i of each part is i modulo 10."""
    random = np.random.RandomState(0)
    parts = {f"data_batch_{number}": (TRAIN + VAL) // 5 for number in range(1, 6)}
    members = {}
    for name, size in {**parts, "test_batch": TEST}.items():
        records = random.randint(0, 256, (size, 1 + 3 * 32 * 32))
        records[:, 0] = np.arange(size) % 10
        members[f"cifar-10-batches-bin/{name}.bin"] = records.astype(np.uint8).tobytes()
    return packed_tar(members)


@cache
def california_archive() -> bytes:
    """The two real districts, then random ones."""
    text = io.StringIO()
    np.savetxt(text, np.random.RandomState(0).uniform(1, 100, (98, 9)), delimiter=",")
    table = (DISTRICTS + text.getvalue()).encode()
    return packed_tar({"CaliforniaHousing/cal_housing.data": table})


def remote(name: str, content: bytes, *mirrors: str) -> RemoteFile:
    """What is to be known of a file with this content."""
    return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest(), mirrors)


def put_archive(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, folder: Path, content: bytes
) -> Path:
    """Write the archive of a data module, which from now on expects just this content."""
    path = folder / module.ARCHIVE.name
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    monkeypatch.setattr(module, "ARCHIVE", remote(path.name, content))
    return path


def put_all(monkeypatch: pytest.MonkeyPatch, folder: Path, *, split: str) -> None:
    """A data folder with every data set that is downloaded, and the given split of EMNIST."""
    monkeypatch.setenv("LAB_DATA_DIR", str(folder))
    monkeypatch.setattr(images, "VAL", VAL)
    for cls in (mnist.MNIST, mnist.FashionMNIST, mnist.KMNIST):
        raw = folder / cls.__name__ / "raw"
        raw.mkdir(parents=True)
        contents = image_sets(mnist.FILES, classes=10)
        for name, content in contents.items():
            (raw / name).write_bytes(content)
        monkeypatch.setattr(cls, "FILES", tuple(remote(*item) for item in contents.items()))
    put_archive(monkeypatch, emnist, folder / "EMNIST", emnist_archive(split))
    put_archive(monkeypatch, cifar, folder / "CIFAR10", cifar_archive())
    put_archive(monkeypatch, california, folder / "California", california_archive())
