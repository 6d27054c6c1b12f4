"""How far training is: a bar refreshed by the clock, or a line per epoch where there is no terminal."""

import sys
import time

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar as Progress
from pytorch_lightning.callbacks import TQDMProgressBar


def progress() -> Progress:
    """What suits the place that errors are written to."""
    return ProgressBar() if sys.stderr.isatty() else EpochLines()


class ProgressBar(TQDMProgressBar):
    """Refreshes at most every `seconds`; refreshing at each step would cost more than a small net's step."""

    def __init__(self, seconds: float = 0.1) -> None:
        super().__init__(refresh_rate=1)
        self.seconds = seconds
        self.last = 0.0

    def _should_update(self, current: int, total: int | float) -> bool:
        now = time.monotonic()
        if current < total and now - self.last < self.seconds:
            return False
        self.last = now
        return True

    def get_metrics(self, trainer, pl_module):  # type: ignore[no-untyped-def]
        """The metrics without the run's version number, which says nothing to a reader."""
        return {
            key: value
            for key, value in super().get_metrics(trainer, pl_module).items()
            if key != "v_num"
        }


class EpochLines(Progress):
    """One line per epoch, for files and pipes, in which the frames of a bar would pile up."""

    enabled = True

    def disable(self) -> None:
        """Lightning calls this on all processes but the first."""
        self.enabled = False

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.enabled:
            return
        last = trainer.max_epochs if (trainer.max_epochs or -1) > 0 else "?"
        values = {key: float(value) for key, value in trainer.progress_bar_metrics.items()}
        shown = "  ".join(f"{key} {value:.4g}" for key, value in values.items() if "/" in key)
        print(f"epoch {trainer.current_epoch + 1}/{last}  {shown}", file=sys.stderr)
