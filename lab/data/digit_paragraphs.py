"""Pages with a few lines of handwritten digits, put together from scikit-learn's: embedded, generated.

Shapes: see `lab.data.text_images`; images (B, 1, H, W), both different for each page. The pictures of
training, validation and test are those of `lab.data.digits` and so disjoint; all pages are functions of
their number alone.
"""
# from week 6

import numpy as np

from lab.data.augment_text import text_augmentations
from lab.data.base import IGNORED, LabData
from lab.data.counted import uniform
from lab.data.digit_lines import (
    BOX,
    SIDES,
    TEST,
    VAL,
    digit_glyphs,
    digit_spacing,
    digit_texts,
    most_spaces,
    write_digits,
)
from lab.data.glyph_lines import MARGIN, GlyphImages, Glyphs, Places, check_lines
from lab.data.text_images import state_text_images
from lab.data.vocabulary import CharVocabulary
from lab.errors import LabError
from lab.seeding import mixed_seed

# Numbers of characters by the alphabet: line feed, space, digits.
BREAK, ZERO = 0, 2
# Least and largest distance of lines, how far digits move up and down, and the largest indentation.
NEAR, FAR, ROOM, INDENT = 10, 15, 2, 12


class DigitParagraphs(LabData):
    """Pages with a few lines of scikit-learn's digits, ragged on both sides; embedded, generated.

    A page has digits of one size, and its own distance of lines. 500 pages are for validation and 1000 for
    the test.

    Args:
        train_size: different training pages.
        min_lines: fewest lines of a page.
        max_lines: most lines of a page.
        min_length: fewest digits of a line.
        max_length: most digits of a line.
        overlap: largest share of a digit that the next one covers.
        by_position: digits of training, validation and test come from different runs of the file, see
            `lab.data.digits`.
        augment: strength of random changes of training images, 1 for those as between people.

    Raises:
        LabError: an option out of range.
    """

    writers = ("unknown",)

    def __init__(
        self,
        *,
        batch_size: int = 32,
        num_workers: int = 0,
        train_size: int = 20_000,
        min_lines: int = 1,
        max_lines: int = 4,
        min_length: int = 2,
        max_length: int = 6,
        overlap: float = 0.1,
        by_position: bool = False,
        augment: float = 0.0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_lines(train_size, min_length, max_length, overlap)
        if not 1 <= min_lines <= max_lines:
            raise LabError(
                f"--data.min_lines {min_lines}: choose 1 to {max_lines} (--data.max_lines)"
            )
        self.spacing = digit_spacing(overlap)
        self.train_size, self.by_position = train_size, by_position
        self.min_lines, self.max_lines = min_lines, max_lines
        self.min_length, self.max_length = min_length, max_length
        self.alphabet = CharVocabulary("\n 0123456789").tokens
        spaces = most_spaces(max_length)
        self.text_length = max_lines * (max_length + spaces + 1) - 1
        state_text_images(
            self,
            height=MARGIN + (max_lines - 1) * FAR + ROOM + BOX + MARGIN,
            width=INDENT + self.spacing.longest(max_length, spaces, width=max(SIDES)),
            augmentations=text_augmentations(augment, line=FAR),
        )

    def setup(self, stage: str) -> None:
        parts = digit_glyphs(len(self.alphabet), zero=ZERO, by_position=self.by_position)
        sizes = (self.train_size, VAL, TEST)
        self.train_set, self.val_set, self.test_set = (
            self.pages(glyphs, size, seed=mixed_seed(seed, 1))
            for seed, (glyphs, size) in enumerate(zip(parts, sizes, strict=True))
        )

    def pages(self, glyphs: Glyphs, size: int, *, seed: int) -> GlyphImages:
        """The first pages of a part. Below, K is the most lines of a page and L the places of a line."""
        pages, lines = np.arange(size), np.arange(size * self.max_lines)
        texts = digit_texts(seed, lines, least=self.min_length, most=self.max_length, zero=ZERO)
        page = uniform(mixed_seed(seed, 5), pages, 4)
        line = uniform(mixed_seed(seed, 6), lines, 3)
        # The size of digits is the page's, how low they are the line's.
        hands = np.stack([page[:, 0].repeat(self.max_lines), line[:, 0]], axis=1)
        places, widths = write_digits(
            glyphs, texts, hands, self.spacing, room=ROOM, seed=seed, indices=lines
        )
        counts = self.min_lines + page[:, 1] * (self.max_lines - self.min_lines + 1)
        present = np.arange(self.max_lines) < counts.astype(np.int64)[:, None]  # (N, K)
        rows, columns = corners(page[:, 2:], line[:, 1:].reshape(size, -1, 2))
        texts, chosen, begins, tops = (
            values.reshape(size, self.max_lines, -1)
            for values in (texts, places.chosen, places.begins, places.tops)
        )
        places = Places(
            np.where(present[..., None], chosen, -1).reshape(size, -1),
            (begins + columns[..., None]).reshape(size, -1),
            (tops + rows[..., None]).reshape(size, -1),
        )
        ends = np.stack(
            [rows + BOX + ROOM + MARGIN, columns + widths.reshape(present.shape)], axis=2
        )
        sizes = np.where(present[..., None], ends, 0).max(axis=1)
        return GlyphImages(glyphs, joined(texts, present), places, sizes=sizes)


def corners(page: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and the columns (N, K) in which lines begin.

    Args:
        page: (N, 2) in [0, 1): how far apart the lines of a page are, and how far they are indented.
        line: (N, K, 2), the same for each line.
    """
    share = 0.5 * page[:, None] + 0.5 * line  # (N, K, 2)
    distance = NEAR + (share[..., 0] * (FAR - NEAR + 1)).astype(np.int64)
    return MARGIN + distance.cumsum(axis=1) - distance, (share[..., 1] * INDENT).astype(np.int64)


def joined(texts: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Texts of lines (N, K, L) as those of pages (N, K (L + 1)), with line feeds between lines.

    Args:
        present: (N, K), which lines there are; at least the first.
    """
    texts = np.where(present[..., None], texts, IGNORED)
    followed = np.pad(present[:, 1:], ((0, 0), (0, 1)))
    breaks = np.where(followed, BREAK, IGNORED)
    tokens = np.concatenate([texts, breaks[..., None]], axis=2).reshape(len(texts), -1)
    order = (tokens == IGNORED).argsort(axis=1, kind="stable")
    return np.take_along_axis(tokens, order, axis=1)[:, :-1]
