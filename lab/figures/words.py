"""Figures of word vectors: relations as arrows in a plane, and the nearest words of the data's queries."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from lab.figures.base import save_figure

RELATIONS, PAIRS = 6, 14


class NearestWords(pl.Callback):
    """The data's queries with the words nearest to each, as a text."""

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        model: Any = pl_module
        if not trainer.is_global_zero:
            return
        lines = model.predict_step(data.predict_set.tensors, 0)
        figure = Figure(figsize=(9, 0.6 + 0.3 * len(lines)), layout="constrained")
        figure.suptitle("Nearest words and their cosines")
        axes = figure.add_subplot()
        axes.axis("off")
        for place, line in enumerate(lines):
            query, _, answer = line.partition(": ")
            height = 1 - (place + 0.5) / len(lines)
            axes.text(0.32, height, query, ha="right", va="center", weight="bold")
            axes.text(0.35, height, answer, ha="left", va="center")
        save_figure(trainer, figure, "nearest_words")


class WordMap(pl.Callback):
    """Words in the plane in which they differ most: an arrow for each pair, a panel for each relation.

    Parallel arrows are what answers analogies. Without relations it shows the most frequent words.
    """

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        model: Any = pl_module
        if trainer.is_global_zero:
            draw_map(trainer, model.words, model.vectors.cpu(), data.relations)


def draw_map(
    trainer: pl.Trainer, words: Any, vectors: Tensor, relations: dict[str, Tensor]
) -> None:
    """Write the figure of words with vectors (V, D) and the pairs (P, 2) of each relation."""
    # Short relations have little to show.
    largest = sorted(relations, key=lambda name: -len(relations[name]))[:RELATIONS]
    panels = [(name, relations[name][:PAIRS]) for name in relations if name in largest]
    across = max(min(len(panels), 3), 1)
    down = max(math.ceil(len(panels) / across), 1)
    figure = Figure(figsize=(6 * across, 5.4 * down), layout="constrained")
    figure.suptitle("Words in the plane of their largest variance")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    for axes in grid:
        axes.axis("off")
    for axes, (name, pairs) in zip(grid, panels, strict=False):
        draw_relation(axes, words, vectors, pairs)
        axes.set_title(name)
    if not panels:
        draw_points(grid[0], words[:100], principal_plane(F.normalize(vectors[:100])))
    save_figure(trainer, figure, "word_map")


def draw_relation(axes: Axes, words: Any, vectors: Tensor, pairs: Tensor) -> None:
    """The pairs (P, 2) of a relation as arrows."""
    shown, place = pairs.unique(return_inverse=True)
    points = principal_plane(F.normalize(vectors[shown]))
    for first, second in place.tolist():
        axes.annotate(
            "",
            xy=tuple(points[second].tolist()),
            xytext=tuple(points[first].tolist()),
            arrowprops={"arrowstyle": "->", "color": "tab:blue", "alpha": 0.6},
        )
    draw_points(axes, [words[number] for number in shown.tolist()], points)


def draw_points(axes: Axes, names: Any, points: Tensor) -> None:
    """Words at their points (N, 2)."""
    axes.plot(points[:, 0], points[:, 1], ".", ms=4, color="0.3")
    for name, (x, y) in zip(names, points.tolist(), strict=True):
        axes.annotate(name, (x, y), xytext=(3, 3), textcoords="offset points", fontsize=8)


def principal_plane(vectors: Tensor) -> Tensor:
    """Where vectors (N, D) lie in the plane of their largest variance, (N, 2)."""
    centred = vectors - vectors.mean(0)
    return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
