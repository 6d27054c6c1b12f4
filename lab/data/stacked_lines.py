"""Paragraphs stacked from single lines of writing, made when they are asked for.

Letters: N paragraphs, K places for lines in one. Which lines a paragraph has and where they stand is a
function of a seed and the paragraph's number alone.
"""
# from week 6

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lab.data.base import Batch
from lab.data.counted import uniform
from lab.data.stored_text_images import StoredTextImages, gathered
from lab.data.text_images import TextImages
from lab.seeding import mixed_seed

# In heights of a line: how far two lines overlap or are apart, and how far a line is indented.
GAPS = (-0.15, 0.4)
INDENT = 1.0


class StackedLines(TextImages):
    """Paragraphs of lines, one below the other, a little indented each.

    Args:
        lines: from which they are made, none higher or wider than the paragraphs may be.
        plan: (N, K) numbers of the lines, -1 where a paragraph has no more. Lines that would not fit any
            more are left out.
        newline: number of the line break in the alphabet.
        height: most pixels of a paragraph.
        width: most pixels of a paragraph.
        text_length: most characters of a paragraph.
    """

    def __init__(
        self,
        lines: StoredTextImages,
        plan: np.ndarray,
        *,
        newline: int,
        height: int,
        width: int,
        text_length: int,
        seed: int,
    ) -> None:
        count, places = plan.shape
        sizes = lines.sizes.numpy()
        high, wide = sizes[plan, 0], sizes[plan, 1]
        draws = uniform(mixed_seed(seed, 1), np.arange(count), 2 * places)
        usual = float(np.median(sizes[:, 0]))
        least, most = GAPS
        gaps = ((least + (most - least) * draws[:, :places]) * usual).astype(np.int64)
        gaps[:, 0] = gaps[:, 0].clip(min=0)
        tops = (high + gaps).cumsum(axis=1) - high
        lengths = np.array(list(map(len, lines.texts)))[plan] + 1
        short = lengths.cumsum(axis=1) - 1 <= text_length
        fits = (plan >= 0) & (tops + high <= height) & short
        # What comes after a line that does not fit is left out too; the first one always fits.
        tops[:, 0] = np.minimum(tops[:, 0], height - high[:, 0])
        fits[:, 0] = True
        self.counts = fits.cumprod(axis=1).sum(axis=1)
        used = np.arange(places) < self.counts[:, None]
        self.lefts = np.minimum((INDENT * usual * draws[:, places:]).astype(np.int64), width - wide)
        self.lines, self.plan, self.tops, self.newline = lines, plan, tops, newline
        bottoms = np.where(used, tops + high, 0).max(axis=1)
        rights = np.where(used, self.lefts + wide, 0).max(axis=1)
        super().__init__(torch.from_numpy(np.stack([bottoms, rights], axis=1)))
        self.writers = lines.writers[plan[:, 0]]

    @property
    def texts(self) -> tuple[str, ...]:
        """What is written in each."""
        known = self.lines.texts
        return tuple(
            "\n".join(known[line] for line in row[:count])
            for row, count in zip(self.plan.tolist(), self.counts, strict=True)
        )

    def image(self, index: int) -> Tensor:
        """Ink (H, W) of one; where two lines overlap, the darker of both."""
        page = torch.zeros(self.sizes[index].tolist(), dtype=torch.uint8)
        for place in range(self.counts[index]):
            line = self.lines.image(self.plan[index, place])
            top, left = self.tops[index, place], self.lefts[index, place]
            there = page[top : top + line.shape[0], left : left + line.shape[1]]
            torch.maximum(there, line, out=there)
        return page

    def target(self, index: int) -> Tensor:
        """Token numbers (L,) of one text."""
        rows = self.plan[index, : self.counts[index]].tolist()
        pieces = [self.lines.target(row) for row in rows]
        newline = torch.tensor([self.newline], dtype=pieces[0].dtype)
        return torch.cat([part for piece in pieces for part in (newline, piece)][1:])

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        return gathered(self, indices)


def random_plan(writers: Tensor, count: int, *, most: int, seed: int) -> np.ndarray:
    """For each of `count` paragraphs 1 to `most` lines of one writer, all as often as another, (N, K)."""
    numbers = writers.numpy()
    order = numbers.argsort(kind="stable")
    per_writer = np.bincount(numbers)
    begins = per_writer.cumsum() - per_writer
    draws = uniform(mixed_seed(seed, 0), np.arange(count), 2 + most)
    writer = numbers[(draws[:, 0] * len(numbers)).astype(np.int64)]
    chosen = (draws[:, 2:] * per_writer[writer, None]).astype(np.int64)
    lengths = 1 + (draws[:, 1:2] * most).astype(np.int64)
    return np.where(np.arange(most) < lengths, order[begins[writer, None] + chosen], -1)


def whole_plan(writers: Tensor, *, most: int) -> np.ndarray:
    """All lines once, in their order: `most` lines of one writer to a paragraph, or what is left, (N, K)."""
    paragraphs: list[list[int]] = []
    last = None
    for line, writer in enumerate(writers.tolist()):
        if writer != last or len(paragraphs[-1]) == most:
            paragraphs.append([])
        paragraphs[-1].append(line)
        last = writer
    return np.array([row + [-1] * (most - len(row)) for row in paragraphs])
