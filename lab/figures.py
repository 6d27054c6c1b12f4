"""Figures as callbacks: written to the run folder, and to every logger that takes images.

They collect from what `test_step` returns (the net's output) and draw once at the end of the test.
With several processes each collects its share and the first one draws all.
"""

import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F


def save_figure(trainer: pl.Trainer, figure: Figure, name: str) -> None:
    """Write `figures/<name>.png` below the trainer's folder; loggers with `log_image` get it too."""
    path = Path(trainer.default_root_dir) / "figures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    for logger in trainer.loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(key=f"figures/{name}", images=[str(path)])


class TestFigure(pl.Callback):
    """Base of the figures of a test: `select` picks columns from each batch, `draw` gets them all.

    The first column ranks the samples; only the `most` highest are kept.
    """

    __test__ = False  # its name is no sign of a pytest class

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: list[tuple[Tensor, ...]] = []

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> tuple[Tensor, ...]:
        """Rank (B,) and any further columns (B, ...) of a batch."""
        raise NotImplementedError

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        """Make the figure from the columns without the rank."""
        raise NotImplementedError

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.kept = []

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        x, y = batch
        picked = self.select(x, y, outputs.detach().float())
        self.kept = [self.best([*self.kept, tuple(column.cpu() for column in picked)])]

    def best(self, rows: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """The highest ranked samples of all rows, in the order of their rank."""
        columns = [torch.cat(column) for column in zip(*rows, strict=True)]
        order = columns[0].argsort(descending=True, stable=True)[: self.most]
        return tuple(column[order] for column in columns)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        shares: list[Any] = [self.kept]
        if trainer.world_size > 1:
            shares = [None] * trainer.world_size
            torch.distributed.all_gather_object(shares, self.kept)
        rows = [row for share in shares for row in share]
        self.kept = []
        if trainer.is_global_zero and rows:
            self.draw(trainer, *self.best(rows)[1:])


def class_names(trainer: pl.Trainer, num_classes: int) -> list[str]:
    """Names of the classes, as the data module states them, else their numbers."""
    names = getattr(trainer.datamodule, "class_names", None)  # type: ignore[attr-defined]
    return [str(name) for name in names or range(num_classes)]


class ConfusionMatrix(TestFigure):
    """Which class is taken for which: rows are true classes, columns predictions, in per cent."""

    def __init__(self) -> None:
        super().__init__(most=10**9)

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> tuple[Tensor, ...]:
        classes = torch.full_like(y, output.shape[1])
        return torch.zeros_like(y), y, output.argmax(-1), classes

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        true, predicted, classes = columns
        count = int(classes[0])
        table = torch.bincount(true * count + predicted, minlength=count**2).view(count, count)
        share = table / table.sum(1, keepdim=True).clamp(min=1)
        names = class_names(trainer, count)
        side = 3 + 0.35 * count
        figure = Figure(figsize=(side, side))
        axes = figure.add_subplot(
            xlabel="predicted", ylabel="true", title=f"Test confusion, {len(true)} samples"
        )
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(count), names, rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(count), names)
        if count <= 30:
            for row, column in table.nonzero().tolist():
                color = "white" if share[row, column] > 0.5 else "black"
                text = str(int(table[row, column]))
                axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
        save_figure(trainer, figure, "confusion")


class WorstMistakes(TestFigure):
    """The images on which the net is most sure of a wrong class."""

    def __init__(self) -> None:
        super().__init__(most=25)

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> tuple[Tensor, ...]:
        sureness, predicted = output.softmax(-1).max(-1)
        wrong = predicted != y
        return sureness[wrong], x[wrong].float(), y[wrong], predicted[wrong], sureness[wrong]

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        x, true, predicted, sureness = columns
        if len(x) == 0 or x.dim() != 4 or x.shape[1] not in (1, 3):
            return
        names = class_names(trainer, int(max(true.max(), predicted.max())) + 1)
        figure = Figure(figsize=(10, 2.2 * math.ceil(len(x) / 5)), layout="constrained")
        figure.suptitle("Worst mistakes of the test: truth, prediction and its probability")
        for place, image in enumerate(x):
            low, high = image.min(), image.max()
            axes = figure.add_subplot(math.ceil(len(x) / 5), 5, place + 1)
            pixels = ((image - low) / (high - low + 1e-9)).movedim(0, -1)
            axes.imshow(pixels.squeeze(-1), cmap="gray_r")
            title = f"{names[true[place]]}, not {names[predicted[place]]} ({sureness[place]:.0%})"
            axes.set_title(title, fontsize=9)
            axes.axis("off")
        save_figure(trainer, figure, "worst_mistakes")


class FitOverPoints(TestFigure):
    """A curve over its points when the input is one number, else prediction against truth."""

    def __init__(self) -> None:
        super().__init__(most=5_000)

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> tuple[Tensor, ...]:
        return torch.zeros(len(x)), x.flatten(1).float(), y.flatten(1).float(), output.flatten(1)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        x, y, predicted = columns
        figure = Figure(figsize=(7, 5))
        axes = figure.add_subplot()
        if x.shape[1] == 1:
            order = x[:, 0].argsort()
            axes.plot(x[order, 0], y[order], ".", ms=4, color="0.6", label="test points")
            axes.plot(x[order, 0], predicted[order], lw=2, color="tab:red", label="net")
            axes.set(xlabel="x", ylabel="y", title="Fit over the test points")
        else:
            ends = [float(y.min()), float(y.max())]
            axes.plot(ends, ends, color="0.6", label="perfect")
            axes.plot(y.flatten(), predicted.flatten(), ".", ms=4, label="test samples")
            axes.set(xlabel="true", ylabel="predicted", title="Prediction against truth")
        axes.legend()
        error = F.mse_loss(predicted, y).sqrt()
        axes.annotate(f"RMSE {error:.4g}", (0.02, 0.02), xycoords="axes fraction")
        save_figure(trainer, figure, "fit")
