"""Handwritten digits that ship inside scikit-learn: the default data, no download.

Shapes: images (B, 1, 8, 8) float in [0, 1], 17 grey levels; labels (B,) of 10 classes.
Source: UCI "Optical recognition of handwritten digits" (Alpaydin & Kaynak 1998), its test part of 1797
digits, as packaged by scikit-learn (CC BY 4.0).
"""

import numpy as np
import torch

from lab.data.augment import affine, for_images
from lab.data.base import LabData, TensorSet
from lab.data.grey import check_levels, quantise
from lab.data.packaged import packaged

# Where the validation part and the test part begin.
VAL, TEST = 1200, 1437
LEVELS = 17


class Digits(LabData):
    """Scikit-learn's 1797 handwritten digits, 8x8 pixels, 10 classes; the default.

    The file does not say who wrote what. 1200 are for training, 237 for validation, 360 for the test; by
    default a fixed permutation deals them out, so the same hands are on all sides.

    Args:
        by_position: cut the file in its order instead, which comes in runs of one hand after another:
            a harder test, nearer to new writers.
        augment: small random rotations, scalings and moves of the training images.
        levels: grey levels to cut the images down to; 2 is a threshold at the middle.

    Raises:
        LabError: a number of levels out of range.
    """

    def __init__(
        self,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        by_position: bool = False,
        augment: bool = False,
        levels: int = LEVELS,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.input_shape = (1, 8, 8)
        self.num_classes = 10
        self.class_names = tuple("0123456789")
        check_levels(levels, "threshold", native=LEVELS)
        self.levels = levels
        self.input_range = ((0.0,), (1.0,))
        self.by_position = by_position
        chain = [affine(degrees=8, scale=0.1, move=0.06)]
        self.train_transform = for_images(chain) if augment else None

    def setup(self, stage: str) -> None:
        table = np.loadtxt(packaged("digits.csv.gz"), delimiter=",", dtype=np.float32)
        order = np.arange(len(table))
        if not self.by_position:
            # numpy's legacy generator keeps its stream over releases.
            order = np.random.RandomState(0).permutation(len(table))
        images = quantise(torch.from_numpy(table[order, :64] / 16), self.levels)
        images = images.view(-1, 1, 8, 8)
        labels = torch.from_numpy(table[order, 64]).long()
        parts = [slice(0, VAL), slice(VAL, TEST), slice(TEST, None)]
        sets = [TensorSet(images[part].clone(), labels[part].clone()) for part in parts]
        self.train_set, self.val_set, self.test_set = sets
