"""How hands write: where each letter of a batch of texts goes and what becomes of its shape.

Every hand has a smooth warp of its own for every character, a function of the two; each letter that is
written differs a little from that.
Letters: B texts, N letters of all of them in a row, G lines of all of them in a row.
"""
# from week 3

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.data.counted import uniform
from lab.data.pen_glyphs import CHARACTERS, JOINED, X_HEIGHT, GlyphTable, columns, running
from lab.data.pen_hands import Hands, hands
from lab.seeding import mixed_seed

# Uses of random numbers, mixed into a seed.
SHAPE, WRITING, LETTER = range(1, 4)
# Largest warps of a letter, as shares of its size: of x and y alike, the terms 1, x, y, x², xy, y².
WARP = np.array([0.7, 0.10, 0.09, 0.012, 0.010, 0.006])
# No text has more characters.
LONGEST = 4096


@dataclass
class Writing:
    """Letters in their places: point (x, y) of letter n goes to the pixels
    `c[0] + c[1] x + c[2] y + c[3] x² + c[4] xy + c[5] y²`, right by across[:, n] and down by down[:, n].

    Attributes:
        text: (N,) which text each letter belongs to.
        glyph: (N,) places in the glyph table, flat.
        across, down: (6, N).
        press: (N,) how much ink each letter gets.
        box: (4, B) left, top, right and bottom of the ink of each text; nothing is further out.
        radius, blur: (B,) of the pen, and of what is out of focus; 1 and less is a single pixel.
        pressure: (B,) how much thicker steep strokes are than level ones.
        base, pitch: (B,) where the first base line is, and how far apart lines are.
    """

    text: np.ndarray
    glyph: np.ndarray
    across: np.ndarray
    down: np.ndarray
    press: np.ndarray
    box: np.ndarray
    radius: np.ndarray
    blur: np.ndarray
    pressure: np.ndarray
    base: np.ndarray
    pitch: np.ndarray


@dataclass
class Letters:
    """All letters of some texts in a row.

    Attributes:
        text, place: (N,) which text each belongs to, and which of its letters it is.
        column: (N,) by `CHARACTERS`; line breaks are spaces there.
        breaks: (N,) whether it is a line break, which is the last letter of its line.
        line, row: (N,) which line it is in, counted over all texts and in its own.
        first: (B,) the first letter of each text.
    """

    text: np.ndarray
    place: np.ndarray
    column: np.ndarray
    breaks: np.ndarray
    line: np.ndarray
    row: np.ndarray
    first: np.ndarray


def letters_of(texts: Sequence[str]) -> Letters:
    """The letters of texts, none of which is empty."""
    lengths = np.array([len(text) for text in texts])
    text, place = np.repeat(np.arange(len(texts)), lengths), running(lengths)
    together = "".join(texts)
    breaks = np.frombuffer(together.encode("utf-32-le"), dtype=np.uint32) == ord("\n")
    starts = place == 0
    starts[1:] |= breaks[:-1]
    line = np.cumsum(starts) - 1
    first = np.cumsum(lengths) - lengths
    column = columns(together.replace("\n", " "))
    return Letters(text, place, column, breaks, line, line - line[first][text], first)


def write(
    texts: Sequence[str],
    numbers: np.ndarray,
    indices: np.ndarray,
    table: GlyphTable,
    *,
    seed: int,
    scale: float,
    pitch: float,
) -> Writing:
    """Each text by the hand of that number, with lines `pitch` pixels apart; a function of (seed, index).

    The first line's base line begins at (0, 0).

    Args:
        scale: how many times larger than on a line of 32 pixels.
    """
    hand, letters = hands(numbers), letters_of(texts)
    text, glyph = letters.text, hand.style[letters.text] * len(CHARACTERS) + letters.column
    u = uniform(mixed_seed(seed, WRITING), indices, 9).T
    now = uniform(mixed_seed(seed, LETTER), indices[text] * LONGEST + letters.place, 15).T
    size = scale * (0.92 + 0.16 * u[0])
    wide, tall = (hand.wide * size * (0.95 + 0.1 * u[1]))[text], (hand.tall * size)[text]
    slant = (hand.slant + 0.1 * (u[2] - 0.5))[text]
    apart = pitch * (0.92 + 0.16 * u[7])

    width = table.width.reshape(-1)[glyph]
    pen = lefts(advances(hand, letters, wide, width, now[12:14]), letters.line)
    # Lines of a page begin and lean a little apart.
    edge = uniform(mixed_seed(seed, WRITING, 1), indices[text] * LONGEST + letters.row, 3).T
    pen += np.where(letters.row > 0, 14 * scale * (edge[0] - 0.5), 0.0)
    lean = 0.06 * (u[3][text] - 0.5) + 0.012 * (edge[1] - 0.5)
    turns = pen / (scale * (60 + 120 * u[5][text])) + edge[2]
    drift = lean * pen + (2.4 * scale * hand.care * u[4])[text] * wave(turns)

    warp = warps(hand, numbers, letters, now[:12])
    across, down = wide * warp[0], tall * warp[1]
    across[0] += pen + wide * width / 2
    across[1] += wide
    across[2] -= slant * tall
    down[0] += drift + apart[text] * letters.row - tall * X_HEIGHT / 2
    down[1] += lean * wide
    down[2] += tall
    return Writing(
        text=text,
        glyph=glyph,
        across=across,
        down=down,
        press=hand.flow[text] * (1 + 0.5 * hand.care[text] * (now[14] - 0.5)),
        box=outline(across, down, table.box.reshape(4, -1)[:, glyph], letters.first),
        radius=hand.radius * scale * (0.95 + 0.1 * u[6]),
        blur=scale * (1 + 0.7 * np.maximum(1 - 2 * u[8], 0)),
        pressure=hand.pressure,
        base=np.zeros(len(texts)),
        pitch=apart,
    )


