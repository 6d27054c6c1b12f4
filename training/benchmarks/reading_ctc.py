"""Reading lines by CTC: whole batches decoded at once, edits in compiled code / line by line in Python.

Both sides are given the same and give the same: likeliest numbers of each frame to texts as numbers, and
pairs of texts to edits.
"""
# from week 3

import itertools
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from benchmarks.measuring import alternate, compare
from lab.ctc import collapse
from lab.edit_distance import edits

# A batch of lines of about forty characters.
LINES, FRAMES, BLANK = 128, 176, 96
PAIRS = 200


def line_by_line(paths: Tensor, frames: Tensor) -> Tensor:
    """Texts as they are usually found: `groupby` on the path of each line."""
    texts = []
    for path, length in zip(paths, frames.tolist(), strict=True):
        groups = itertools.groupby(path[:length].tolist())
        texts.append(torch.tensor([number for number, _ in groups if number != BLANK]))
    return pad_sequence(texts, batch_first=True, padding_value=-1)


def plain_edits(read: str, truth: str) -> int:
    """Levenshtein's distance by a table of two rows (Wagner & Fischer 1974)."""
    row = list(range(len(truth) + 1))
    for i, first in enumerate(read, 1):
        last, row = row, [i]
        for j, second in enumerate(truth, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (first != second)))
    return row[-1]


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of some work, the mean of ten times."""
    started = time.process_time()
    for _ in range(10):
        work()
    return (time.process_time() - started) / 10


def lines() -> tuple[Tensor, Tensor]:
    """Paths of a trained net's kind, blanks between characters, and how many frames count."""
    generator = torch.Generator().manual_seed(0)
    shape = (LINES, FRAMES)
    paths = torch.randint(BLANK, shape, generator=generator)
    paths[torch.rand(shape, generator=generator) < 0.6] = BLANK
    return paths, torch.randint(FRAMES // 2, FRAMES + 1, (LINES,), generator=generator)


def pairs() -> tuple[list[str], list[str]]:
    """Texts of a line, and the same with some letters wrong."""
    chance = random.Random(0)
    letters = "abcdefghij "
    truth = ["".join(chance.choices(letters, k=chance.randint(20, 60))) for _ in range(PAIRS)]
    spoilt = [[c if chance.random() > 0.1 else chance.choice(letters) for c in t] for t in truth]
    return ["".join(text) for text in spoilt], truth


def rows(repeats: int) -> Iterator[dict]:
    """CPU seconds for a batch of lines, and for pairs of texts."""
    paths, frames = lines()
    assert torch.equal(collapse(paths, frames, blank=BLANK), line_by_line(paths, frames))
    times = alternate(
        repeats,
        lambda: seconds(lambda: collapse(paths, frames, blank=BLANK)),
        lambda: seconds(lambda: line_by_line(paths, frames)),
    )
    yield compare(f"greedy CTC of {LINES} lines, against groupby on each", "CPU s", *times)
    read, truth = pairs()
    assert edits(read, truth).tolist() == list(map(plain_edits, read, truth))
    times = alternate(
        repeats,
        lambda: seconds(lambda: edits(read, truth)),
        lambda: seconds(lambda: list(map(plain_edits, read, truth))),
    )
    yield compare(f"edits of {PAIRS} pairs of texts, against plain Python", "CPU s", *times)
