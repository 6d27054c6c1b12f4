"""Images of text of any size: padded to the batch's largest, in batches of similar widths.

Letters: B images, H and W the height and width of the batch, L characters of its longest text.
A batch is (images, sizes, targets, writers): images (B, 1, H, W), uint8 in memory and float in [0, 1] on
the device, 0 being paper and 1 ink; sizes (B, 2), the true height and width of each, beyond which all is
paper; targets (B, L), token numbers by `data.alphabet`, IGNORED where a text has ended; writers (B,), a
number for whoever wrote it, by `data.writers`.
"""
# from week 3

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from lab.data.augment import Augmentation, for_images
from lab.data.base import IGNORED, Batch, BatchIndices
from lab.seeding import mixed_seed

# Batches are as wide as a multiple of this, so that few different shapes occur.
STEP = 16
# A training batch is sorted out of so many batches of samples that were shuffled.
POOL = 32


class TextImages(Dataset[Batch]):
    """Base of the sets of text images: how wide each is, is known before it is drawn or read.

    Args:
        sizes: (N, 2), height and width of each image.
    """

    def __init__(self, sizes: Tensor) -> None:
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Batch:
        return tuple(column[0] for column in self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        raise NotImplementedError

    def sampler(self, count: int, batch_size: int, **options: object) -> BatchIndices:
        """Which samples each batch holds, see `WidthBatches`."""
        heights, widths = self.sizes.unbind(1)
        # Pages are first put together by how high they are, or half of a batch would be padding.
        bands = -(-heights // STEP)
        return WidthBatches(count, batch_size, widths=bands * widths.max() + widths, **options)


class WidthBatches(BatchIndices):
    """Batches of similar widths, so that little of them is padding.

    Shuffled, a batch is a slice of a pool of `POOL` batches sorted by width, and the batches come in random
    order; else all samples come from the narrowest to the widest. The last batch, which may be of another
    size, stays the last.
    """

    def __init__(self, count: int, batch_size: int, *, widths: Tensor, **options: object) -> None:
        super().__init__(count, batch_size, **options)  # type: ignore[arg-type]
        self.widths = widths

    def order(self) -> Tensor:
        order = super().order()
        if not self.shuffle:
            return order[self.widths.argsort(stable=True)]
        pools = order.split(POOL * self.step)
        order = torch.cat([pool[self.widths[pool].argsort(stable=True)] for pool in pools])
        whole = self.span(self.batches - 1)[0]
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, self.epoch, 1))
        moved = torch.randperm(whole // self.step, generator=generator)
        return torch.cat([order[:whole].view(-1, self.step)[moved].flatten(), order[whole:]])


def pad_images(images: Sequence[Tensor]) -> Tensor:
    """Images (h, w) of any sizes as one batch (B, 1, H, W), each at the top left; the rest is paper.

    H is that of the highest; W that of the widest, rounded up to a multiple of `STEP`.
    """
    height = max(image.shape[0] for image in images)
    width = padded_width(max(image.shape[1] for image in images))
    padded = images[0].new_zeros(len(images), 1, height, width)
    for place, image in zip(padded, images, strict=True):
        place[0, : image.shape[0], : image.shape[1]] = image
    return padded


def padded_width(widest: int) -> int:
    """How wide a batch is whose widest image is `widest`."""
    return -(-widest // STEP) * STEP


def pad_targets(targets: Sequence[Tensor]) -> Tensor:
    """Token numbers (l,) of texts of any lengths as one batch (B, L)."""
    numbers = [target.long() for target in targets]
    return pad_sequence(numbers, batch_first=True, padding_value=IGNORED)


def to_unit(batch: Batch) -> Batch:
    """Ink from bytes to [0, 1]."""
    images, *rest = batch
    return images.float() / 255, *rest


def paper_beyond(batch: Batch) -> Batch:
    """Nothing but paper beyond the true size of each image, whatever an augmentation moved there."""
    images, sizes, *rest = batch
    height, width = images.shape[-2:]
    rows = torch.arange(height, device=images.device) < sizes[:, :1]
    columns = torch.arange(width, device=images.device) < sizes[:, 1:]
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    return images * inside, sizes, *rest


def state_text_images(
    data: Any, *, height: int, width: int, augmentations: Sequence[Augmentation] = ()
) -> None:
    """The facts and transforms of a data module whose images are at most so high and wide."""
    data.input_shape = (1, height, width)
    data.batch_transform = to_unit
    if augmentations:
        augment = for_images(augmentations)
        data.train_transform = lambda batch: paper_beyond(augment(batch))
