"""The next character, by counting and by a small net, in a language whose entropy is known.

A text is an array (n,) of whole numbers 0 to K - 1, its letters. Losses are in nats per letter.
"""

import numpy as np
import torch
from torch import nn


def count(text: np.ndarray, order: int, size: int) -> np.ndarray:
    """How often each letter follows each run of `order` letters: (K,) * (order + 1), with K = `size`.

    With order 2, element [a, b, c] counts the places where a, b, c stand in a row; with order 0, element
    [c] counts all c.
    """
    # >>> solution: return the counts, one axis for each letter of the run and the last for the next
    counts = np.zeros((size,) * (order + 1))
    for end in range(order, len(text)):
        counts[tuple(text[end - order : end + 1])] += 1
    return counts
    # <<< solution


def probabilities(counts: np.ndarray, *, smoothing: float = 0.0) -> np.ndarray:
    """The chance of each letter given those before it: `smoothing` is added to each count, rows sum to 1.

    What follows a run that never came up is anybody's guess: all letters alike.
    """
    # >>> solution: return shares along the last axis, 1 / K where nothing was counted
    raised = counts + smoothing
    total = raised.sum(-1, keepdims=True)
    alike = np.full(counts.shape, 1 / counts.shape[-1])
    return np.divide(raised, total, out=alike, where=total > 0)
    # <<< solution


def loss(table: np.ndarray, text: np.ndarray) -> float:
    """The mean surprise -log p of the letters of a text, for a table (K,) * (order + 1).

    Only letters with `order` letters before them count. Infinite if one of them has no chance.
    """
    # >>> solution: return the mean of -log p over all letters that have a whole run before them
    order = table.ndim - 1
    runs = tuple(text[place : len(text) - order + place] for place in range(order + 1))
    with np.errstate(divide="ignore"):
        return float(-np.log(table[runs]).mean())
    # <<< solution


def sample(
    table: np.ndarray, start: np.ndarray, length: int, rng: np.random.Generator
) -> np.ndarray:
    """A text (length,) that begins with `start` and goes on letter by letter, each drawn by its chance.

    `start` has at least as many letters as the table looks back.
    """
    # >>> solution: return start and the letters drawn after it, `length` in all
    order, text = table.ndim - 1, [int(letter) for letter in start]
    while len(text) < length:
        row = table[tuple(text[len(text) - order :])]
        text.append(int(rng.choice(len(row), p=row)))
    return np.array(text)
    # <<< solution


def windows(text: np.ndarray, block: int) -> tuple[torch.Tensor, torch.Tensor]:
    """All runs of `block` letters and the letter after each: (n - block, block) and (n - block,), int64."""
    # >>> solution: return the runs and the letters that follow them
    data = torch.as_tensor(text, dtype=torch.int64)
    return data.unfold(0, block, 1)[:-1], data[block:]
    # <<< solution


class Net(nn.Module):
    """Scores of the next letter from the `block` letters before it: (B, block) int64 -> (B, K).

    Each letter becomes a vector of `width` numbers, the same wherever it stands; the vectors of the run, side
    by side, go through a hidden layer of `hidden` tanh units to K scores. Chances are their softmax, which is
    no part of the net. An untrained net guesses: its scores are so small that the loss is near log K.
    """

    def __init__(self, size: int, block: int, *, width: int = 8, hidden: int = 64) -> None:
        super().__init__()
        # >>> solution: make the layers
        self.letters = nn.Embedding(size, width)
        self.hidden = nn.Linear(block * width, hidden)
        self.scores = nn.Linear(hidden, size)
        # <<< solution

    def forward(self, runs: torch.Tensor) -> torch.Tensor:
        # >>> solution: return the scores, shape (B, K)
        return self.scores(self.hidden(self.letters(runs).flatten(1)).tanh())
        # <<< solution


def net_loss(net: nn.Module, runs: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """The mean surprise of the letters `following` (B,) after the runs (B, block): one number, with graph."""
    # >>> solution: return the mean of -log p, a tensor without axes
    return nn.functional.cross_entropy(net(runs), following)
    # <<< solution


def train(
    net: nn.Module, text: np.ndarray, block: int, *, steps: int, batch: int, lr: float
) -> None:
    """Makes `net` better at a text: `steps` steps of Adam, each on `batch` runs drawn at random by torch.

    The learning rate falls from `lr` to 0 along a straight line.
    """
    # >>> solution: change the net's weights, step by step
    runs, following = windows(text, block)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        drawn = torch.randint(len(runs), (batch,))
        optimizer.zero_grad()
        net_loss(net, runs[drawn], following[drawn]).backward()
        optimizer.step()
    # <<< solution
