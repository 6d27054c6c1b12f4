"""Figure of CTC: where in a line each character is found.

A batch is (images, sizes, targets, writers); `test_step` returns `logits` (B, T, V + 1) and `frames` (B,)
beside `read` and `truth`.
"""
# from week 3

from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lab.ctc import align, frames_needed
from lab.figures.base import Columns, TestFigure, save_figure
from lab.figures.reading import Line, highest_places, line_of, visible


class Aligned(NamedTuple):
    """A line that is shown: log probabilities (T, V + 1) of its frames, true numbers (L,)."""

    line: Line
    log_probs: Tensor
    numbers: Tensor


class Alignment(TestFigure):
    """Random test lines: the image, the likeliest frames of the true characters, their probabilities."""

    COUNT = 4

    def __init__(self) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(0)

    def collect(self, batch: Any, outputs: Any) -> Columns:
        targets, logits, frames = batch[2], outputs["logits"], outputs["frames"].tolist()
        ranks = torch.rand(len(targets), generator=self.random).tolist()
        found = []
        for row in highest_places(ranks, self.COUNT):
            line = line_of(batch, outputs, row, ranks[row])
            log_probs = logits[row, : frames[row]].detach().float().cpu().log_softmax(-1)
            found.append(Aligned(line, log_probs, targets[row][targets[row] >= 0].cpu()))
        return (found,)

    def merge(self, parts: list[Columns]) -> Columns:
        every = [aligned for (found,) in parts for aligned in found]
        best = highest_places([aligned.line.rank for aligned in every], self.COUNT)
        return ([every[place] for place in best],)

    def draw(self, trainer: pl.Trainer, *columns: Any) -> None:
        (found,) = columns
        figure = Figure(figsize=(10, 0.5 + 2.2 * len(found)), layout="constrained")
        figure.suptitle("Where the characters of test lines are found: truth and its alignment")
        panels = figure.subplots(len(found), 1, squeeze=False)[:, 0]
        for axes, aligned in zip(panels, found, strict=True):
            draw_alignment(axes, aligned)
        save_figure(trainer, figure, "alignment")


def draw_alignment(axes: Axes, aligned: Aligned) -> None:
    """The image in columns of the net's frames; above it the characters, below it their probabilities."""
    line, log_probs, numbers = aligned
    frames = len(log_probs)
    axes.imshow(
        line.ink.numpy(), cmap="gray_r", vmin=0, vmax=1.5, aspect="auto", extent=(0, frames, 0, 1)
    )
    axes.set(xlim=(0, frames), ylim=(-1.05, 1.3), yticks=[-1, 0], yticklabels=["0", "1"])
    axes.set_xlabel(f"frame; read: {visible(line.read)}", parse_math=False)
    middle = torch.arange(frames) + 0.5
    probs = log_probs.exp()
    axes.plot(middle, probs[:, -1] - 1, color="0.7", lw=1)
    if frames < frames_needed(numbers.tolist()):
        axes.set_title("more characters than frames", fontsize=8)
        return
    path = align(log_probs, numbers)
    blank = log_probs.shape[1] - 1
    starts = (path != blank) & (path != torch.cat([path.new_tensor([blank]), path[:-1]]))
    # Frames of one character, the first of each found by where it starts.
    place = starts.cumsum(0).where(path != blank, 0)
    for number, character in enumerate(line.truth, 1):
        own = (place == number).nonzero()[:, 0]
        color = f"C{number % 10}"
        axes.plot(middle[own], probs[own, path[own]] - 1, ".-", color=color, ms=3, lw=1.5)
        axes.axvspan(float(own[0]), float(own[-1]) + 1, 0.45, 0.87, color=color, alpha=0.25, lw=0)
        center = float(middle[own].mean())
        axes.text(center, 1.05, character, ha="center", fontsize=8, color=color, parse_math=False)
