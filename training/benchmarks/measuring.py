"""What all parts of the benchmark share: rows that compare, turns, and runs of the script timed inside."""

import copy
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from lab.run import main

EXPERIMENT = Path(__file__).resolve().parents[1] / "run_experiment.py"
# Importing Lightning sets this; every step of AdamW is slower with it, which is no fault of a loop by hand.
SLOW = "PYTORCH_NVML_BASED_CUDA_CHECK"


def compare(what: str, unit: str, ours: Any, theirs: Any, pick: Any = statistics.median) -> dict:
    """The row of two lists of repeats; `pick` makes one number of a list."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    mine, other = pick(ours), pick(theirs)
    row = {"what": what, "unit": unit, "ours": mine, "theirs": other, "difference": mine - other}
    return row | {"ratio": mine / other, "lowest": min(ratios), "highest": max(ratios)}


def alternate(repeats: int, *contestants: Callable[[], Any]) -> list[tuple[Any, ...]]:
    """The results of each contestant; they take turns, so that all meet the same load."""
    rounds = [[contestant() for contestant in contestants] for _ in range(repeats)]
    return list(zip(*rounds, strict=True))


class Clock(pl.Callback):
    """The time at which epochs start and the last one ends; what training starts from."""

    now: Callable[[], float]
    marks: list[float]
    start: tuple[nn.Module, torch.optim.Optimizer]
    samples: int

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        # A model of several nets starts from all of them.
        nets = getattr(pl_module, "net", None) or nn.ModuleDict(dict(pl_module.named_children()))
        Clock.marks, Clock.start = [], copy.deepcopy((nets, trainer.optimizers[0]))
        Clock.samples = len(trainer.datamodule.train_set)  # type: ignore[attr-defined]

    def on_train_epoch_start(self, *_: Any) -> None:
        Clock.marks.append(Clock.now())

    on_train_end = on_train_epoch_start  # type: ignore[assignment]


def last_epoch(now: Callable[[], float], epochs: int, *words: str) -> float:
    """Call the script in this process; the seconds of the last epoch by the clock `now`."""
    Clock.now, os.environ[SLOW] = now, "1"
    sys.argv = [EXPERIMENT.name, *words, f"--trainer.callbacks+={__name__}.Clock"]
    sys.argv += [f"--trainer.max_epochs={epochs}"]
    assert main.main(EXPERIMENT.parent / "experiments") == 0, "the script failed"
    return Clock.marks[-1] - Clock.marks[-2]