def advances(
    hand: Hands, letters: Letters, wide: np.ndarray, width: np.ndarray, now: np.ndarray
) -> np.ndarray:
    """Pixels from each letter to the next (N,), by numbers (2, N) in [0, 1) for the letters."""
    text = letters.text
    loose = np.where(JOINED[hand.style], 0.4, 1.6)[text]
    units = np.maximum(width + hand.spacing[text] + loose * (now[0] - 0.5), 3.0)
    # The first column is that of the space.
    units *= np.where(letters.column == 0, hand.space[text] * (0.8 + 0.4 * now[1]), 1.0)
    return np.where(letters.breaks, 0.0, wide * units)


def warps(hand: Hands, numbers: np.ndarray, letters: Letters, now: np.ndarray) -> np.ndarray:
    """Terms (2, 6, N) of x and y for each letter: the hand's own, and some by numbers (12, N) in [0, 1)."""
    text = letters.text
    own = uniform(mixed_seed(SHAPE), numbers[text] * len(CHARACTERS) + letters.column, 12).T
    amount = hand.warp[text] * (2 * own - 1) + 0.6 * hand.care[text] * (2 * now - 1)
    return amount.reshape(2, 6, -1) * WARP[:, None]


def lefts(advance: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Where each letter begins, (N,): the sum of what stands before it in its line."""
    counts = np.bincount(line)
    place = running(counts)
    # Summed line by line, so that a letter's place depends on its own line alone.
    lines = np.zeros((len(counts), counts.max() + 1))
    lines[line, place + 1] = advance
    return np.cumsum(lines, axis=1)[line, place]


def wave(phase: np.ndarray) -> np.ndarray:
    """A wave in [-1, 1] of period 2, of parabolas: sums and products alone, the same on every machine."""
    part = phase - 2 * np.floor(phase / 2)
    rise = np.where(part < 1, part, part - 1)
    return np.where(part < 1, 4.0, -4.0) * rise * (1 - rise)


def outline(across: np.ndarray, down: np.ndarray, box: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Bounds (4, B) of the strokes of each text, from the boxes (4, N) of its letters' own strokes."""
    left, top, right, bottom = box
    far, high = np.maximum(-left, right), np.maximum(-top, bottom)
    bounds = []
    for c in (across, down):
        # The bent part is bounded by its size; the rest by its corners.
        bent = np.abs(c[3]) * far * far + np.abs(c[4]) * far * high + np.abs(c[5]) * high * high
        low = np.minimum(c[1] * left, c[1] * right) + np.minimum(c[2] * top, c[2] * bottom)
        most = np.maximum(c[1] * left, c[1] * right) + np.maximum(c[2] * top, c[2] * bottom)
        bounds += [
            np.minimum.reduceat(c[0] + low - bent, first),
            np.maximum.reduceat(c[0] + most + bent, first),
        ]
    return np.array([bounds[0], bounds[2], bounds[1], bounds[3]])


def settle(
    writing: Writing, slack: np.ndarray, *, height: int, width: int, fixed: bool
) -> np.ndarray:
    """Moves each text to where all its ink is inside its image, squeezed if it is too large for that.

    Args:
        slack: (B, 3) in [0, 1): empty columns before and after, and how high it is on a fixed height.
        height, width: the largest of an image.
        fixed: all images are `height` high.

    Returns:
        Height and width (B, 2) of the images.
    """
    left, top, right, bottom = writing.box
    # The pen reaches so far, and ink is shared with the next pixel.
    margin = writing.radius + writing.blur + 1
    wide, across = fitted(writing.across, writing.text, right - left, margin, width)
    high, down = fitted(writing.down, writing.text, bottom - top, margin, height)
    room = np.floor(np.minimum(width - wide, 0.25 * height) * slack[:, 0])
    right_by = margin - left * across + np.floor(room * slack[:, 1])
    writing.base = margin - top * down + (height - high) * slack[:, 2] * fixed
    writing.pitch = writing.pitch * down
    writing.across[0] += right_by[writing.text]
    writing.down[0] += writing.base[writing.text]
    high = np.full_like(high, height) if fixed else high
    return np.stack([high, wide + room], axis=1).astype(np.int64)


def fitted(
    c: np.ndarray, text: np.ndarray, extent: np.ndarray, margin: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Squeezes letters (6, N) in place where their text (B,) needs more than `most` pixels.

    Returns:
        How many pixels each text takes, and by which factor it was squeezed, (B,).
    """
    squeeze = np.minimum(1, (most - 1 - 2 * margin) / np.maximum(extent, 1e-6))
    c *= squeeze[text]
    return np.minimum(np.ceil(extent * squeeze + 2 * margin) + 1, most), squeeze
