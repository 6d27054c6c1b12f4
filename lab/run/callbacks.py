"""What every run does during training, whatever its model: seeds, uneven batches, broken losses."""

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lab.errors import LabError
from lab.run.checkpoint import AT_EACH_EPOCH, CONFIG_KEY
from lab.run.lean import Checkpoint
from lab.seeding import mixed_seed


def clocks() -> tuple[float, float]:
    """Wall-clock and CPU time of this process, in seconds."""
    return time.perf_counter(), time.process_time()


class Guard(pl.Callback):
    """Seeds each epoch, stops at a loss that is no number, keeps the time and the configuration.

    The seed is set anew at every epoch from (seed, epoch, rank), so that a run resumed at an epoch draws the
    same dropout masks and augmentations as one that was never stopped, and ranks draw different ones.
    `seconds` and `cpu_seconds` count training with its validation, over all parts of a resumed run.
    """

    def __init__(self, seed: int, config: dict[str, Any]) -> None:
        self.seed, self.config = seed, config
        self.before = (0.0, 0.0)
        self.started = clocks()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = clocks()

    def spent(self) -> tuple[float, float]:
        """Seconds and CPU seconds of training so far."""
        times = zip(self.before, self.started, clocks(), strict=True)
        wall, cpu = (before + end - start for before, start, end in times)
        return wall, cpu

    def state_dict(self) -> dict[str, Any]:
        return {"spent": list(self.spent())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.before = tuple(state_dict["spent"])

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[CONFIG_KEY] = json.dumps(self.config)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.manual_seed(mixed_seed(self.seed, trainer.current_epoch, trainer.global_rank))

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        # Looking at the loss waits for the device, so not at every step.
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if trainer.is_last_batch or (every and trainer.global_step % every == 0):
            self.check(trainer, outputs)

    def check(self, trainer: pl.Trainer, outputs: Any) -> None:
        """Raise LabError when the loss of a training step is not finite."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if loss is not None and not torch.isfinite(loss):
            raise LabError(
                f"the training loss is {float(loss)} at step {trainer.global_step}"
                f" (epoch {trainer.current_epoch}).\n"
                "Try a lower --model.lr, --trainer.gradient_clip_val 1, or look at the data.\n"
                f"Checkpoints from before, if any: {trainer.default_root_dir}/checkpoints"
            )


class UnevenBatches(pl.Callback):
    """Makes the gradient of several processes that of one process with the whole batch.

    Processes average their gradients as if each had the same number of samples. The last batch of an
    epoch may be one sample larger on some, so each scales its loss gradient by its share.
    """

    def __init__(self) -> None:
        self.scale = 1.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        sampler = getattr(trainer.train_dataloader, "batch_sampler", None)
        if sampler is not None and hasattr(sampler, "global_size"):
            self.scale = (
                sampler.local_size(batch_idx) * trainer.world_size / sampler.global_size(batch_idx)
            )

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        if self.scale != 1.0:
            scale = self.scale
            loss.register_hook(lambda gradient: gradient * scale)


def add_own(trainer: pl.Trainer, folder: Path) -> None:
    """Add what must stand at the very beginning or end of a built trainer's callbacks."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    if trainer.world_size > 1:
        callbacks.insert(0, UnevenBatches())
    if not trainer.fast_dev_run:  # type: ignore[attr-defined]
        # `save_last` would follow only when the best one is written. Behind it, to know its state.
        callbacks.append(Checkpoint(str(folder / "checkpoints"), "last", **AT_EACH_EPOCH))
