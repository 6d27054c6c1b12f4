"""Letters as strokes: the Hershey fonts as points along the pen's way, for printable ASCII and Latin accents.

Letters: S styles, C characters. Units are those of Hershey's tables: a capital is 21 high, a small letter 14;
x runs to the right from the letter's left side, y down from the base line.
Source: A. V. Hershey 1967, as packed in Hershey-Fonts (public domain). Accents and some signs are made here.
"""
# from week 3

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

import numpy as np

from lab.data.vocabulary import ASCII

Stroke = list[tuple[float, float]]
# Strokes and width, from the left side and the base line.
Letter = tuple[list[Stroke], float]

# Small letters and the rest by one font, capitals by another: many people print those.
STYLES = (
    ("futural", "futural"),
    ("rowmans", "rowmans"),
    ("futural", "rowmans"),
    ("cursive", "cursive"),
    ("cursive", "futural"),
    ("scripts", "scripts"),
    ("scripts", "rowmans"),
    ("scriptc", "scriptc"),
    ("timesi", "timesi"),
    ("timesr", "timesr"),
    ("futuram", "futuram"),
    ("rowmand", "rowmand"),
)
# Whose letters are joined: their spacing must stay near to the font's.
JOINED = np.array([small in ("cursive", "scripts", "scriptc") for small, _ in STYLES])
CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
# In some fonts the first is an arrow and the others are angles, so all styles take them from one.
SHARED, SHARED_FONT = "^{}", "futural"
# What is drawn larger than in the font, across and down from the base line: in narrow hands all brackets
# would be alike, and in small ones a comma would be a full stop.
LARGER = dict.fromkeys("[]{}", (1.4, 1.0)) | {",": (1.3, 1.7)}
BASE_LINE, X_HEIGHT = 9, 14

# Strokes about (0, 0), which stands above a letter's middle.
MARKS: dict[str, list[Stroke]] = {
    "\u0300": [[(-4, -7), (2, -2)]],
    "\u0301": [[(4, -7), (-2, -2)]],
    "\u0302": [[(-4, -2), (0, -7), (4, -2)]],
    "\u0303": [[(-5, -2), (-2, -6), (2, -3), (5, -7)]],
    "\u0304": [[(-5, -4), (5, -4)]],
    "\u0308": [[(-4, -5), (-3, -4)], [(3, -5), (4, -4)]],
    "\u030a": [[(0, -2), (-2, -4), (0, -6), (2, -4), (0, -2)]],
    "\u030c": [[(-4, -7), (0, -2), (4, -7)]],
    # Below the letter.
    "\u0327": [[(0, 0), (0, 2), (2, 3), (1, 6), (-2, 6)]],
}
CEDILLA = "\u0327"
ACCENTED = "".join(
    letter
    for letter in map(chr, [*range(0xC0, 0x180), 0x218, 0x219, 0x21A, 0x21B])
    if len(parts := unicodedata.normalize("NFD", letter)) == 2 and parts[1] in MARKS
)
# Character -> pieces: (character, right, down, size).
PIECES: dict[str, list[tuple[str, float, float, float]]] = {
    "œ": [("o", 0, 0, 1), ("e", 13, 0, 1)],
    "æ": [("a", 0, 0, 1), ("e", 13, 0, 1)],
    "Œ": [("O", 0, 0, 1), ("E", 15, 0, 1)],
    "Æ": [("A", 0, 0, 1), ("E", 12, 0, 1)],
    "«": [("<", 0, -3, 0.5), ("<", 7, -3, 0.5)],
    "»": [(">", 0, -3, 0.5), (">", 7, -3, 0.5)],
    "‹": [("<", 0, -3, 0.5)],
    "›": [(">", 0, -3, 0.5)],
    "’": [("'", 0, 0, 1)],
    "‘": [("`", 0, 0, 1)],
    "“": [("`", 0, 0, 1), ("`", 5, 0, 1)],
    "”": [("'", 0, 0, 1), ("'", 5, 0, 1)],
    "–": [("-", 0, 0, 1)],
    "—": [("-", 0, 0, 1), ("-", 10, 0, 1)],
    "…": [(".", 0, 0, 1), (".", 8, 0, 1), (".", 16, 0, 1)],
    "·": [(".", 0, -8, 1)],
    "°": [("o", 0, -13, 0.5)],
    "×": [("x", 0, -2, 0.8)],
    "π": [("n", 0, 0, 1), ("-", -4, -5, 1)],
    "ß": [("f", 0, 0, 1), ("s", 8, 0, 1)],
    "£": [("L", 0, 0, 1), ("-", -4, 0, 0.8)],
    "€": [("C", 0, 0, 1), ("-", -3, -2, 0.8), ("-", -3, 1, 0.8)],
}
# Every character that can be written, by its column in the tables.
CHARACTERS = ASCII + ACCENTED + "".join(PIECES)


def readable(text: str) -> str:
    """A text without the characters that can't be written; letters and accents are put together."""
    known = set(CHARACTERS)
    return "".join(c for c in unicodedata.normalize("NFC", text) if c in known)


