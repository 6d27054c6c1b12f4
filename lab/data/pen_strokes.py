"""Strokes of a pen on paper, for a whole batch at once: anti-aliased, of any width, on uneven paper.

Every letter is points along its strokes, from one table. The points of all letters are moved at once, each
gives its ink to the four pixels about it, and two short sums spread the ink as wide as the pen. Only sums and
products of single samples are used, so that an image doesn't depend on those beside it.
Letters: B images, H and W height and width of the batch, P points.
"""
# from week 3

import numpy as np
import torch
from torch import Tensor

from lab.data.counted import GOLDEN, hashed, uniform
from lab.data.pen_glyphs import GlyphTable, running
from lab.data.pen_writing import Writing
from lab.seeding import mixed_seed

PAPER, GRAIN = 16, 17
# Columns that the numbers of the grain are counted in, more than any image has.
ROW = 1 << 16


def draw_ink(writing: Writing, table: GlyphTable, height: int, width: int) -> np.ndarray:
    """How much ink is where, float32 (B, H, W) in [0, 1]."""
    count = len(writing.radius)
    points = table.count.reshape(-1)[writing.glyph]
    source = np.repeat(table.first.reshape(-1)[writing.glyph], points) + running(points)
    x, y = table.x[source], table.y[source]
    steep, length = table.steep[source], table.length[source]
    moved = []
    for c in (writing.across, writing.down):
        c0, c1, c2, c3, c4, c5 = (np.repeat(k, points) for k in c.astype(np.float32))
        moved.append(c0 + x * (c1 + c3 * x + c4 * y) + y * (c2 + c5 * y))
    across, down = moved
    # Pixels of the pen's way that a point stands for, times how hard the pen is pressed.
    wide, tall = writing.across[1], writing.down[2]
    press = writing.press
    firm = writing.pressure[writing.text]
    level = (wide * press * (1 - 0.4 * firm)).astype(np.float32)
    upright = (tall * press * (1 + 0.2 * firm)).astype(np.float32)
    level, upright = np.repeat(level, points), np.repeat(upright, points)
    ink = length * (level + (upright - level) * steep)

    column, line = across.astype(np.int64), down.astype(np.int64)
    right, low = across - column, down - line
    image = np.repeat(writing.text, points) * height
    corner = (image + line) * width + column
    size = count * height * width
    found = np.bincount(corner, ink * (1 - low) * (1 - right), minlength=size)
    found += np.bincount(corner + 1, ink * (1 - low) * right, minlength=size)
    found += np.bincount(corner + width, ink * low * (1 - right), minlength=size)
    found += np.bincount(corner + width + 1, ink * low * right, minlength=size)
    spread = blur(found.astype(np.float32).reshape(count, height, width), writing.radius)
    amount = np.minimum(spread * (1.1 * writing.radius).astype(np.float32)[:, None, None], 1)
    return blur(amount * (2 - amount), writing.blur)


def blur(images: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Images (B, H, W) spread by a biweight kernel of radius (B,), in both directions."""
    taps = np.arange(int(np.floor(radius.max())) + 1)
    weights = np.maximum(1 - (taps / radius[:, None]) ** 2, 0) ** 2
    total = weights[:, 0].copy()
    for tap in taps[1:]:
        total += 2 * weights[:, tap]
    shares = (weights / total[:, None]).astype(np.float32)[:, :, None, None]
    for axis in (1, 2):
        spread = images * shares[:, 0]
        for tap in taps[1:]:
            near, far = [slice(None)] * 3, [slice(None)] * 3
            near[axis], far[axis] = slice(tap, None), slice(None, -tap)
            part = images * shares[:, tap]
            spread[tuple(near)] += part[tuple(far)]
            spread[tuple(far)] += part[tuple(near)]
        images = spread
    return images


def grain(seed: int, indices: np.ndarray, height: int, width: int) -> np.ndarray:
    """A random byte for each pixel, (B, H, W): a function of (seed, index) and the pixel's place."""
    start = hashed(indices.astype(np.uint64) * GOLDEN + np.uint64(mixed_seed(seed, GRAIN)))
    eighths = np.arange(-(-width // 8), dtype=np.uint64)
    places = np.arange(height, dtype=np.uint64)[:, None] * np.uint64(ROW) + eighths + np.uint64(1)
    numbers = hashed(start[:, None, None] + places * GOLDEN)
    return numbers.view(np.uint8)[:, :, :width]


def on_paper(
    ink: np.ndarray, writing: Writing, seed: int, indices: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Ink (B, H, W) on paper, in bytes: shade, rules and grain, on some paper none of them.

    Args:
        writing: rules are where its lines are.
        sizes: (B, 2) true height and width.
    """
    count, height, width = ink.shape
    u = uniform(mixed_seed(seed, PAPER), indices, 16).astype(np.float32).T[:, :, None, None]
    high, wide = (sizes.T[:, :, None, None] - 1).astype(np.float32)
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]
    worn = u[0] < 0.6
    # Shade: a saddle over the whole image, as of a page that isn't flat in an uneven light.
    shade_x = u[1] + (x / wide) * (u[2] - u[1] + (u[3] - 0.5) * (1 - x / wide))
    shade_y = u[4] + (y / high) * (u[5] - u[4])
    paper = worn * 0.35 * u[6] * shade_x * shade_y
    ruled = (u[7] < 0.3) * (0.1 + 0.4 * u[8])
    base, pitch = np.array([writing.base, writing.pitch], dtype=np.float32)[:, :, None, None]
    turns = (y - base - 2 * u[9] - 0.02 * (u[10] - 0.5) * x) / pitch
    gap = np.abs(turns - np.rint(turns)) * pitch
    paper = np.maximum(paper, ruled * np.maximum(1 - gap, 0))
    noise = (grain(seed, indices, height, width).astype(np.float32) - 127.5) * (
        worn * u[11] * u[11] * np.float32(0.2 / 127.5)
    )
    dark = (0.55 + 0.45 * u[12]) * ink
    image = paper + dark * (1 - paper) + noise
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def normalise_batch(images: np.ndarray, sizes: np.ndarray) -> Tensor:
    """Bytes (B, H, W) as normalised ink: paper's median is 0, the darkest 255, and beyond the size all 0."""
    count, height, width = images.shape
    inside = np.arange(width) < sizes[:, 1:]
    inside = inside[:, None, :] & (np.arange(height) < sizes[:, :1])[:, :, None]
    levels = np.arange(256)
    # A level of an image is a number of its own.
    keys = images + 256 * np.arange(count)[:, None, None]
    counts = np.bincount(keys[inside], minlength=256 * count).reshape(count, 256)
    # More than half are at most so dark, so that after it the median is 0 however it is taken.
    median = (counts.cumsum(1) <= counts.sum(1, keepdims=True) // 2).sum(1, keepdims=True)
    most = np.maximum(((counts > 0) * levels).max(1, keepdims=True) - median, 1)
    table = (np.clip(levels - median, 0, most) * 510 + most) // (2 * most)
    return torch.from_numpy(table.astype(np.uint8).reshape(-1)[keys] * inside)
