"""A GRU on PythonDocs by the script / a plain loop; sampling with a cache / reading all anew each time.

The script also validates, logs, writes samples and keeps checkpoints. The plain loop has the same net,
optimizer and batch size, cuts its windows out one by one, and validates.
"""

import copy
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import SLOW, Clock, alternate, compare, last_epoch
from lab.data.char_docs import PythonDocs
from lab.nets.recurrent import GRU
from lab.nets.transformer import Transformer  # from week 4
from lab.sampling import Steps, generate

BATCH, CONTEXT, WIDTH = 32, 64, 128
OPTIONS: tuple[str, ...] = (
    "--data=PythonDocs",
    f"--data.batch_size={BATCH}",
    f"--data.context={CONTEXT}",
)
OPTIONS += ("--model=CharLM", "--model.net=GRU", f"--model.net.width={WIDTH}")
OPTIONS += ("--data.overlap=0", "--trainer.accelerator=cpu")
NETS: list[Any] = [
    GRU,
    Transformer,  # from week 4
]


def windows(text: Tensor, starts: list[int]) -> tuple[Tensor, Tensor]:
    """Inputs and targets (B, T), cut out one after another."""
    x = torch.stack([text[start : start + CONTEXT] for start in starts])
    y = torch.stack([text[start + 1 : start + CONTEXT + 1] for start in starts])
    return x, y


def by_hand(net: nn.Module, optimizer: Any, train: Tensor, val: Tensor) -> float:
    """Train once through a text; then the mean loss on another."""

    def loss(text: Tensor, starts: Tensor) -> Tensor:
        x, y = windows(text, starts.tolist())
        return F.cross_entropy(net(x).flatten(0, 1), y.flatten())

    net.train()
    for starts in (torch.randperm((len(train) - 1) // CONTEXT) * CONTEXT).split(BATCH):
        optimizer.zero_grad()
        loss(train, starts).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        places = torch.arange(0, len(val) - CONTEXT, CONTEXT).split(BATCH)
        return sum(loss(val, starts).item() * len(starts) for starts in places)


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


class ReadsAnew:
    """A net that keeps no cache: at each step it reads all that it sees so far."""

    def __init__(self, net: Any) -> None:
        self.net = net

    def step(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits of what follows; the state is the text itself."""
        seen = tokens if state is None else torch.cat([state, tokens], 1)
        return self.net(seen)[:, -1], seen


def rows(repeats: int) -> Iterator[dict]:
    """Training in tokens of the second epoch for each CPU second, then sampling in CPU seconds."""
    data = PythonDocs(context=CONTEXT)
    data.setup("fit")
    train, val = (part.text.long() for part in (data.train_set, data.val_set))  # type: ignore[attr-defined]

    def theirs() -> float:
        os.environ.pop(SLOW, None)
        net, optimizer = copy.deepcopy(Clock.start)
        by_hand(net, optimizer, train, val)
        return seconds(partial(by_hand, net, optimizer, train, val))

    ours = partial(last_epoch, time.process_time, 2, *OPTIONS)
    spent = alternate(repeats, ours, theirs)
    tokens = len(data.train_set) * CONTEXT
    speeds = [[tokens / span for span in side] for side in spent]
    yield compare("char: training / plain loop", "tokens / CPU s", *speeds)

    length = 512
    prompt = torch.zeros(1, 1, dtype=torch.long)
    for kind in NETS:
        net = kind((length,), len(data.vocabulary), width=WIDTH).eval()

        def sample(steps: Steps) -> float:
            return seconds(partial(generate, steps, prompt, length=length))

        pair = alternate(repeats, partial(sample, net), partial(sample, ReadsAnew(net)))
        yield compare(f"char: {kind.__name__} writes {length} / no cache", "CPU s", *pair)
