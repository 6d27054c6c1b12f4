"""Random transforms of image batches: every sample gets its own, in a few operations on the whole batch.

Each function makes a transform of images (B, C, H, W) -> (B, C, H, W), float, on whatever device they
are on. All randomness is torch's global one, which the run seeds anew at every epoch.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.data.base import Batch

Augmentation = Callable[[Tensor], Tensor]


def for_images(chain: Sequence[Augmentation]) -> Callable[[Batch], Batch]:
    """Apply transforms one after another to the first tensor of a batch."""

    def transform(batch: Batch) -> Batch:
        images, *rest = batch
        for augmentation in chain:
            images = augmentation(images)
        return images, *rest

    return transform


def uniform(count: int, limit: float, device: torch.device) -> Tensor:
    """One number in [-limit, limit] per sample, (B,)."""
    return (torch.rand(count, device=device) * 2 - 1) * limit


def shift(pixels: int) -> Augmentation:
    """Move each image by whole pixels, up to `pixels` each way; what enters repeats the border."""

    def transform(images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        device = images.device
        down = torch.randint(-pixels, pixels + 1, (count, 1), device=device)
        right = torch.randint(-pixels, pixels + 1, (count, 1), device=device)
        rows = (torch.arange(height, device=device) - down).clamp(0, height - 1)
        columns = (torch.arange(width, device=device) - right).clamp(0, width - 1)
        # (B, H, W) positions in the flattened image, the same for all channels.
        positions = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, -1)
        moved = images.flatten(2).gather(2, positions.expand(-1, channels, -1))
        return moved.view_as(images)

    return transform


def affine(
    *, degrees: float = 0.0, scale: float = 0.0, shear: float = 0.0, move: float = 0.0
) -> Augmentation:
    """Rotate, scale, shear and move each image about its centre, bilinear.

    Args:
        degrees: largest rotation each way.
        scale: largest relative change of size, 0.1 for 0.9 to 1.1.
        shear: largest sideways slant, as a share of the height.
        move: largest move each way, as a share of the side.
    """

    def transform(images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        device = images.device
        angle = uniform(count, math.radians(degrees), device)
        size = 1 + uniform(count, scale, device)
        slant = uniform(count, shear, device)
        # The grid runs from -1 to 1 both ways: a side is 2 long, whatever the image's shape.
        right, down = uniform(count, 2 * move, device), uniform(count, 2 * move, device)
        cos, sin = angle.cos() / size, angle.sin() / size
        tall = height / width
        first = torch.stack([cos, (slant * cos - sin) * tall, right], dim=1)
        second = torch.stack([sin / tall, slant * sin + cos, down], dim=1)
        matrices = torch.stack([first, second], dim=1)
        grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
        # Half precision would place pixels too coarsely.
        moved = F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
        return moved.to(images.dtype)

    return transform


def flip() -> Augmentation:
    """Mirror half of the images left to right."""

    def transform(images: Tensor) -> Tensor:
        chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        return torch.where(chosen, images.flip(-1), images)

    return transform


def erase(pixels: int) -> Augmentation:
    """Set a square of `pixels` at a random place of each image to its mean (DeVries & Taylor 2017)."""

    def transform(images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        device = images.device
        top = torch.randint(1 - pixels, height, (count, 1), device=device)
        left = torch.randint(1 - pixels, width, (count, 1), device=device)
        row, column = torch.arange(height, device=device), torch.arange(width, device=device)
        rows = (row >= top) & (row < top + pixels)
        columns = (column >= left) & (column < left + pixels)
        square = (rows[:, :, None] & columns[:, None, :])[:, None]
        return torch.where(square, images.mean((2, 3), keepdim=True), images)

    return transform
