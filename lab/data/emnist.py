"""EMNIST: handwritten letters and digits of NIST's forms, in six selections, upright.

Shapes: in memory uint8; a batch on the device is float (B, 1, 28, 28), standardised, and labels (B,).
Split: the last 5000 training images are for validation, the published test part is the test.
Source: Cohen, Afshar, Tapson, van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017.
"""

import shutil
import string
import zipfile
from pathlib import Path

from lab.data.augment import affine
from lab.data.base import LabData
from lab.data.download import RemoteFile, alone_with, data_folder, fetch
from lab.data.grey import Binarise, fixed, state_grey
from lab.data.images import cut, read_idx, stored
from lab.data.reading import reading
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
# Images and labels of the training part, then of the test part.
PARTS = tuple(
    f"{part}-{kind}" for part in ("train", "test") for kind in ("images-idx3", "labels-idx1")
)


class EMNIST(LabData):
    """Up to 814 255 handwritten characters, 28x28 pixels, 10 to 62 classes; downloaded (560 MB).

    Args:
        split: byclass (62 classes), bymerge, balanced (47), letters (26), digits or mnist (10).
        augment: random rotations, scalings and moves of the training images.
        levels: grey levels to cut the images down to, see `lab.data.grey`.
        binarise: how two levels are made, by a threshold or a draw.

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
        levels: int = 256,
        binarise: Binarise = "threshold",
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        if split not in SPLITS:
            close = nearest(split, SPLITS)
            raise LabError(f"--data.split {split}: EMNIST has no such split.\nNearest: {close}")
        self.split = split
        self.input_shape = (1, 28, 28)
        self.class_names = tuple(SPLITS[split])
        self.num_classes = len(self.class_names)
        self.binarise = binarise
        state_grey(
            self,
            mean=0.1736,
            std=0.3317,
            levels=levels,
            binarise=binarise,
            augmentations=[affine(degrees=10, scale=0.1, move=0.07)] if augment else [],
        )

    def files(self) -> list[Path]:
        """Paths of the four packed files of the split."""
        raw = data_folder() / "EMNIST" / "raw"
        return [raw / f"emnist-{self.split}-{part}-ubyte.gz" for part in PARTS]

    def prepare_data(self) -> None:
        prepare(self.files())

    def setup(self, stage: str) -> None:
        arrays = [read_idx(stored(file)) for file in self.files()]
        images, labels, test_images, test_labels = arrays
        # The files hold each image transposed, and count the letters from 1.
        first = 1 if self.split == "letters" else 0
        sets = cut(
            images.transpose(1, 2)[:, None].contiguous(),
            labels.long() - first,
            test_images.transpose(1, 2)[:, None].contiguous(),
            test_labels.long() - first,
        )
        self.train_set, self.val_set, self.test_set = fixed(sets, self.binarise)


def prepare(files: list[Path]) -> None:
    """Unless these packed files are there, packed or not, get them out of the archive, wherever that is."""
    if all(stored(file).is_file() for file in files):
        return
    archive = fetch(ARCHIVE, data_folder() / "EMNIST")
    for file in files:
        with alone_with(file):
            if not stored(file).is_file():
                extract(archive, file)


def extract(archive: Path, file: Path) -> None:
    """Copy a packed file out of the archive, whole or not at all."""
    beside = file.with_name(file.name + ".part")
    try:
        with (
            reading(archive),
            zipfile.ZipFile(archive) as content,
            content.open(f"gzip/{file.name}") as packed,
            beside.open("wb") as out,
        ):
            shutil.copyfileobj(packed, out)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
