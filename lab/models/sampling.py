"""A pass over training samples outside of the steps, to seed clusters from."""

import os
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lab.seeding import mixed_seed

# So many samples at most: more would not make seeds better.
SAMPLE = 20_000


def training_sample(trainer: pl.Trainer, embed: Callable[[Tensor], Tensor]) -> Tensor:
    """Training samples as `embed` gives them from inputs, (N, ...), in an order of their own."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    # A loader of its own: one with lasting workers can only be read once at a time.
    loader: Any = trainer.train_dataloader if data is None else data.train_dataloader()
    rows: list[Tensor] = []
    for batch in islice(loader, count_of(trainer)):
        rows.append(embed(trainer.strategy.batch_to_device(batch)[0]))
        if sum(map(len, rows)) >= SAMPLE:
            break
    return torch.cat(rows)[:SAMPLE]


def count_of(trainer: pl.Trainer) -> int | None:
    """Batches of an epoch; None when there is no end of them."""
    batches = trainer.num_training_batches
    return int(batches) if batches != float("inf") else None


def seeded_generator(device: torch.device) -> torch.Generator:
    """Random numbers that depend on the run's seed alone."""
    seed = mixed_seed(int(os.environ.get("PL_GLOBAL_SEED", 0)))
    return torch.Generator(device).manual_seed(seed)
