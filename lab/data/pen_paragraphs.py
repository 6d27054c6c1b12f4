"""Paragraphs of generated handwriting: running English in ragged lines on ruled or blank paper; embedded.

Shapes: see `lab.data.text_images`; images (B, 1, H, W), targets with a line break between lines. Text and
hands of training, validation and test are disjoint; each page is a function of its number alone.
"""
# from week 6

from pathlib import Path

import numpy as np

from lab.data.augment_text import text_augmentations
from lab.data.base import LabData
from lab.data.counted import uniform
from lab.data.pen_images import WRITERS, PenTexts, pen_alphabet
from lab.data.pen_lines import check_train_size
from lab.data.pen_texts import read_texts
from lab.data.pen_writing import LONGEST
from lab.data.sentences import PARTS, Part, passages
from lab.data.text_images import state_text_images
from lab.errors import LabError
from lab.seeding import mixed_seed

VAL, TEST = 250, 500


class PenParagraphs(LabData):
    """Paragraphs in ragged lines by the hands of PenLines, on ruled or blank paper.

    250 are for validation and 500 for the test.

    Args:
        train_size: different training paragraphs.
        min_lines: fewest lines of a paragraph.
        max_lines: most lines of a paragraph.
        line_length: most characters of a line.
        pitch: pixels between two lines, which the size of letters goes with.
        width: the widest that a paragraph may be; what would be wider is squeezed.
        path: a UTF-8 text file that is written instead; the alphabet is then that of its characters that
            can be written, Latin letters with accents among them.
        characters: the alphabet, as such or by the path of a text file; all others are left out. Say the
            same where a net goes on from another's weights.
        augment: strength of random changes of training images, 1 for those as between people.

    Raises:
        LabError: an option out of range, or a file that can't be used.
    """

    writers = WRITERS

    def __init__(
        self,
        *,
        batch_size: int = 32,
        num_workers: int = 0,
        train_size: int = 10_000,
        min_lines: int = 3,
        max_lines: int = 5,
        line_length: int = 28,
        pitch: int = 28,
        width: int = 320,
        path: str | None = None,
        characters: str | None = None,
        augment: float = 0.0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_train_size(train_size)
        if not 1 <= min_lines <= max_lines:
            raise LabError(
                f"--data.min_lines {min_lines}: choose 1 to {max_lines}, which is --data.max_lines"
            )
        if not 8 <= line_length < LONGEST // max_lines:
            raise LabError(
                f"--data.line_length {line_length}: choose 8 to {LONGEST // max_lines - 1}"
            )
        if not 16 <= pitch <= 128:
            raise LabError(f"--data.pitch {pitch}: choose 16 to 128 pixels")
        if width < 4 * pitch:
            raise LabError(f"--data.width {width}: choose {4 * pitch}, 4 x pitch, or more")
        self.train_size, self.line_length = train_size, line_length
        self.min_lines, self.max_lines = min_lines, max_lines
        self.pitch, self.width = pitch, width
        self.parts = None if path is None else read_texts(Path(path))
        self.numbering = pen_alphabet(self.parts, characters, "\n")
        self.alphabet = self.numbering.tokens
        self.text_length = max_lines * (line_length + 1) - 1
        self.height = (max_lines + 1) * pitch
        chain = text_augmentations(augment, line=pitch)
        state_text_images(self, height=self.height, width=width, augmentations=chain)

    def setup(self, stage: str) -> None:
        if hasattr(self, "train_set"):
            return
        sizes = (self.train_size, VAL, TEST)
        self.train_set, self.val_set, self.test_set = (
            PenTexts(
                self.texts(part, size),
                part,
                vocabulary=self.numbering,
                height=self.height,
                width=self.width,
                pitch=self.pitch,
            )
            for part, size in zip(PARTS, sizes, strict=True)
        )

    def texts(self, part: Part, size: int) -> list[str]:
        """What the first paragraphs of a part say, with their breaks."""
        source = self.parts[part] if self.parts else passages(part)
        draws = uniform(mixed_seed(PARTS.index(part), 2), np.arange(size), 3 + self.max_lines)
        # A page has its own width, and its lines end where the next word would be too long for them.
        page = self.line_length * (0.6 + 0.4 * draws[:, 1:2])
        lengths = np.ceil(page * (0.85 + 0.15 * draws[:, 3:])).astype(np.int64)
        lines = self.min_lines + draws[:, 2:3] * (self.max_lines - self.min_lines + 1)
        lengths[np.arange(self.max_lines) >= np.floor(lines)] = 0
        return source.pages(draws[:, 0], lengths)
