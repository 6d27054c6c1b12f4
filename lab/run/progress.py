"""Lightning's progress bar, refreshed by the clock: ten times a second however short a step is."""

import time

from pytorch_lightning.callbacks import TQDMProgressBar


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
