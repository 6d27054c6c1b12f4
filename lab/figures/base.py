"""What all figures share: where they go, and how a test's are collected.

Figures are callbacks, written to the run folder and to every logger that takes images. They collect from what
`test_step` returns and draw once at the end of the test. What they keep does not grow with the test set. With
several processes each collects its share, the first draws all.
"""

import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor

Columns = tuple[Any, ...]


def figure_path(trainer: pl.Trainer, name: str) -> Path:
    """`figures/<name>` below the trainer's folder, ready to be written."""
    path = Path(trainer.default_root_dir) / "figures" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def save_figure(trainer: pl.Trainer, figure: Figure, name: str) -> None:
    """Write `figures/<name>.png`; loggers with `log_image` get it too."""
    path = figure_path(trainer, f"{name}.png")
    with warnings.catch_warnings():
        # Texts that are read may have letters that the font lacks; a box stands for them.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(path, dpi=100, bbox_inches="tight")
    for logger in trainer.loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(key=f"figures/{name}", images=[str(path)])


def class_names(trainer: pl.Trainer, num_classes: int) -> list[str]:
    """Names of the classes, as the data module states them, else their numbers."""
    names = getattr(trainer.datamodule, "class_names", None)  # type: ignore[attr-defined]
    return [str(name) for name in (range(num_classes) if names is None else names)]


def highest(parts: list[Columns], most: int) -> Columns:
    """The `most` rows of all parts with the highest first column, in that order."""
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    order = columns[0].argsort(descending=True, stable=True)[:most]
    return tuple(column[order] for column in columns)


class TestFigure(pl.Callback):
    """Base of the figures of a test: `select` from each batch, `merge` batches, `draw` the result."""

    __test__ = False  # its name is no sign of a pytest class

    def __init__(self) -> None:
        self.kept: list[Columns] = []

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        """What to keep of a batch (x, y) and the tensor that `test_step` returned for it."""
        raise NotImplementedError

    def collect(self, batch: Any, outputs: Any) -> Columns:
        """What to keep of a batch of any kind and what `test_step` returned for it, on the CPU."""
        x, y = batch
        selected = self.select(x, y, outputs.detach().float())
        return tuple(column.cpu() for column in selected)

    def merge(self, parts: list[Columns]) -> Columns:
        """What to keep of several batches or processes."""
        raise NotImplementedError

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        """Make the figure."""
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
        self.kept = [self.merge([*self.kept, self.collect(batch, outputs)])]

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        shares: list[Any] = [self.kept]
        if trainer.world_size > 1:
            shares = [None] * trainer.world_size
            torch.distributed.all_gather_object(shares, self.kept)
        parts = [part for share in shares for part in share]
        self.kept = []
        if trainer.is_global_zero and parts:
            self.draw(trainer, *self.merge(parts))
