"""Random transforms of images of writing: bent, slanted, thicker or thinner, fainter, on grey paper.

Images (B, 1, H, W) in [0, 1], 0 being paper and 1 ink, on whatever device they are; every sample gets its
own. Lengths are told in lines: the height of a line of writing, which is H unless `line` (pixels) is given.
Source: elastic distortion after Simard, Steinkraus, Platt 2003, its field interpolated from a coarse grid.
"""
# from week 3

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.data.augment import Augmentation, uniform
from lab.errors import LabError

STRONGEST = 2.0


def text_augmentations(strength: float, *, line: int | None = None) -> list[Augmentation]:
    """What suits handwriting: 1 for changes as between people, 0 for none.

    Args:
        strength: factor of all changes.
        line: pixels between two lines of a page; the images are one line each if it is not given.

    Raises:
        LabError: a strength out of range.
    """
    if not 0 <= strength <= STRONGEST:
        raise LabError(f"--data.augment {strength}: choose 0 (none) to {STRONGEST:g}")
    if strength == 0:
        return []
    shape = {"slant": 0.25, "slope": 0.06, "shrink": 0.12, "move": 0.04, "bend": 0.04}
    return [
        warp(**{name: strength * limit for name, limit in shape.items()}, line=line),
        thickness(0.4 * strength),
        shades(curve=0.4 * strength, paper=0.08 * strength, ink=0.2 * strength),
        noise(0.06 * strength),
    ]


def warp(
    *,
    slant: float = 0.0,
    slope: float = 0.0,
    shrink: float = 0.0,
    move: float = 0.0,
    bend: float = 0.0,
    line: int | None = None,
) -> Augmentation:
    """Shear, rotate, shrink, move and bend what is written, about its middle, in one bilinear resampling.

    Its ends hardly leave the place that they had; paper enters.

    Args:
        slant: how far the top and the bottom move sideways, as a share of half a line.
        slope: how far the ends of the longest line move up and down, in lines.
        shrink: largest loss of width and of height, as a share of each.
        move: largest move up or down, in lines.
        bend: largest move of each point of a grid with half a line between its points, in lines.
        line: pixels from line to line.
    """

    def transform(images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        device = images.device
        unit = min(line or height, height)
        # A pixel's place is its middle, so the first and the last are the ends.
        end_y, end_x = max(height - 1, 1), max(width - 1, 1)
        rows, columns = (math.ceil(2 * end / unit) + 1 for end in (end_y, end_x))
        middle_y, middle_x = middle(images, axis=2), middle(images, axis=3)
        # Pixels from the middle of what is written, (B, rows, 1) and (B, 1, columns).
        y = torch.linspace(0, end_y, rows, device=device)[:, None] - middle_y
        x = torch.linspace(0, end_x, columns, device=device) - middle_x

        def drawn(limit: float) -> Tensor:
            return uniform(count, limit, device).view(-1, 1, 1)

        # Where the ink of each point comes from: further out where the image shrinks.
        wide, tall = 1 + drawn(shrink).abs(), 1 + drawn(shrink).abs()
        right = drawn(0.5) * (wide - 1) * torch.minimum(middle_x, end_x - middle_x)
        from_x = middle_x + x * wide + y * drawn(slant * unit / end_y) + right
        from_y = middle_y + y * tall + x * drawn(2 * slope * unit / end_x) + drawn(move * unit)
        field = torch.stack([from_x, from_y], dim=1)
        field = field + (torch.rand_like(field) * 2 - 1) * (bend * unit)
        field = field * (2 / torch.tensor([end_x, end_y], device=device)).view(2, 1, 1) - 1
        grid = F.interpolate(field, size=(height, width), mode="bilinear", align_corners=True)
        # Half precision would place pixels too coarsely.
        moved = F.grid_sample(images.float(), grid.permute(0, 2, 3, 1), align_corners=True)
        return moved.to(images.dtype)

    return transform


def middle(images: Tensor, *, axis: int) -> Tensor:
    """The middle between the first and the last row (axis 2) or column (3) with any ink, (B, 1, 1)."""
    inked = images.amax((1, 5 - axis)) > 0
    places = torch.arange(inked.shape[1], device=images.device)
    last = (inked * places).amax(1)
    first = places[-1] - (inked * places.flip(0)).amax(1)
    return (first + last).view(-1, 1, 1) / 2


def thickness(limit: float) -> Augmentation:
    """Make strokes thicker or thinner, by up to `limit` pixels on each side of a stroke."""

    def transform(images: Tensor) -> Tensor:
        change = uniform(len(images), limit, images.device).view(-1, 1, 1, 1).to(images.dtype)
        # The least of values is the largest of their negatives.
        sign = torch.where(change < 0, -1, 1).to(images.dtype)
        nearby = largest_nearby(sign * images).mul_(sign)
        return images.lerp(nearby, change.abs().clamp(max=1))

    return transform


def largest_nearby(images: Tensor) -> Tensor:
    """The largest of each pixel and its neighbours above, below and beside it."""
    found = images.clone()
    for axis in (2, 3):
        length = images.shape[axis] - 1
        for here, there in ((0, 1), (1, 0)):
            part = found.narrow(axis, here, length)
            torch.maximum(part, images.narrow(axis, there, length), out=part)
    return found


def shades(*, curve: float = 0.0, paper: float = 0.0, ink: float = 0.0) -> Augmentation:
    """Change the greys: those between paper and ink, then paper and ink themselves.

    Args:
        curve: how far a grey of one half moves, in quarters, darker or lighter.
        paper: how dark paper becomes at most.
        ink: how much ink may lose.
    """

    def transform(images: Tensor) -> Tensor:
        count, device = len(images), images.device
        bow, least, lost = (
            uniform(count, limit, device).view(-1, 1, 1, 1).to(images.dtype)
            for limit in (curve, paper, ink)
        )
        # In place: on the CPU new memory takes longer than sums.
        bowed = (1 - images).mul_(images).mul_(bow).add_(images)
        return bowed.mul_(1 - least.abs() - lost.abs()).add_(least.abs())

    return transform


def noise(limit: float) -> Augmentation:
    """Add to each pixel a random grey in both directions, up to a bound drawn for each image."""

    def transform(images: Tensor) -> Tensor:
        bound = uniform(len(images), limit, images.device).view(-1, 1, 1, 1).to(images.dtype)
        change = torch.rand_like(images).mul_(2).sub_(1).mul_(bound)
        return change.add_(images).clamp_(0, 1)

    return transform
