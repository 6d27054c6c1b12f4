"""EMNIST: handwritten letters and digits of NIST's forms, in six selections, upright.

Shapes: in memory uint8; a batch on the device is float (B, 1, 28, 28), standardised, and labels (B,).
Split: the last 5000 training images are for validation, the published test part is the test.
Source: Cohen, Afshar, Tapson, van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017.
"""

import shutil
import string
import zipfile
from pathlib import Path

import torch

from lab.data.augment import affine, for_images
from lab.data.base import LabData, TensorSet
from lab.data.download import RemoteFile, data_folder, fetch
from lab.data.mnist import Standardise, cut, read_idx
from lab.errors import LabError, nearest

ARCHIVE = RemoteFile(
    name="gzip.zip",
    size=561753746,
    sha256="fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
    mirrors=(
        "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
        "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip",
    ),
)
ALL = string.digits + string.ascii_uppercase + string.ascii_lowercase
# Where upper and lower case look alike they are one class.
MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"
SPLITS = {
    "byclass": ALL,
    "bymerge": MERGED,
    "balanced": MERGED,
    "letters": string.ascii_lowercase,
    "digits": string.digits,
    "mnist": string.digits,
}
PARTS = ("train", "test")


class EMNIST(LabData):
    """Up to 814 255 handwritten characters, 28x28 pixels, 10 to 62 classes; downloaded (560 MB).

    Args:
        split: byclass (62 classes), bymerge, balanced (47), letters (26), digits or mnist (10).
        augment: random rotations, scalings and moves of the training images.

    Raises:
        LabError: an unknown split.
    """

    def __init__(
        self,
        *,
        batch_size: int = 128,
        num_workers: int = 0,
        split: str = "balanced",
        augment: bool = False,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        if split not in SPLITS:
            close = nearest(split, SPLITS)
            raise LabError(f"--data.split {split}: EMNIST has no such split.\nNearest: {close}")
        self.split = split
        self.input_shape = (1, 28, 28)
        self.class_names = tuple(SPLITS[split])
        self.num_classes = len(self.class_names)
        self.batch_transform = Standardise(0.1736, 0.3317)
        chain = [affine(degrees=10, scale=0.1, move=0.07)]
        self.train_transform = for_images(chain) if augment else None

    def path(self, part: str, what: str) -> Path:
        """Path of one of the four packed files of the split."""
        kind = {"images": "images-idx3", "labels": "labels-idx1"}[what]
        name = f"emnist-{self.split}-{part}-{kind}-ubyte.gz"
        return data_folder() / "EMNIST" / "raw" / name

    def prepare_data(self) -> None:
        files = [self.path(part, what) for part in PARTS for what in ("images", "labels")]
        missing = [file for file in files if not file.is_file()]
        if not missing:
            return
        archive = fetch(ARCHIVE, data_folder() / "EMNIST")
        with zipfile.ZipFile(archive) as content:
            for file in missing:
                beside = file.with_name(file.name + ".part")
                file.parent.mkdir(parents=True, exist_ok=True)
                with content.open(f"gzip/{file.name}") as packed, beside.open("wb") as out:
                    shutil.copyfileobj(packed, out)
                beside.replace(file)

    def setup(self, stage: str) -> None:
        tensors: list[torch.Tensor] = []
        for part in PARTS:
            # The files hold each image transposed.
            tensors.append(
                read_idx(self.path(part, "images")).transpose(1, 2)[:, None].contiguous()
            )
            labels = read_idx(self.path(part, "labels")).long()
            tensors.append(labels - 1 if self.split == "letters" else labels)
        sets: tuple[TensorSet, ...] = cut(*tensors)
        self.train_set, self.val_set, self.test_set = sets
