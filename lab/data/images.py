"""What data sets of byte images share: the idx format, the cut, and bytes to floats on the device."""

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab.data.base import Batch, TensorSet
from lab.data.reading import reading

VAL = 5000
Bounds = tuple[tuple[float, ...], tuple[float, ...]]


def read_idx(path: Path) -> Tensor:
    """The uint8 array of an idx file, packed with gzip or not, in its own shape.

    Raises:
        LabError: the file is missing, damaged or not in this format.
    """
    with reading(path):
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        zeros, kind, dimensions = struct.unpack(">HBB", content[:4])
        if zeros != 0 or kind != 8:
            raise ValueError("not an idx file of bytes")
        shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    return torch.from_numpy(values.copy())


def stored(packed: Path) -> Path:
    """The packed file, or the unpacked one beside it when only that is there."""
    unpacked = packed.with_suffix("")
    return unpacked if unpacked.is_file() and not packed.is_file() else packed


def cut(
    images: Tensor, labels: Tensor, test_images: Tensor, test_labels: Tensor
) -> tuple[TensorSet, TensorSet, TensorSet]:
    """Sets of images (N, C, H, W) and labels (N,): the last VAL for training become the validation set."""
    train = TensorSet(images[:-VAL], labels[:-VAL])
    return train, TensorSet(images[-VAL:], labels[-VAL:]), TensorSet(test_images, test_labels)


class Standardise:
    """Bytes to floats of mean 0 and deviation 1 over the training images; keeps the labels.

    Args:
        mean: of the training images in [0, 1], one number per channel.
        std: their standard deviation, likewise.
        levels: bytes are first cut down to so many evenly spaced values.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], *, levels: int = 256) -> None:
        deviations = torch.tensor(std).view(-1, 1, 1)
        self.levels = levels
        # From a level, or from a byte, straight to the standardised value.
        self.scale = 1 / ((levels - 1) * deviations)
        self.offset = -torch.tensor(mean).view(-1, 1, 1) / deviations

    def bounds(self) -> Bounds:
        """What black and white become, a value per channel each."""
        white = self.scale * (self.levels - 1) + self.offset
        return tuple(self.offset.flatten().tolist()), tuple(white.flatten().tolist())

    def __call__(self, batch: Batch) -> Batch:
        images, *rest = batch
        scale, offset = self.scale.to(images.device), self.offset.to(images.device)
        values = images.float()
        if self.levels < 256:
            values = values.mul_(self.levels / 255).floor_().clamp_(max=self.levels - 1)
        return values.mul_(scale).add_(offset), *rest
