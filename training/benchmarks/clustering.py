"""K-means on MNIST in batches of 1000 by the script / scikit-learn's MiniBatchKMeans over floats in memory.

One solution each, over the second epoch. The script also turns bytes into floats, validates, logs and keeps
checkpoints. Theirs takes the same batches one after another by `partial_fit`.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from sklearn.cluster import MiniBatchKMeans

from benchmarks.measuring import Clock, alternate, compare, last_epoch
from lab.data.mnist import MNIST

BATCH, CLUSTERS = 1000, 10
OPTIONS = (f"--data.batch_size={BATCH}", "--model.restarts=1", "--trainer.accelerator=cpu")


def theirs(x: torch.Tensor) -> float:
    """Samples per CPU second of the second epoch."""
    model = MiniBatchKMeans(CLUSTERS, batch_size=BATCH, n_init=1, random_state=0)
    started = 0.0
    for _ in range(2):
        started = time.process_time()
        for rows in torch.randperm(len(x)).split(BATCH):
            model.partial_fit(x[rows].numpy())
    return len(x) / (time.process_time() - started)


def ours() -> float:
    """Samples per CPU second of the second epoch."""
    words = ("--data=MNIST", "--model=Clustering", *OPTIONS)
    return 1 / last_epoch(time.process_time, 2, *words) * Clock.samples


def rows(repeats: int) -> Iterator[dict]:
    """Samples per CPU second."""
    data: Any = MNIST()
    data.setup("fit")
    x = data.batch_transform(data.train_set.tensors)[0].flatten(1)
    yield compare(
        "k-means / scikit-learn", "samples / CPU s", *alternate(repeats, ours, partial(theirs, x))
    )
