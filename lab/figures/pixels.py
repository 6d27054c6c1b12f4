"""Figures of next-pixel prediction: samples, and completions of half images."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import FSDPStrategy
from torch import Tensor

from lab.figures.base import save_figure
from lab.figures.images import image_grid


def stream(device: torch.device) -> torch.Generator:
    """Randomness of its own, the same for each figure, so that training does not depend on them."""
    return torch.Generator(device).manual_seed(0)


def can_draw(trainer: pl.Trainer) -> bool:
    """Whether the net may be called between steps: one cut into shards may not."""
    return not (trainer.sanity_checking or isinstance(trainer.strategy, FSDPStrategy))


class Samples(pl.Callback):
    """A sheet of new images, at the test and after 1, 2, 4, 8, ... epochs: pixel by pixel takes its time."""

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        epochs = trainer.current_epoch + 1
        if epochs & (epochs - 1) == 0:
            self.draw(trainer, pl_module, f"Samples after epoch {epochs}")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.draw(trainer, pl_module, "Samples")

    def draw(self, trainer: pl.Trainer, model: Any, title: str) -> None:
        if trainer.is_global_zero and can_draw(trainer):
            images = model.sample(64, stream(model.device))
            save_figure(trainer, image_grid(images, columns=8, title=title), "samples")


class Completions(pl.Callback):
    """The first test images, their upper halves, and how the net goes on from there, three times."""

    COUNT, TIMES = 10, 3

    def __init__(self) -> None:
        self.images: Tensor | None = None

    def on_test_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx == 0:
            self.images = pl_module.exact(batch[0][: self.COUNT])

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        images, self.images = self.images, None
        if images is None or not trainer.is_global_zero or not can_draw(trainer):
            return
        drawn = pl_module.complete(images.repeat(self.TIMES, 1, 1, 1), stream(images.device))
        given = images.clone()
        given[:, :, images.shape[2] // 2 :] = 0.5
        figure = image_grid(
            torch.cat([images, given, drawn]),
            columns=len(images),
            title="Test images, completed from their upper halves",
            row_labels=["image", "given", *(self.TIMES * ["drawn"])],
        )
        save_figure(trainer, figure, "completions")
