"""Lines of handwritten digits in groups, put together from scikit-learn's: embedded, generated.

Shapes: see `lab.data.text_images`; images (B, 1, 16, W). The pictures of training, validation and test are
those of `lab.data.digits` and so disjoint; all lines are functions of their number alone.
"""
# from week 3

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.data.augment_text import text_augmentations
from lab.data.base import IGNORED, LabData
from lab.data.counted import uniform
from lab.data.digits import Digits
from lab.data.glyph_lines import GlyphImages, Glyphs, Places, Spacing, check_lines, place
from lab.data.text_images import state_text_images
from lab.data.vocabulary import CharVocabulary
from lab.seeding import mixed_seed

HEIGHT, BOX = 16, 9
# Widths and heights to which a digit of 8x8 is scaled.
SIDES = (8, 9)
# How many rows digits move up and down.
ROOM = 4
# How often a digit is followed by a space.
SPACES = 0.4
VAL, TEST = 500, 1000


class DigitLines(LabData):
    """Lines of scikit-learn's digits in groups, as in numbers of telephones; embedded, generated.

    A line has its own size of digits and density; digits move up and down, and may overlap. 500 lines are
    for validation and 1000 for the test.

    Args:
        train_size: different training lines.
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
        batch_size: int = 64,
        num_workers: int = 0,
        train_size: int = 20_000,
        min_length: int = 4,
        max_length: int = 12,
        overlap: float = 0.1,
        by_position: bool = False,
        augment: float = 0.0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_lines(train_size, min_length, max_length, overlap)
        self.spacing = digit_spacing(overlap)
        self.train_size, self.by_position = train_size, by_position
        self.min_length, self.max_length = min_length, max_length
        self.alphabet = CharVocabulary(" 0123456789").tokens
        self.text_length = max_length + most_spaces(max_length)
        width = self.spacing.longest(max_length, most_spaces(max_length), width=max(SIDES))
        chain = text_augmentations(augment)
        state_text_images(self, height=HEIGHT, width=width, augmentations=chain)

    def setup(self, stage: str) -> None:
        parts = digit_glyphs(len(self.alphabet), zero=1, by_position=self.by_position)
        sizes = (self.train_size, VAL, TEST)
        self.train_set, self.val_set, self.test_set = (
            self.lines(glyphs, size, seed=mixed_seed(seed))
            for seed, (glyphs, size) in enumerate(zip(parts, sizes, strict=True))
        )

    def lines(self, glyphs: Glyphs, size: int, *, seed: int) -> GlyphImages:
        """The first lines of a part."""
        indices = np.arange(size)
        tokens = digit_texts(seed, indices, least=self.min_length, most=self.max_length, zero=1)
        hands = uniform(mixed_seed(seed, 5), indices, 2)
        places, widths = write_digits(
            glyphs, tokens, hands, self.spacing, room=ROOM, seed=seed, indices=indices
        )
        places = replace(places, tops=places.tops + (HEIGHT - BOX - ROOM) // 2)
        sizes = np.stack([np.full(size, HEIGHT), widths], axis=1)
        return GlyphImages(glyphs, tokens, places, sizes=sizes)


def digit_spacing(overlap: float) -> Spacing:
    return Spacing(overlap=overlap, gap=3.0, blank=(5.0, 8.0))


def most_spaces(digits: int) -> int:
    """As many spaces as fit between digits: not after the first, and two digits apart."""
    return (digits - 1) // 2


def digit_texts(seed: int, indices: np.ndarray, *, least: int, most: int, zero: int) -> np.ndarray:
    """Random digits in groups (N, L), IGNORED where a text has ended.

    Args:
        least: fewest digits.
        most: most digits.
        zero: number of the digit 0 in the alphabet; that of the space is the one before.
    """
    numbers = uniform(mixed_seed(seed, 1), indices, 1 + 2 * most)
    length = least + (numbers[:, :1] * (most - least + 1)).astype(np.int64)
    place = np.arange(most)
    digits = zero + (10 * numbers[:, 1 : 1 + most]).astype(np.int64)
    # A space follows some digits, but neither the first nor the last nor the next after a space.
    likely = numbers[:, 1 + most :] < SPACES
    spaced = likely & ~np.roll(likely, 1, axis=1) & (place > 0) & (place < length - 1)
    tokens = np.full((len(indices), most + most_spaces(most)), IGNORED)
    places = place + spaced.cumsum(axis=1) - spaced
    np.put_along_axis(tokens, places, np.where(place < length, digits, IGNORED), axis=1)
    rows = np.nonzero(spaced)[0]
    tokens[rows, places[spaced] + 1] = zero - 1
    return tokens


def digit_glyphs(alphabet: int, *, zero: int, by_position: bool) -> list[Glyphs]:
    """The digits for training, validation and test, each in all sizes one after another."""
    digits = Digits(by_position=by_position)
    digits.setup("fit")
    found = []
    for part in (digits.train_set, digits.val_set, digits.test_set):
        images, labels = part.tensors
        sizes = [resized(images, height, width) for height in SIDES for width in SIDES]
        # A tensor has rows first.
        pictures = (torch.cat(sizes)[:, 0].mT * 255).round().byte().numpy()
        found.append(Glyphs(pictures, labels.numpy() + zero, alphabet=alphabet))
    return found


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """Images (G, 1, H, W) of another size in the middle of a box (G, 1, BOX, BOX)."""
    small = F.interpolate(images, size=(height, width), mode="bilinear", antialias=True)
    top, left = (BOX - height) // 2, (BOX - width) // 2
    return F.pad(small, (left, BOX - width - left, top, BOX - height - top))


def write_digits(
    glyphs: Glyphs,
    tokens: np.ndarray,
    hands: np.ndarray,
    spacing: Spacing,
    *,
    room: int,
    seed: int,
    indices: np.ndarray,
) -> tuple[Places, np.ndarray]:
    """Where each character of texts (N, L) stands on a line of its own, and how wide the lines are.

    Args:
        hands: (N, 2) in [0, 1): which size the digits of a line have, and how low it is.
        room: how many rows lower than the top a digit may be.
    """
    count = tokens.shape[1]
    choice, up, apart = (
        uniform(mixed_seed(seed, use), indices, numbers)
        for use, numbers in ((2, count), (3, count), (4, count + 1))
    )
    chosen = glyphs.choose(tokens, choice)
    size = (hands[:, :1] * len(SIDES) ** 2).astype(np.int64) * len(glyphs.order)
    chosen = np.where(chosen >= 0, chosen + size, -1)
    # Each digit is a little above or below the others.
    tops = np.rint(hands[:, 1:] * room + 2 * up - 1).clip(0, room).astype(np.int64)
    begins, widths = place(glyphs, chosen, apart, spacing, ended=tokens == IGNORED)
    return Places(chosen, begins, tops), widths
