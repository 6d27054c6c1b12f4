"""Two guesses at the next pixel: how frequent its levels are, and what follows on the level before it.

Letters: B images, N pixels, L levels.
Counts start at 1 (Laplace), so that what training lacks is merely unlikely. A grey between two levels
counts in part for both, by its distance: for images that are drawn as black and white anew at every batch
this is what the draws count on average.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor


def shares(unit: Tensor, levels: int) -> list[tuple[Tensor, Tensor]]:
    """The two levels nearest to each share of white, and how much each counts; one level when it is met."""
    scaled = (unit * (levels - 1)).double()
    # Floats that stand for a level are off by rounding.
    scaled = torch.where((scaled - scaled.round()).abs() < 1e-4, scaled.round(), scaled)
    lower = scaled.floor().long()
    upper = scaled - lower
    if not upper.any():
        return [(lower, 1 - upper)]
    return [(lower, 1 - upper), ((lower + 1).clamp(max=levels - 1), upper)]


def count(index: Tensor, weight: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Weights added up by index into a table of the given shape."""
    found = torch.bincount(index.flatten(), weight.flatten(), minlength=math.prod(shape))
    return found.view(shape)


def independent_counts(batches: Iterable[Tensor], levels: int, pixels: int) -> Tensor:
    """How often each pixel has each level, (N, L); batches are shares of white (B, N)."""
    table = torch.ones(pixels, levels, dtype=torch.double)
    places = torch.arange(pixels) * levels
    for unit in batches:
        for number, weight in shares(unit, levels):
            table += count(places + number, weight, (pixels, levels))
    return table


def previous_counts(batches: Iterable[Tensor], levels: int) -> Tensor:
    """How often a level follows on another in the order of pixels, (L + 1, L); row L is the first pixel's."""
    table = torch.ones(levels + 1, levels, dtype=torch.double)
    for unit in batches:
        now = shares(unit, levels)
        for number, weight in now:
            table[levels] += count(number[:, 0], weight[:, 0], (levels,))
            for before, likely in now:
                pair = before[:, :-1] * levels + number[:, 1:]
                table[:levels] += count(pair, likely[:, :-1] * weight[:, 1:], (levels, levels))
    return table


def independent_loss(table: Tensor, numbers: Tensor) -> float:
    """Nats per pixel of images of levels (B, N) when pixels are drawn by `independent_counts`."""
    logs = (table / table.sum(1, keepdim=True)).log()
    return -logs[torch.arange(numbers.shape[1]), numbers].mean().item()


def previous_loss(table: Tensor, numbers: Tensor) -> float:
    """Nats per pixel of images of levels (B, N) when each pixel is drawn by `previous_counts`."""
    logs = (table / table.sum(1, keepdim=True)).log()
    start = torch.full_like(numbers[:, :1], len(table) - 1)
    before = torch.cat([start, numbers[:, :-1]], 1)
    return -logs[before, numbers].mean().item()