def columns(text: str) -> np.ndarray:
    """The column of each character of a text that can be written, (N,)."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    return column_by_code()[codes]


@cache
def column_by_code() -> np.ndarray:
    codes = [ord(character) for character in CHARACTERS]
    table = np.full(max(codes) + 1, -1)
    table[codes] = range(len(codes))
    return table


@cache
def font(name: str) -> dict[str, Letter]:
    """Strokes and width of each printable ASCII character of a font, from its left side and base line."""
    from HersheyFonts import HersheyFonts

    source = HersheyFonts()
    source.load_default_font(name)
    return {
        character: (
            [[(x - g.left_offset, y - BASE_LINE) for x, y in stroke] for stroke in g.strokes],
            float(g.char_width),
        )
        for character, g in source.all_glyphs.items()
        if character in ASCII
    }


@cache
def letters(style: int) -> dict[str, Letter]:
    """Strokes and width of every character in a style."""
    small, large = (font(name) for name in STYLES[style])
    found = {c: (large if c in CAPITALS else small)[c] for c in ASCII}
    found |= {c: font(SHARED_FONT)[c] for c in SHARED}
    for c, (across, down) in LARGER.items():
        strokes, width = found[c]
        larger = [[(across * x, down * y) for x, y in stroke] for stroke in strokes]
        found[c] = larger, across * width
    for letter in ACCENTED:
        found[letter] = accented(letter, found)
    for sign, pieces in PIECES.items():
        found[sign] = composed(pieces, found)
    return found


def composed(
    pieces: Sequence[tuple[str, float, float, float]], found: Mapping[str, Letter]
) -> Letter:
    """A sign that is put together; its pieces shrink towards the left and a small letter's middle."""
    strokes = []
    for base, right, down, size in pieces:
        shift = down - (1 - size) * X_HEIGHT / 2
        strokes += [
            [(right + size * x, shift + size * y) for x, y in stroke] for stroke in found[base][0]
        ]
    base, right, _, size = pieces[-1]
    return strokes, right + size * found[base][1]


def accented(letter: str, found: Mapping[str, Letter]) -> Letter:
    """A letter with its accent, above the middle of its upper part or below that of its lower one."""
    base, mark = tuple(unicodedata.normalize("NFD", letter))
    strokes, width = found[base]
    if base in "ij" and mark != CEDILLA:
        # Without the dot.
        strokes = [stroke for stroke in strokes if max(y for _, y in stroke) > -X_HEIGHT - 2]
    points = [point for stroke in strokes for point in stroke]
    heights = [y for _, y in points]
    edge = max(heights) if mark == CEDILLA else min(heights)
    beside = [x for x, y in points if abs(y - edge) < 4]
    middle = (min(beside) + max(beside)) / 2
    drawn = [[(middle + x, edge + y) for x, y in stroke] for stroke in MARKS[mark]]
    return strokes + drawn, width


class GlyphTable:
    """Points along the strokes of every character in every style, one after another.

    Attributes:
        x, y: (P,) of each point, from the middle of the letter's width and of a small letter's height.
        length: (P,) of the way that a point stands for.
        steep: (P,) 1 where the pen moves upright, 0 where it moves level.
        first, count: (S, C) which points are those of a character.
        width: (S, C) from its left side to that of the next.
        box: (4, S, C) left, top, right and bottom of the strokes, or 0 if that is further out.
    """

    def __init__(self, spacing: float) -> None:
        shape = len(STYLES), len(CHARACTERS)
        segments, owners = [], []
        self.width, self.box = np.zeros(shape), np.zeros((4, *shape))
        for style in range(len(STYLES)):
            for column, character in enumerate(CHARACTERS):
                strokes, width = letters(style)[character]
                self.width[style, column] = width
                pairs = [(*start, *end) for stroke in strokes for start, end in pairwise(stroke)]
                segments += pairs
                owners += [style * len(CHARACTERS) + column] * len(pairs)
        ends, owner = np.array(segments), np.array(owners)
        ends -= np.array([0.5, 0, 0.5, 0]) * self.width.flat[owner][:, None]
        ends[:, 1::2] += X_HEIGHT / 2
        for side, extreme in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
            both = extreme(ends[:, side % 2], ends[:, side % 2 + 2])
            extreme.at(self.box[side].reshape(-1), owner, both)
        lengths = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
        steep = np.abs(ends[:, 3] - ends[:, 1]) / lengths
        pieces = np.maximum(np.rint(lengths / spacing), 1).astype(np.int64)
        which = np.repeat(np.arange(len(ends)), pieces)
        share = (running(pieces) + 0.5)[:, None] / pieces[which][:, None]
        points = ends[which, :2] + share * (ends[which, 2:] - ends[which, :2])
        self.x, self.y = np.ascontiguousarray(points.T.astype(np.float32))
        self.length = (lengths / pieces)[which].astype(np.float32)
        self.steep = steep[which].astype(np.float32)
        counts = np.bincount(owner, pieces, minlength=self.width.size).astype(np.int64)
        self.first = (np.cumsum(counts) - counts).reshape(shape)
        self.count = counts.reshape(shape)


def running(counts: np.ndarray) -> np.ndarray:
    """0, 1, ... up to each count in turn: the place of each item within its group."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)


@cache
def glyph_table(spacing: float) -> GlyphTable:
    """The table for points so far apart, made once."""
    return GlyphTable(spacing)
