"""An MLP on MNIST by the script / the same by hand over a default DataLoader, and over tensors in memory.

The script also validates, logs and keeps checkpoints; the loop by hand has the same net, optimizer and batch
size, validates, and reads floats that were standardised beforehand.
"""

import copy
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.measuring import SLOW, Clock, alternate, compare, last_epoch
from lab.data.mnist import MNIST

BATCH = 128
OPTIONS = (f"--data.batch_size={BATCH}", "--model.net=MLP", "--trainer.accelerator=cpu")


def by_hand(net: nn.Module, optimizer: Any, train: Iterable, val: Iterable) -> tuple[float, int]:
    """Train for an epoch; then loss summed over the validation set, and how many are right."""
    net.train()
    for x, y in train:
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
    net.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for x, y in val:
            logits = net(x)
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            right += int((logits.argmax(1) == y).sum())
    return loss, right


def rows(repeats: int) -> Iterator[dict]:
    """CPU seconds of the second epoch, from the same start."""
    data: Any = MNIST()
    data.setup("fit")
    train, val = (data.batch_transform(part.tensors) for part in (data.train_set, data.val_set))

    def in_memory(x: Tensor, y: Tensor, shuffle: bool) -> Iterable:
        if shuffle:
            return ((x[rows], y[rows]) for rows in torch.randperm(len(x)).split(BATCH))
        return zip(x.split(BATCH), y.split(BATCH), strict=True)

    def theirs(load: Callable[..., Iterable]) -> float:
        os.environ.pop(SLOW, None)
        net, optimizer = copy.deepcopy(Clock.start)
        for _ in range(2):
            started = time.process_time()
            by_hand(net, optimizer, load(*train, shuffle=True), load(*val, shuffle=False))
        return time.process_time() - started

    ours = partial(last_epoch, time.process_time, 2, "--data=MNIST", *OPTIONS)
    loads = (lambda x, y, shuffle: DataLoader(TensorDataset(x, y), BATCH, shuffle), in_memory)
    own, default, memory = alternate(repeats, ours, *(partial(theirs, load) for load in loads))
    yield compare("epoch / default DataLoader", "CPU s", own, default)
    yield compare("epoch / tensors in memory", "CPU s", own, memory)
