"""Lines of generated handwriting: English in all of printable ASCII, written with stroke fonts; embedded.

Shapes: see `lab.data.text_images`; images (B, 1, H, W). Sentences and hands of training, validation and test
are disjoint; each line is a function of its number alone, drawn when it is asked for.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lab.data.augment_text import text_augmentations
from lab.data.base import Batch, LabData
from lab.data.counted import uniform
from lab.data.pen_glyphs import ASCII, glyph_table
from lab.data.pen_strokes import draw_ink, normalise_batch, on_paper
from lab.data.pen_texts import read_texts, varied
from lab.data.pen_writing import LONGEST, Writing, settle, write
from lab.data.sentences import PARTS, Part, Passages, passages
from lab.data.text_images import TextImages, pad_targets, padded_width, state_text_images
from lab.data.vocabulary import CharVocabulary
from lab.errors import LabError
from lab.seeding import mixed_seed

# Numbers of the hands of each part; none is in two of them.
HANDS = {"train": range(600), "val": range(600, 660), "test": range(660, 760)}
VAL, TEST = 500, 1000
# Points are so far apart, in Hershey's units, on a line of 32 pixels.
SPACING = 0.9
CHUNK = 1024


class PenLines(LabData):
    """Lines that 760 made-up hands write: stroke fonts, warped, slanted, spaced, drifting, on worn paper.

    600 hands are for training, 60 for validation, 100 for the test; 500 lines are for validation and 1000
    for the test. Without `path`, some lines are in capitals and some are numbers or random characters, so
    that all of printable ASCII occurs.

    Args:
        train_size: different training lines.
        height: H, pixels.
        max_width: of a line; what would be wider is squeezed.
        min_length: fewest characters of a line, but for sentences that are shorter.
        max_length: most characters of a line.
        path: a UTF-8 text file whose lines are written instead; the alphabet is then that of its
            characters that can be written, Latin letters with accents among them.
        augment: strength of random changes of training images, 1 for those as between people.

    Raises:
        LabError: an option out of range, or a file that can't be used.
    """

    def __init__(
        self,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        train_size: int = 50_000,
        height: int = 32,
        max_width: int = 400,
        min_length: int = 4,
        max_length: int = 40,
        path: str | None = None,
        augment: float = 0.0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_pens(train_size, min_length, max_length)
        if not 16 <= height <= 128:
            raise LabError(f"--data.height {height}: choose 16 to 128 pixels")
        if max_width < 4 * height:
            raise LabError(
                f"--data.max_width {max_width}: choose {4 * height}, 4 x height, or more"
            )
        self.train_size, self.height, self.max_width = train_size, height, max_width
        self.min_length, self.max_length = min_length, max_length
        self.parts = None if path is None else read_texts(Path(path))
        self.vocabulary = pen_alphabet(self.parts)
        self.alphabet, self.text_length = self.vocabulary.tokens, max_length
        self.writers = tuple(f"hand {number}" for number in range(HANDS["test"].stop))
        chain = text_augmentations(augment)
        state_text_images(self, height=height, width=max_width, augmentations=chain)

    def setup(self, stage: str) -> None:
        sizes = (self.train_size, VAL, TEST)
        self.train_set, self.val_set, self.test_set = (
            self.lines(part, size) for part, size in zip(PARTS, sizes, strict=True)
        )

    def lines(self, part: Part, size: int) -> "PenTexts":
        """The first lines of a part."""
        seed, indices = mixed_seed(PARTS.index(part), 0), np.arange(size)
        source = self.parts[part] if self.parts else passages(part)
        draws = uniform(seed, indices, 2)
        texts = source.lines(draws, least=self.min_length, most=self.max_length)
        if self.parts is None:
            texts = varied(texts, part, seed, indices, self.max_length)
        return PenTexts(
            texts, part, vocabulary=self.vocabulary, height=self.height, width=self.max_width
        )


def check_pens(train_size: int, least: int, most: int) -> None:
    """Raise LabError for options that are out of range."""
    if train_size < 1:
        raise LabError(f"--data.train_size {train_size}: choose 1 or more")
    if not 1 <= most < LONGEST:
        raise LabError(f"--data.max_length {most}: choose 1 to {LONGEST - 1}")
    if not 1 <= least <= most:
        raise LabError(f"--data.min_length {least}: choose 1 to {most}, which is --data.max_length")


def pen_alphabet(parts: dict[Part, Passages] | None, more: str = "") -> CharVocabulary:
    """Printable ASCII, or the characters of a file."""
    if parts is None:
        return CharVocabulary(ASCII + more)
    found = {character for source in parts.values() for character in source.text}
    return CharVocabulary(found - {"\n"} | {*" ", *more})


class PenTexts(TextImages):
    """Texts that are written when they are asked for.

    Args:
        texts: those of the samples.
        part: whose hands write, and whose random numbers are used.
        height, width: the largest of an image.
        pitch: pixels between two lines of a text; 0 for texts of one line, which are all `height` high.
    """

    def __init__(
        self,
        texts: list[str],
        part: Part,
        *,
        vocabulary: CharVocabulary,
        height: int,
        width: int,
        pitch: int = 0,
    ) -> None:
        self.texts, self.vocabulary = texts, vocabulary
        self.height, self.width, self.pitch = height, width, pitch
        # A line of a page is as large as one that stands alone.
        self.scale = (pitch or height) / 32
        self.seed = mixed_seed(PARTS.index(part), 1)
        indices = np.arange(len(texts))
        known = HANDS[part]
        draws = uniform(mixed_seed(self.seed, 1), indices, 1)[:, 0]
        self.hands = known.start + (draws * len(known)).astype(np.int64)
        chunks = [indices[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
        super().__init__(torch.from_numpy(np.concatenate([self.written(c)[1] for c in chunks])))

    def written(self, rows: np.ndarray) -> tuple[Writing, np.ndarray, np.ndarray]:
        """The strokes of some texts, sizes (B, 2) of their images, and their first base lines (B,)."""
        writing = write(
            [self.texts[row] for row in rows],
            self.hands[rows],
            rows,
            glyph_table(SPACING / self.scale),
            seed=self.seed,
            scale=self.scale,
            pitch=self.pitch,
        )
        slack = uniform(mixed_seed(self.seed, 2), rows, 3)
        fixed = self.pitch == 0
        sizes, base = settle(writing, slack, height=self.height, width=self.width, fixed=fixed)
        return writing, sizes, base

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        rows = np.asarray(indices)
        writing, sizes, base = self.written(rows)
        height, width = sizes.max(0).tolist()
        ink = draw_ink(writing, glyph_table(SPACING / self.scale), height, padded_width(width))
        pitch = self.pitch or 1.1 * self.height
        images = normalise_batch(on_paper(ink, self.seed, rows, sizes, base, pitch), sizes)
        targets = pad_targets([self.vocabulary.encode(self.texts[row]) for row in rows])
        return images[:, None], torch.from_numpy(sizes), targets, torch.from_numpy(self.hands[rows])
