"""A long text as windows of equal length, cut out by one indexing operation for a whole batch.

Letters: N characters of the text, B windows, T characters in each.
A window is (x, y), both (B, T): characters and those that follow them. y is IGNORED where a
character is no target; `cross_entropy` then leaves it out.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lab.data.base import IGNORED, Batch, TensorSet
from lab.errors import LabError
from lab.seeding import mixed_seed


class TrainingWindows(TensorSet):
    """Windows side by side, so that an epoch is one pass over the text, moved by a shift for each batch.

    The shift, of less than a window, is mixed from the numbers of the windows in the batch. Those are a
    function of (seed, epoch), so the shift is too, and over the epochs every window of the text is met.

    Args:
        text: token numbers (N,).

    Raises:
        LabError: the text is too short for a window wherever it is shifted.
    """

    def __init__(self, text: Tensor, *, context: int) -> None:
        check_length(text, context, least=2 * context)
        self.text, self.context = text, context
        super().__init__(torch.arange((len(text) - context) // context) * context)

    def __getitem__(self, index: int) -> Batch:
        x, y = self.__getitems__([index])
        return x[0], y[0]

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        shift = mixed_seed(*(int(index) for index in indices)) % self.context
        starts = self.tensors[0][torch.as_tensor(indices)] + shift
        window = self.text[starts[:, None] + torch.arange(self.context + 1)].long()
        return window[:, :-1], window[:, 1:]


class HeldOutWindows(TensorSet):
    """The whole text in order; every character but the first, which nothing precedes, is a target once.

    The first characters of a window are predicted from few before them, which costs loss: with a window
    of 64 about a tenth of a nat on English. With an overlap a window begins with the last characters of
    the one before, as context and not as targets. The last window is moved back to end with the text.

    Args:
        text: token numbers (N,).
        overlap: how many characters of a window are there for context only.

    Raises:
        LabError: the text is shorter than a window.
    """

    def __init__(self, text: Tensor, *, context: int, overlap: int = 0) -> None:
        check_length(text, context, least=context + 1)
        self.text, self.context = text, context
        last = len(text) - 1 - context
        stride = context - overlap
        count = -(-last // stride) + 1
        starts = (torch.arange(count) * stride).clamp(max=last)
        # A target is counted in the first window that holds it.
        ends = starts + context
        known = torch.cat([torch.zeros(1, dtype=torch.long), ends[:-1]]) - starts
        super().__init__(starts, known)

    def __getitem__(self, index: int) -> Batch:
        x, y = self.__getitems__([index])
        return x[0], y[0]

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        starts, known = super().__getitems__(indices)
        places = torch.arange(self.context + 1)
        window = self.text[starts[:, None] + places].long()
        targets = window[:, 1:].masked_fill(places[:-1] < known[:, None], IGNORED)
        return window[:, :-1], targets


def window_sets(
    train: Tensor, val: Tensor, test: Tensor, *, context: int, overlap: int
) -> tuple[TensorSet, TensorSet, TensorSet]:
    """The three sets of a data module from the token numbers of its three texts."""
    return (
        TrainingWindows(train, context=context),
        HeldOutWindows(val, context=context, overlap=overlap),
        HeldOutWindows(test, context=context, overlap=overlap),
    )


def check_length(text: Tensor, context: int, *, least: int) -> None:
    """Raise LabError when a part of a text is too short for its windows."""
    if len(text) < least:
        raise LabError(
            f"a part of the text has {len(text)} characters, but --data.context {context} needs "
            f"{least}: choose a smaller one, or a longer text"
        )


def check_windows(context: int, overlap: int) -> None:
    """Raise LabError unless windows have a length and move on."""
    if context < 1:
        raise LabError(f"--data.context {context}: choose 1 character or more")
    if not 0 <= overlap < context:
        raise LabError(
            f"--data.overlap {overlap}: choose 0 to {context - 1}, less than --data.context"
        )


def prompt_loader(tokens: Tensor) -> DataLoader[Tensor]:
    """One batch (1, n) for `predict`: the numbers of a text to go on from.

    Raises:
        LabError: the text is empty.
    """
    if len(tokens) == 0:
        raise LabError("--data.prompt is empty: give at least one character to go on from")
    return DataLoader([tokens[None].long()], batch_size=None)  # type: ignore[arg-type]
