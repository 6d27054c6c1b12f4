"""What Lightning does around every step to no effect, left out: a third of its time beside a small net."""

import contextlib
import os
from functools import cached_property
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.profilers import PassThroughProfiler


class NoProfiler(PassThroughProfiler):
    """Measures nothing, in one context for all; Lightning's own builds forty generators a step for that."""

    nothing = contextlib.nullcontext()

    def profile(self, action_name: str) -> Any:
        return self.nothing


class Checkpoint(ModelCheckpoint):
    """Spells its key once; Lightning asks for it around every hook."""

    @cached_property
    def state_key(self) -> str:  # type: ignore[override]
        return super().state_key


def stop_asking_nvml(device: torch.device) -> None:
    """On a CPU, undo the way in which Lightning makes torch look for GPUs.

    It has torch load the driver's management library, so that processes can be forked. AdamW asks at
    every step whether there is a GPU, and without one the disk is searched for that library each time.
    """
    if device.type == "cpu":
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
