"""Lines and pages put together from pictures of single characters, a whole batch at once.

Letters: N texts, L places for characters in the longest, G pictures, w and h their width and height, V
characters in the alphabet. Texts are numbers (N, L) by the alphabet, IGNORED where one has ended. All that
is random is a function of a seed and the number of the text alone, so any worker draws the same image.
"""
# from week 3

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from lab.data.base import IGNORED, Batch
from lab.data.text_images import TextImages, padded_width
from lab.errors import LabError

# Columns of paper before and after a text.
MARGIN = 2
# Paler pixels are paper; with them more than half of a crowded line would be ink.
FAINT = 32


class Glyphs:
    """Pictures of single characters, sorted by which character they show.

    Args:
        pictures: (G, w, h) uint8, columns first, 0 being paper; the darkest pixel of each becomes 255,
            and very faint ones become paper. All of them may follow once more in other sizes, (S G, w, h).
        numbers: (G,), the character of each.
        alphabet: V, how many characters there are; those without pictures are blanks.

    Attributes:
        left, width: (S G,), the first column with ink, and how many there are from it to the last.
    """

    def __init__(self, pictures: np.ndarray, numbers: np.ndarray, *, alphabet: int) -> None:
        darkest = pictures.max(axis=(1, 2))
        dim = np.flatnonzero((darkest < 255) & (darkest > 0))
        if len(dim):
            pictures = pictures.copy()
            factor = 255 / darkest[dim, None, None]
            pictures[dim] = np.rint(pictures[dim] * factor).astype(np.uint8)
        pictures = pictures * (pictures >= FAINT)
        columns = pictures.max(axis=2)
        self.pictures = pictures
        self.left = (columns > 0).argmax(axis=1)
        self.width = columns.shape[1] - (columns[:, ::-1] > 0).argmax(axis=1) - self.left
        self.order = numbers.argsort(kind="stable")
        self.counts = np.bincount(numbers, minlength=alphabet)
        self.starts = self.counts.cumsum() - self.counts

    def choose(self, tokens: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """For each character (N, L) one of its pictures by a number in [0, 1); -1 for blanks."""
        known = np.maximum(tokens, 0)
        place = self.starts[known] + (draws * self.counts[known]).astype(np.int64)
        blank = (tokens < 0) | (self.counts[known] == 0)
        return np.where(blank, -1, self.order[np.where(blank, 0, place)])


@dataclass(frozen=True)
class Spacing:
    """How the characters of a line follow each other, in pixels but for `overlap`.

    Attributes:
        overlap: how much of the narrower of two neighbours the other covers at most.
        gap: the largest distance between two neighbours.
        blank: the least and the largest width of a space.
    """

    overlap: float
    gap: float
    blank: tuple[float, float]

    def longest(self, glyphs: int, blanks: int, *, width: int) -> int:
        """The width of a text with so many characters at most, none wider than `width`."""
        return int(glyphs * (width + self.gap) + blanks * self.blank[1]) + 2 * MARGIN


def check_lines(train_size: int, least: int, most: int, overlap: float) -> None:
    """Raise LabError for options that are out of range."""
    if train_size < 1:
        raise LabError(f"--data.train_size {train_size}: choose 1 or more")
    if not 1 <= least <= most:
        raise LabError(f"--data.min_length {least}: choose 1 to {most}, which is --data.max_length")
    if not 0 <= overlap <= 0.5:
        raise LabError(f"--data.overlap {overlap}: choose 0 (none) to 0.5, half of a character")


def place(
    glyphs: Glyphs, chosen: np.ndarray, draws: np.ndarray, spacing: Spacing, *, ended: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the ink of each character begins (N, L), and how wide the image of each line is (N,).

    Args:
        chosen: (N, L) pictures, -1 for blanks.
        draws: (N, 1 + L) in [0, 1): how loose a line is, and each of its places.
        ended: (N, L), whether a line has ended before this place.
    """
    inked = chosen >= 0
    width = np.where(inked, glyphs.width[chosen], 0)
    # A line has its own density, from which its places differ a little.
    loose = 0.6 * draws[:, :1] + 0.4 * draws[:, 1:]
    least = -spacing.overlap * np.minimum(width, np.roll(width, -1, axis=1))
    least_blank, most_blank = spacing.blank
    step = np.where(
        inked,
        width + least + loose * (spacing.gap - least),
        least_blank + loose * (most_blank - least_blank),
    )
    step[ended] = 0
    begins = MARGIN + (step.cumsum(axis=1) - step).astype(np.int64)
    return begins, np.where(inked, begins + width, 0).max(axis=1) + MARGIN


@dataclass(frozen=True)
class Places:
    """Which pictures are drawn where.

    Attributes:
        chosen: (N, L) pictures, -1 where there is none.
        begins: (N, L), in which column the ink of each begins.
        tops: (N, L), in which row each picture begins.
    """

    chosen: np.ndarray
    begins: np.ndarray
    tops: np.ndarray


class GlyphImages(TextImages):
    """Texts as images that are put together when they are asked for.

    Args:
        tokens: (N, L) numbers by the alphabet.
        places: of the pictures.
        sizes: (N, 2), height and width of each image.
    """

    def __init__(
        self, glyphs: Glyphs, tokens: np.ndarray, places: Places, *, sizes: np.ndarray
    ) -> None:
        super().__init__(torch.from_numpy(sizes))
        self.glyphs = glyphs
        # Those that show something come first.
        inked = (places.chosen < 0).argsort(axis=1, kind="stable")
        self.chosen, begins, self.tops = (
            np.take_along_axis(values, inked, axis=1).astype(np.int32)
            for values in (places.chosen, places.begins, places.tops)
        )
        self.lefts = begins - glyphs.left[self.chosen].astype(np.int32)
        self.tokens = torch.from_numpy(tokens)
        self.lengths = (self.tokens != IGNORED).sum(1)

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        rows = np.asarray(indices)
        sizes, lengths = self.sizes[rows], self.lengths[rows]
        height, width = sizes.amax(0).tolist()
        images = compose(
            self.glyphs.pictures,
            self.chosen[rows],
            self.lefts[rows],
            self.tops[rows],
            height=height,
            width=padded_width(width),
        )
        targets = self.tokens[rows, : int(lengths.max())].long()
        return images, sizes, targets, torch.zeros(len(rows), dtype=torch.long)


def compose(
    pictures: np.ndarray,
    chosen: np.ndarray,
    lefts: np.ndarray,
    tops: np.ndarray,
    *,
    height: int,
    width: int,
) -> Tensor:
    """Images (B, 1, height, width) of the chosen pictures (B, L), whose ink adds up to 255 at most.

    The loop is over the places of a text: each is drawn in all images at once.
    """
    wide, high = pictures.shape[1:]
    # What a picture has beyond the ends of the image falls into the paper around it.
    canvas = np.zeros((len(chosen), width + 2 * wide, height), dtype=np.uint8)
    windows = sliding_window_view(canvas, (wide, high), axis=(1, 2), writeable=True)
    for place in range(int((chosen >= 0).sum(axis=1).max())):
        rows = np.flatnonzero(chosen[:, place] >= 0)
        where = rows, lefts[rows, place] + wide, tops[rows, place]
        there = windows[where]
        # 255 less what is there already is its complement; a plain sum would begin anew at 256.
        windows[where] = there + np.minimum(pictures[chosen[rows, place]], ~there)
    inside = canvas[:, wide : wide + width].transpose(0, 2, 1)
    return torch.from_numpy(np.ascontiguousarray(inside))[:, None]
