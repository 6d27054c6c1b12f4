"""Sheets of images: samples, completions, reconstructions."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor


def tiles(images: Tensor, *, columns: int, gap: int = 1) -> Tensor:
    """One picture (H', W', C) of images (N, C, H, W) in rows of `columns`, grey lines between them.

    Values are shares of white; what exceeds [0, 1] is cut.
    """
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    cells = torch.full((rows * columns, channels, height + gap, width + gap), 0.5)
    cells[:count, :, :height, :width] = images.detach().float().clamp(0, 1).cpu()
    cells = cells.view(rows, columns, channels, height + gap, width + gap)
    sheet = cells.permute(0, 3, 1, 4, 2).reshape(rows * (height + gap), -1, channels)
    return sheet[: rows * (height + gap) - gap, : columns * (width + gap) - gap]


def image_grid(
    images: Tensor, *, columns: int, title: str, row_labels: Sequence[str] = ()
) -> Figure:
    """A figure of images (N, C, H, W) in rows; each row may have a label at its left."""
    sheet = tiles(images, columns=columns)
    height, width, channels = sheet.shape
    # As large as it fits well on a page, with whole pixels visible.
    side = 9 / max(width / height, 1)
    figure = Figure(
        figsize=(min(9.0, side * width / height) + 0.6, side + 0.6), layout="constrained"
    )
    axes = figure.add_subplot(title=title)
    pixels = sheet.numpy() if channels == 3 else sheet[:, :, 0].numpy()
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    rows = -(-len(images) // columns)
    places = [(row + 0.5) * height / rows for row in range(rows)]
    axes.set_yticks(places if row_labels else [], list(row_labels))
    axes.tick_params(length=0)
    return figure
