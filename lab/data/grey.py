"""Grey images in fewer levels than they were scanned in: quantised evenly, or drawn as black and white.

Two levels are a threshold at the middle, or a draw of each pixel as white with a probability equal to its
grey (Salakhutdinov & Murray 2008), which is what the literature calls binarised MNIST.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from lab.data.augment import Augmentation, for_images
from lab.data.base import LabData, TensorSet
from lab.data.images import Standardise
from lab.errors import LabError, nearest

Binarise = Literal["threshold", "sampled"]
BINARISE = ("threshold", "sampled")


def quantise(unit: Tensor, levels: int) -> Tensor:
    """The nearest of `levels` evenly spaced values in [0, 1], each standing for an equal share of it."""
    return (unit * levels).floor().clamp(max=levels - 1) / (levels - 1)


def check_levels(levels: int, binarise: str, *, native: int) -> None:
    """Raise LabError unless the images can be cut down to `levels` in the way asked for."""
    if not 2 <= levels <= native:
        raise LabError(f"--data.levels {levels}: choose 2 to {native}, as many as the images have")
    if binarise not in BINARISE:
        close = nearest(binarise, BINARISE)
        raise LabError(f"--data.binarise {binarise}: no such way.\nNearest: {close}")
    if binarise == "sampled" and levels != 2:
        raise LabError("--data.binarise sampled draws black or white: add --data.levels 2")


class Redraw:
    """Draws standardised grey images anew as black and white: a training transform."""

    def __init__(self, scale: Standardise) -> None:
        self.black, self.white = scale.bounds()[0][0], scale.bounds()[1][0]

    def __call__(self, images: Tensor) -> Tensor:
        span = self.white - self.black
        white = torch.rand_like(images) * span < images - self.black
        return white.to(images) * span + self.black


def draw_bytes(images: Tensor, *, seed: int) -> Tensor:
    """Grey bytes (N, C, H, W) drawn as 0 or 255 from a stream of its own, the same in every run."""
    generator = torch.Generator().manual_seed(seed)
    # A byte of 255 is white for certain, one of 0 never is.
    chance = torch.randint(255, images.shape, generator=generator, dtype=torch.uint8)
    return (chance < images).to(torch.uint8) * 255


def state_grey(
    data: LabData,
    *,
    mean: float,
    std: float,
    levels: int,
    binarise: Binarise,
    augmentations: Sequence[Augmentation],
) -> None:
    """State the facts of a module of grey bytes and set its transforms.

    Facts: `levels`, and `input_range`, which is what black and white are in a batch.

    Raises:
        LabError: the levels or the way are out of range.
    """
    check_levels(levels, binarise, native=256)
    sampled = binarise == "sampled"
    scale = Standardise([mean], [std], levels=256 if sampled else levels)
    # Drawing comes last, so that moved pixels are black or white too.
    chain = list(augmentations)
    if sampled:
        chain.append(Redraw(scale))
    data.levels, data.input_range = levels, scale.bounds()  # type: ignore[attr-defined]
    data.batch_transform = scale
    data.train_transform = for_images(chain) if chain else None


def fixed(
    sets: tuple[TensorSet, TensorSet, TensorSet], binarise: Binarise
) -> tuple[TensorSet, TensorSet, TensorSet]:
    """Training, validation and test sets; sampled ones are drawn once, but for training at every batch."""
    if binarise != "sampled":
        return sets
    train, *rest = sets
    val, test = (
        TensorSet(draw_bytes(part.tensors[0], seed=seed), part.tensors[1])
        for seed, part in enumerate(rest, 1)
    )
    return train, val, test
