"""Made-up hands: how somebody writes, a function of a number.

A hand has a style (fonts of small letters and of capitals), size, slant, spacing and pen. How it warps each
letter is drawn in `lab.data.pen_writing`.
"""
# from week 3

from dataclasses import dataclass

import numpy as np

from lab.data.counted import uniform
from lab.data.pen_glyphs import JOINED
from lab.seeding import mixed_seed

# How often each style is drawn: those of a single stroke are nearest to handwriting.
SHARES = np.cumsum([3, 3, 2, 4, 3, 4, 3, 2, 1.5, 1, 1, 1])


@dataclass
class Hands:
    """What is the same in all that a hand writes, each (B,), for lines of 32 pixels.

    Attributes:
        style: place in `STYLES`.
        tall, wide: pixels of a unit of the fonts.
        slant: how far right for each pixel up.
        spacing: units between letters, besides what the font has.
        space: width of a space, as a factor.
        warp: how far the hand's letters are from the font's, as a factor.
        care: how much they differ each time, as a factor.
        radius: of the pen, in pixels.
        flow: how dark the pen writes, as a factor.
        pressure: how much thicker steep strokes are than level ones.
    """

    style: np.ndarray
    tall: np.ndarray
    wide: np.ndarray
    slant: np.ndarray
    spacing: np.ndarray
    space: np.ndarray
    warp: np.ndarray
    care: np.ndarray
    radius: np.ndarray
    flow: np.ndarray
    pressure: np.ndarray


def hands(numbers: np.ndarray) -> Hands:
    """The hands of so many numbers, (B,); a function of each number alone."""
    u = uniform(mixed_seed(0), numbers, 12).T
    style = np.searchsorted(SHARES, u[0] * SHARES[-1], side="right")
    joined = JOINED[style]
    tall = 0.48 + 0.26 * u[1]
    return Hands(
        style=style,
        tall=tall,
        wide=tall * np.where(joined, 0.7 + 0.35 * u[2], 0.62 + 0.34 * u[2]),
        # The joined fonts lean already.
        slant=np.where(joined, -0.15 + 0.35 * u[3], -0.12 + 0.5 * u[3]),
        spacing=np.where(joined, -0.6 + 0.9 * u[4], -1.5 + 4.5 * u[4]),
        space=0.65 + 0.75 * u[5],
        warp=0.5 + u[6],
        care=0.3 + 0.7 * u[7],
        # Large letters are written with broad pens too.
        radius=1 + (0.2 + 0.9 * u[8] * u[9]) * (tall - 0.3) / 0.3,
        flow=0.5 + 0.75 * u[11],
        pressure=1.2 * u[10],
    )
