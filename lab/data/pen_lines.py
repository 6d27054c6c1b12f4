"""Lines of generated handwriting: English in all of printable ASCII, written with stroke fonts; embedded.

Shapes: see `lab.data.text_images`; images (B, 1, H, W). Sentences and hands of training, validation and test
are disjoint; each line is a function of its number alone, drawn when it is asked for.
"""
# from week 3

from pathlib import Path

import numpy as np

from lab.data.augment_text import text_augmentations
from lab.data.base import LabData
from lab.data.counted import uniform
from lab.data.pen_images import WRITERS, PenTexts, pen_alphabet
from lab.data.pen_texts import read_texts, varied
from lab.data.pen_writing import LONGEST
from lab.data.sentences import PARTS, Part, passages
from lab.data.text_images import state_text_images
from lab.errors import LabError
from lab.seeding import mixed_seed

VAL, TEST = 500, 1000


class PenLines(LabData):
    """Lines that made-up hands write: stroke fonts, warped, slanted, drifting, on worn paper.

    600 hands are for training, 60 for validation, 100 for the test; 500 lines are for validation and 1000
    for the test. Without `path`, some lines are in capitals and some are numbers or random characters, so
    that all of printable ASCII occurs.

    Args:
        train_size: different training lines.
        height: H, pixels.
        width: the widest that a line may be; what would be wider is squeezed.
        min_length: fewest characters of a line, but for sentences that are shorter.
        max_length: most characters of a line.
        path: a UTF-8 text file whose lines are written instead; the alphabet is then that of its
            characters that can be written, Latin letters with accents among them.
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
        batch_size: int = 64,
        num_workers: int = 0,
        train_size: int = 50_000,
        height: int = 32,
        width: int = 400,
        min_length: int = 4,
        max_length: int = 40,
        path: str | None = None,
        characters: str | None = None,
        augment: float = 0.0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_train_size(train_size)
        if not 1 <= max_length < LONGEST:
            raise LabError(f"--data.max_length {max_length}: choose 1 to {LONGEST - 1}")
        if not 1 <= min_length <= max_length:
            raise LabError(
                f"--data.min_length {min_length}: choose 1 to {max_length}, which is --data.max_length"
            )
        if not 16 <= height <= 128:
            raise LabError(f"--data.height {height}: choose 16 to 128 pixels")
        if width < 4 * height:
            raise LabError(f"--data.width {width}: choose {4 * height}, 4 x height, or more")
        self.train_size, self.height, self.width = train_size, height, width
        self.min_length, self.max_length = min_length, max_length
        self.parts = None if path is None else read_texts(Path(path))
        self.numbering = pen_alphabet(self.parts, characters)
        self.alphabet, self.text_length = self.numbering.tokens, max_length
        chain = text_augmentations(augment)
        state_text_images(self, height=height, width=width, augmentations=chain)

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
            )
            for part, size in zip(PARTS, sizes, strict=True)
        )

    def texts(self, part: Part, size: int) -> list[str]:
        """What the first lines of a part say."""
        seed, indices = mixed_seed(PARTS.index(part), 0), np.arange(size)
        source = self.parts[part] if self.parts else passages(part)
        draws = uniform(seed, indices, 2)
        texts = source.lines(draws, least=self.min_length, most=self.max_length)
        return texts if self.parts else varied(texts, part, seed, indices, self.max_length)


def check_train_size(size: int) -> None:
    """Raise LabError where there is nothing to train on."""
    if size < 1:
        raise LabError(f"--data.train_size {size}: choose 1 or more")
