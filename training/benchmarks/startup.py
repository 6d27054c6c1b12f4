"""A process until its first training step is done, and `--help` / `import pytorch_lightning`; minima."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytorch_lightning as pl

from benchmarks.measuring import EXPERIMENT, alternate, compare


class FirstStep(pl.Callback):
    """Ends the process when the first training step is done."""

    def on_train_batch_end(self, *_: Any) -> None:
        os._exit(0)


def rows(repeats: int) -> Iterator[dict]:
    """New processes; the script finds the callback because this package lies beside it."""

    def spent(*words: str) -> tuple[float, float]:
        before = os.times()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        return after.elapsed - before.elapsed, sum(after[2:4]) - sum(before[2:4])

    lightning = partial(spent, "-c", "import os, pytorch_lightning; os._exit(0)")
    first = partial(spent, str(EXPERIMENT), "--trainer.callbacks+=benchmarks.startup.FirstStep")
    found = alternate(repeats, lightning, first, partial(spent, str(EXPERIMENT), "--help"))
    for side, unit in enumerate(("s", "CPU s")):
        imports, steps, helps = ([pair[side] for pair in pairs] for pairs in found)
        yield compare("first step / import Lightning", unit, steps, imports, min)
        yield compare("--help / import Lightning", unit, helps, imports, min)
