"""Figures of regression and classification: fit over points, confusion matrix, worst mistakes."""

import math

import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from lab.figures.base import Columns, TestFigure, class_names, highest, save_figure


class ConfusionMatrix(TestFigure):
    """Which class is taken for which: rows are true classes, columns predictions.

    Numbers count samples, the colour is the share of the row.
    """

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        count = output.shape[1]
        pairs = y * count + output.argmax(-1)
        return (torch.bincount(pairs, minlength=count**2).view(count, count),)

    def merge(self, parts: list[Columns]) -> Columns:
        return (torch.stack([table for (table,) in parts]).sum(0),)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        (table,) = columns
        count, samples, right = len(table), int(table.sum()), int(table.trace())
        share = table / table.sum(1, keepdim=True).clamp(min=1)
        names = class_names(trainer, count)
        numbers = count <= 30
        side = 2.5 + min((0.45 if numbers else 0.2) * count, 20)
        figure = Figure(figsize=(side + 1, side), layout="constrained")
        axes = figure.add_subplot(xlabel="predicted class", ylabel="true class")
        axes.set_title(f"Test confusion\n{right} of {samples} right")
        image = axes.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1)
        figure.colorbar(image, ax=axes, shrink=0.7, label="share of the true class")
        # Of very many classes only some names have room.
        named = range(0, count, math.ceil(count / 100))
        labels = [names[place] for place in named]
        axes.set_xticks(named, labels, rotation=90 if max(map(len, labels)) > 2 else 0)
        axes.set_yticks(named, labels)
        for row, column in table.nonzero().tolist() if numbers else ():
            color = "white" if share[row, column] > 0.5 else "black"
            text = str(int(table[row, column]))
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
        save_figure(trainer, figure, "confusion")


class WorstMistakes(TestFigure):
    """The images on which the net is most sure of a wrong class; no figure when all are right."""

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        sureness, predicted = output.softmax(-1).max(-1)
        wrong = predicted != y
        found = (sureness[wrong], x[wrong].float(), y[wrong], predicted[wrong])
        # Of one batch, too, only the worst leave the device.
        return self.merge([found])

    def merge(self, parts: list[Columns]) -> Columns:
        return highest(parts, most=25)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        sureness, images, true, predicted = columns
        if len(images) == 0 or images.dim() != 4 or images.shape[1] not in (1, 3):
            return
        names = class_names(trainer, int(torch.cat([true, predicted]).max()) + 1)
        rows = math.ceil(len(images) / 5)
        figure = Figure(figsize=(10, 0.6 + 2.3 * rows), layout="constrained")
        figure.suptitle("Worst mistakes of the test: truth, prediction and its probability")
        grid = figure.subplots(rows, 5, squeeze=False).flatten()
        for axes in grid:
            axes.axis("off")
        for axes, image, truth, guess, sure in zip(
            grid, images, true.tolist(), predicted.tolist(), sureness.tolist(), strict=False
        ):
            low, high = image.min(), image.max()
            pixels = (image - low) / (high - low).clamp(min=1e-9)
            axes.imshow(pixels.movedim(0, -1).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
            axes.set_title(f"{names[truth]}\nnot {names[guess]} ({sure:.0%})", fontsize=9)
        save_figure(trainer, figure, "worst_mistakes")


class FitOverPoints(TestFigure):
    """A curve over its points when the input is one number, else prediction against truth.

    A panel for each number of the target. Of a large test set a random part is shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(0)

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        rank = torch.rand(len(x), generator=self.random)
        # The second number only tells that there are several.
        inputs = x.flatten(1)[:, :2].float()
        return rank, inputs, y.reshape(len(y), -1).float(), output.reshape(len(y), -1)

    def merge(self, parts: list[Columns]) -> Columns:
        return highest(parts, most=5_000)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        _, x, y, predicted = columns
        outputs = min(y.shape[1], 12)
        across = min(outputs, 3)
        down = math.ceil(outputs / across)
        curve = x.shape[1] == 1
        width, height = (6.5, 4.2) if curve else (5.0, 4.8)
        size = (width * across, 0.5 + height * down)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(down, across, squeeze=False).flatten()
        for output in range(outputs):
            place = f", output {output}" if y.shape[1] > 1 else ""
            if curve:
                draw_curve(panels[output], x[:, 0], y[:, output], predicted[:, output], place)
            else:
                draw_scatter(panels[output], y[:, output], predicted[:, output], place)
        for axes in panels[outputs:]:
            axes.axis("off")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, markerscale=3)
        save_figure(trainer, figure, "fit")


def draw_curve(axes: Axes, x: Tensor, y: Tensor, predicted: Tensor, place: str) -> None:
    """Points and the net's curve over the input."""
    order = x.argsort()
    axes.plot(x[order], y[order], ".", ms=4, color="0.6", label="test points")
    axes.plot(x[order], predicted[order], lw=2, color="tab:red", label="net")
    axes.set(xlabel="input x", ylabel="target y")
    axes.set_title(f"Fit over {len(x)} test points{place}\nRMSE {rmse(predicted, y):.3g}")


def draw_scatter(axes: Axes, y: Tensor, predicted: Tensor, place: str) -> None:
    """A point for each sample, on the diagonal when it is right."""
    ends = [float(y.min()), float(y.max())]
    axes.plot(ends, ends, color="0.6", label="perfect prediction")
    axes.plot(y, predicted, ".", ms=4, label="test samples")
    axes.set(xlabel="true target", ylabel="predicted target")
    axes.set_title(f"Prediction of {len(y)} test samples{place}\nRMSE {rmse(predicted, y):.3g}")
    axes.set_aspect("equal", adjustable="datalim")


def rmse(predicted: Tensor, y: Tensor) -> float:
    return F.mse_loss(predicted, y).sqrt().item()
