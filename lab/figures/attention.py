"""Figure of an encoder-decoder net: where in an image it looks for each character.

A batch is (images, sizes, targets, writers); the model has `looks`, see `LineTransformer`.
"""
# from week 4

from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from lab.figures.base import save_figure
from lab.figures.pixels import can_draw
from lab.figures.reading import highest_places, visible


class Attention(pl.Callback):
    """Random test images, coloured by the character for which the net looks there most."""

    COUNT = 4

    def __init__(self) -> None:
        self.kept: list[tuple[float, Tensor]] = []
        self.random = torch.Generator().manual_seed(0)

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        images, sizes = batch[:2]
        ranks = torch.rand(len(images), generator=self.random).tolist()
        for row in highest_places(ranks, self.COUNT):
            height, width = sizes[row].tolist()
            self.kept.append((ranks[row], images[row, :, :height, :width].clone()))
        best = highest_places([rank for rank, _ in self.kept], self.COUNT)
        self.kept = [self.kept[place] for place in best]

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        kept, self.kept = self.kept, []
        if not (trainer.is_global_zero and kept and can_draw(trainer)):
            return
        shapes = [image.shape[1:] for _, image in kept]
        # Inches; no image is magnified so that it fills more than it needs.
        heights = [min(9 * high / wide, high / 14) for high, wide in shapes]
        figure = Figure(figsize=(9.6, sum(heights) + 0.6 * len(kept) + 0.4), layout="constrained")
        figure.suptitle("Where the net looks for each character that it reads in test images")
        panels = figure.subplots(len(kept), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (_, image) in zip(panels, kept, strict=True):
            text, looks = pl_module.looks(image)
            draw_looks(
                axes, image[0].float().cpu(), text, looks.float().cpu(), pl_module.net.strides
            )
        save_figure(trainer, figure, "attention")


def draw_looks(axes: Axes, ink: Tensor, text: str, looks: Tensor, strides: tuple[int, int]) -> None:
    """An image (H, W), and over it each character where the net looks for it: (L, h, w)."""
    axes.imshow(ink.numpy(), cmap="gray_r", vmin=0, vmax=1.5)
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"read: {visible(text)}", fontsize=9, parse_math=False)
    if not text:
        return
    height, width = looks.shape[1:]
    strength, owner = (looks / looks.amax((1, 2), keepdim=True)).max(0)
    colors = torch.tensor([to_rgb(f"C{number % 10}") for number in range(len(text))])
    shades = torch.cat([colors[owner], 0.6 * strength[..., None]], -1)
    down, along = strides
    # A place is the middle of what it sees; if there is one row of places, that is the whole height.
    top, bottom = (-0.5, down - 0.5) if height == 1 else (-down / 2, down * (height - 0.5))
    edges = (-along / 2, along * (width - 0.5), bottom, top)
    axes.imshow(shades.numpy(), extent=edges, interpolation="nearest")
    axes.set(xlim=(-0.5, ink.shape[1] - 0.5), ylim=(ink.shape[0] - 0.5, -0.5))
    for character, place in zip(text, looks.flatten(1).argmax(1), strict=True):
        row, column = divmod(int(place), width)
        middle = (top + bottom) / 2 if height == 1 else down * row
        axes.text(
            along * column,
            min(middle, ink.shape[0] - 1),
            visible(character),
            fontsize=10,
            fontweight="bold",
            ha="center",
            va="center",
            parse_math=False,
        )
