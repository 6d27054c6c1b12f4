"""How models log: metrics that add up exactly, and a training loss that costs next to nothing."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor


def log_training_loss(module: pl.LightningModule, loss: Tensor, name: str = "train/loss") -> None:
    """Log at the steps that are logged, and only then.

    `self.log` at every step would take a tenth of the time of a small net's step to be thrown away.
    """
    trainer = module.trainer
    every = trainer.log_every_n_steps  # type: ignore[attr-defined]
    # 0 is Lightning's way to say never.
    if every and (trainer.global_step + 1) % every == 0:
        module.log(name, loss, prog_bar=True)


def log_metrics(module: Any, stage: str, *, shown: str) -> None:
    """Log `module.metrics[stage]` as `stage/name`; loss and `shown` also stand in the progress bar.

    Losses are MeanMetrics weighted by batch size: Lightning's own mean over processes rounds the number of
    samples to a whole number per process, and so is wrong when their batches differ.
    """
    for name, metric in module.metrics[stage].items():
        module.log(f"{stage}/{name}", metric, prog_bar=name in ("loss", shown))
