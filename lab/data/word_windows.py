"""Words and their neighbours as blocks of running text: the pairs of skip-gram without a list of pairs.

A block has L centre words and W words more on either side. Which neighbours of a centre count is told by
its reach r: all at most r words away in the same sentence, as in "dynamic window" (Mikolov et al. 2013):
r is drawn evenly from 1 to W. Frequent words are dropped before, so that a window spans more of the rest.

Shapes: B blocks, L centres each, C = L + 2 W words each; a batch on the device is
words (B, C) of long and weights (B, L, C), 1 where word C is a neighbour of centre L and else 0.
"""

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lab.data.base import Batch, BatchIndices, LabData, Loader, TensorSet
from lab.errors import LabError
from lab.seeding import mixed_seed

LENGTH = 64
NONE = -1


def check_windows(window: int, subsample: float) -> None:
    """Raise LabError when one of the options of all word data is out of range."""
    if window < 1:
        raise LabError(f"--data.window {window}: choose 1 or more words on either side")
    if not 0 <= subsample < math.inf:
        raise LabError(f"--data.subsample {subsample}: choose 0 (none) or a share such as 1e-3")


def keep_probability(counts: Tensor, subsample: float) -> Tensor:
    """With which probability each word stays, (V,), from its count in the text.

    That of word2vec's code (its paper has another): a word with share f of the text stays with
    sqrt(t / f) + t / f, so all words rarer than about 2.6 t do. With t = 0 all words do.
    """
    if subsample == 0:
        return torch.ones(len(counts))
    share = counts.double() / counts.sum() / subsample
    return ((share.sqrt() + 1) / share.clamp(min=1e-12)).clamp(max=1).float()


def neighbours(words: Tensor, sentences: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Words (B, C) and weights (B, L, C) from words and sentences (B, C) and reaches (B, L)."""
    length = reach.shape[1]
    window = (words.shape[1] - length) // 2
    place = torch.arange(words.shape[1], device=words.device) - window
    distance = (place[:length, None] + window - place).abs()
    # A word is no neighbour of itself.
    distance[distance == 0] = 1 << 30
    near = distance.int() <= reach[:, :, None]
    same = sentences[:, window : window + length, None] == sentences[:, None]
    return words.long(), (near & same).float()


def as_pairs(batch: Batch) -> Batch:
    """The transform of a batch: blocks become words and weights; queries stay as they are."""
    return neighbours(*batch) if len(batch) == 3 else batch


class EpochIndices(BatchIndices):
    """Batches whose indices tell the epoch, see `WordWindows`."""

    def __iter__(self) -> Iterator[Any]:
        for rows in super().__iter__():
            yield rows + self.epoch * self.count


class WordWindows(Dataset[Batch]):
    """Blocks of a text that is subsampled anew in every epoch, with fresh reaches.

    Index e * len + i is block i of epoch e, so that workers need no other word of the epoch. A block is
    words and sentences (C,) of int32 and reaches (L,) of int32. The number of blocks is enough for what
    a draw keeps (mean plus five deviations); the last ones may be empty.

    Args:
        words: the text as numbers, (N,).
        sentences: number of the sentence of each word, (N,), in order.
        keep: probability of each word of the vocabulary to stay.
    """

    sampler = EpochIndices

    def __init__(
        self, words: Tensor, sentences: Tensor, keep: Tensor, *, window: int, seed: int = 0
    ) -> None:
        self.words, self.sentences, self.keep = words.int(), sentences.int(), keep
        self.window, self.seed = window, seed
        stays = keep[words].double()
        most = stays.sum() + 5 * (stays * (1 - stays)).sum().sqrt()
        self.blocks = max(math.ceil(min(float(most), len(words)) / LENGTH), 1)
        self.epoch: int | None = None
        self.drawn: Batch = ()

    def __len__(self) -> int:
        return self.blocks

    def __getitem__(self, index: int) -> Batch:
        return tuple(column[0] for column in self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        epoch = int(indices[0]) // self.blocks
        if epoch != self.epoch:
            self.drawn, self.epoch = self.draw(mixed_seed(self.seed, epoch)), epoch
        rows = torch.as_tensor(indices) - epoch * self.blocks
        return tuple(column.index_select(0, rows) for column in self.drawn)

    def draw(self, seed: int) -> Batch:
        """Words, sentences (blocks, C) as views of one text, and reaches (blocks, L)."""
        generator = torch.Generator().manual_seed(seed)
        places = torch.rand(len(self.words), generator=generator) < self.keep[self.words]
        size = self.blocks * LENGTH
        reach = torch.randint(1, self.window + 1, (size,), generator=generator, dtype=torch.int32)
        # Padding reaches nothing, and nothing is in its sentence.
        reach[int(places.sum()) :] = 0
        columns = []
        for values, empty in ((self.words, 0), (self.sentences, NONE)):
            kept = values[places][:size]
            line = torch.full((size + 2 * self.window,), empty, dtype=torch.int32)
            line[self.window : self.window + len(kept)] = kept
            columns.append(line.unfold(0, LENGTH + 2 * self.window, LENGTH))
        return *columns, reach.view(-1, LENGTH)

    def fixed(self) -> TensorSet:
        """One draw, always the same, as a set for validation or test."""
        return TensorSet(*(column.contiguous() for column in self.draw(0)))


def epochs_loader(data: LabData, samples: WordWindows) -> Loader:
    """As `LabData.loader`, of a text that is drawn anew in every epoch."""
    samples.seed = int(os.environ.get("PL_GLOBAL_SEED", 0))
    return data.loader(samples, shuffle=True)
