"""MNIST and its relatives in the same file format: 28x28 grey images of ten classes.

Shapes: in memory uint8; a batch on the device is float (B, 1, 28, 28), standardised, and labels (B,).
Split: the last 5000 training images are for validation, the published test part is the test.
Their options `levels` and `binarise` are those of `lab.data.grey`.
"""

from pathlib import Path

from lab.data.augment import affine, erase, flip, shift
from lab.data.base import LabData, TensorSet
from lab.data.download import RemoteFile, data_folder, fetch
from lab.data.grey import Binarise, fixed, state_grey
from lab.data.images import cut, read_idx, stored

# Images and labels of the training part, then of the test part.
FILES = tuple(
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
)


def remote_files(*facts: tuple[int, str], mirrors: tuple[str, ...]) -> tuple[RemoteFile, ...]:
    """The packed files of a data set from size and SHA-256 of each."""
    return tuple(
        RemoteFile(name, size, sha256, tuple(mirror + name for mirror in mirrors))
        for name, (size, sha256) in zip(FILES, facts, strict=True)
    )


def fetch_idx(files: tuple[RemoteFile, ...], folder: Path) -> None:
    """Make sure that each file is there, packed or unpacked."""
    for file in files:
        packed = folder / file.name
        if stored(packed) == packed:
            fetch(file, folder)


def read_sets(folder: Path) -> tuple[TensorSet, TensorSet, TensorSet]:
    """Training, validation and test sets from the four idx files in `folder`."""
    arrays = [read_idx(stored(folder / name)) for name in FILES]
    images, labels, test_images, test_labels = arrays
    return cut(images[:, None], labels.long(), test_images[:, None], test_labels.long())


class MNIST(LabData):
    """70 000 handwritten digits of 500 writers, 28x28 pixels, 10 classes; downloaded (11 MB).

    Source: LeCun, Cortes, Burges; test writers are not in training (CC BY-SA 3.0).

    Args:
        augment: random rotations, scalings and moves of the training images.
        levels: grey levels to cut the images down to.
        binarise: how two levels are made, by a threshold or a draw.
    """

    FILES = remote_files(
        (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    )

    def __init__(
        self,
        *,
        batch_size: int = 128,
        num_workers: int = 0,
        augment: bool = False,
        levels: int = 256,
        binarise: Binarise = "threshold",
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.input_shape = (1, 28, 28)
        self.num_classes = 10
        self.class_names = tuple("0123456789")
        self.binarise = binarise
        state_grey(
            self,
            mean=0.1307,
            std=0.3081,
            levels=levels,
            binarise=binarise,
            augmentations=[affine(degrees=10, scale=0.1, move=0.07)] if augment else [],
        )

    def prepare_data(self) -> None:
        fetch_idx(self.FILES, data_folder() / "MNIST" / "raw")

    def setup(self, stage: str) -> None:
        sets = fixed(read_sets(data_folder() / "MNIST" / "raw"), self.binarise)
        self.train_set, self.val_set, self.test_set = sets


class FashionMNIST(LabData):
    """70 000 pieces of clothing, 28x28 pixels, 10 classes; downloaded (30 MB).

    Source: Xiao, Rasul, Vollgraf 2017, Zalando (MIT).

    Args:
        augment: training images are mirrored, shifted by up to 2 pixels and lose a square.
        levels: grey levels to cut the images down to.
        binarise: how two levels are made, by a threshold or a draw.
    """

    FILES = remote_files(
        (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        mirrors=(
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
        ),
    )

    def __init__(
        self,
        *,
        batch_size: int = 128,
        num_workers: int = 0,
        augment: bool = False,
        levels: int = 256,
        binarise: Binarise = "threshold",
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.input_shape = (1, 28, 28)
        self.num_classes = 10
        self.class_names = ("T-shirt", "trouser", "pullover", "dress", "coat") + (
            "sandal", "shirt", "sneaker", "bag", "boot",
        )  # fmt: skip
        self.binarise = binarise
        state_grey(
            self,
            mean=0.2860,
            std=0.3530,
            levels=levels,
            binarise=binarise,
            augmentations=[flip(), shift(2), erase(8)] if augment else [],
        )

    def prepare_data(self) -> None:
        fetch_idx(self.FILES, data_folder() / "FashionMNIST" / "raw")

    def setup(self, stage: str) -> None:
        sets = fixed(read_sets(data_folder() / "FashionMNIST" / "raw"), self.binarise)
        self.train_set, self.val_set, self.test_set = sets


class KMNIST(LabData):
    """70 000 cursive Japanese characters, 28x28 pixels, 10 classes; downloaded (21 MB).

    Source: Clanuwat et al., "Deep learning for classical Japanese literature", 2018 (CC BY-SA 4.0).

    Args:
        augment: random rotations, scalings and moves of the training images.
        levels: grey levels to cut the images down to.
        binarise: how two levels are made, by a threshold or a draw.
    """

    FILES = remote_files(
        (18165135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        (29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        (3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        (5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    )

    def __init__(
        self,
        *,
        batch_size: int = 128,
        num_workers: int = 0,
        augment: bool = False,
        levels: int = 256,
        binarise: Binarise = "threshold",
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.input_shape = (1, 28, 28)
        self.num_classes = 10
        self.class_names = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
        self.binarise = binarise
        state_grey(
            self,
            mean=0.1918,
            std=0.3483,
            levels=levels,
            binarise=binarise,
            augmentations=[affine(degrees=10, scale=0.1, move=0.07)] if augment else [],
        )

    def prepare_data(self) -> None:
        fetch_idx(self.FILES, data_folder() / "KMNIST" / "raw")

    def setup(self, stage: str) -> None:
        sets = fixed(read_sets(data_folder() / "KMNIST" / "raw"), self.binarise)
        self.train_set, self.val_set, self.test_set = sets
