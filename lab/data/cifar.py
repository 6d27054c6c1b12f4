"""CIFAR-10: small colour photographs of ten kinds of things.

Shapes: in memory uint8; a batch on the device is float (B, 3, 32, 32), standardised, and labels (B,).
Split: the last 5000 training images are for validation, the published test part is the test.
Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009. The binary version is
read: unlike the other one it needs no pickle.
"""

import tarfile

import numpy as np
import torch
from torch import Tensor

from lab.data.augment import erase, flip, for_images, shift
from lab.data.base import LabData
from lab.data.download import RemoteFile, data_folder, fetch
from lab.data.images import Standardise, cut
from lab.data.reading import reading

ARCHIVE = RemoteFile(
    name="cifar-10-binary.tar.gz",
    size=170052171,
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    mirrors=(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
    ),
)
CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"


class CIFAR10(LabData):
    """60 000 colour photographs, 32x32 pixels, 10 classes; downloaded (170 MB).

    Args:
        augment: training images are mirrored, shifted by up to 4 pixels and lose a square.
    """

    def __init__(
        self, *, batch_size: int = 128, num_workers: int = 0, augment: bool = False
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.input_shape = (3, 32, 32)
        self.num_classes = 10
        self.class_names = tuple(CLASSES.split())
        standardise = Standardise([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616])
        self.batch_transform = standardise
        self.input_range = standardise.bounds()
        self.train_transform = for_images([flip(), shift(4), erase(8)]) if augment else None

    def prepare_data(self) -> None:
        fetch(ARCHIVE, data_folder() / "CIFAR10")

    def setup(self, stage: str) -> None:
        path = data_folder() / "CIFAR10" / ARCHIVE.name
        with reading(path), tarfile.open(path) as archive:
            train = [read_part(archive, f"data_batch_{number}") for number in range(1, 6)]
            test = read_part(archive, "test_batch")
        images, labels = (torch.cat(column) for column in zip(*train, strict=True))
        self.train_set, self.val_set, self.test_set = cut(images, labels, *test)


def read_part(archive: tarfile.TarFile, name: str) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) and labels (N,) of one file of records: a label, then the colour planes."""
    member = archive.extractfile(f"cifar-10-batches-bin/{name}.bin")
    assert member is not None
    records = np.frombuffer(member.read(), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    images = torch.from_numpy(records[:, 1:].copy()).view(-1, 3, 32, 32)
    return images, torch.from_numpy(records[:, 0].copy()).long()
