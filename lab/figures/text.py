"""Figures of text."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lab.figures.base import figure_path


class SampledText(pl.Callback):
    """What the model writes at each validation, one below the other in `figures/samples.txt`.

    It goes on from the first characters of validation windows. Loggers with `log_text` get the texts too.

    Args:
        texts: how many.
        prompt: characters of a window to go on from.
        length: characters to go on for.
    """

    def __init__(self, *, texts: int = 2, prompt: int = 8, length: int = 200) -> None:
        self.texts, self.prompt, self.length = texts, prompt, length
        self.prompts: Tensor | None = None

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx == 0:
            self.prompts = batch[0][: self.texts, : self.prompt]

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero or self.prompts is None:
            return
        if not hasattr(pl_module.net, "step"):
            return
        # A generator of its own, so that training draws the same numbers with or without samples.
        generator = torch.Generator(self.prompts.device).manual_seed(trainer.global_step)
        texts = pl_module.write(self.prompts, length=self.length, generator=generator)
        with figure_path(trainer, "samples.txt").open("a", encoding="utf-8") as file:
            for text in texts:
                file.write(
                    f"--- epoch {trainer.current_epoch}, step {trainer.global_step}\n{text}\n\n"
                )
        for logger in trainer.loggers:
            if hasattr(logger, "log_text"):
                logger.log_text(key="samples", columns=["text"], data=[[text] for text in texts])
