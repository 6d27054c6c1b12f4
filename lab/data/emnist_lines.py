"""Lines of EMNIST's letters and digits that spell English sentences, close together or apart: generated.

Shapes: see `lab.data.text_images`; images (B, 1, 28, W). Pictures and sentences of training, validation and
test are disjoint; all lines are functions of their number alone.
Source: the pictures as in `lab.data.emnist`, split byclass; the sentences as in `lab.data.sentences`.
"""
# from week 3

import re
from functools import cache

import numpy as np

from lab.data import images
from lab.data.augment_text import text_augmentations
from lab.data.base import IGNORED, LabData
from lab.data.counted import uniform
from lab.data.emnist import ALL, EMNIST, prepare
from lab.data.glyph_lines import GlyphImages, Glyphs, Places, Spacing, check_lines, place
from lab.data.images import read_idx, stored
from lab.data.sentences import PARTS, Part, Passages, sentences
from lab.data.text_images import state_text_images
from lab.data.vocabulary import CharVocabulary
from lab.errors import LabError, nearest
from lab.seeding import mixed_seed

HEIGHT = 28
VAL, TEST = 500, 1000
# What the pictures are taken from, and where validation and test begin in EMNIST's test part.
SOURCES = ("all", "test")
TEST_PART = (90_000, 100_000)
ALPHABET = CharVocabulary(" " + ALL)


class EMNISTLines(LabData):
    """English sentences spelled with EMNIST's 62 letters and digits; downloaded (560 MB).

    Characters that EMNIST lacks are left out. 500 lines are for validation and 1000 for the test.

    Args:
        source: all takes pictures from where EMNIST has them: training, the last 5000 of it for
            validation, test; test needs EMNIST's test part alone and cuts it by position.
        train_size: different training lines.
        min_length: fewest characters of a line, unless it is the end of a sentence.
        max_length: most characters of a line.
        overlap: largest share of a character that the next one covers.
        augment: strength of random changes of training images, 1 for those as between people.

    Raises:
        LabError: an unknown source, an option out of range, or a character without a picture.
    """

    writers = ("unknown",)

    def __init__(
        self,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        source: str = "all",
        train_size: int = 20_000,
        min_length: int = 8,
        max_length: int = 32,
        overlap: float = 0.3,
        augment: float = 0.0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        if source not in SOURCES:
            close = nearest(source, SOURCES)
            raise LabError(f"--data.source {source}: no such source.\nNearest: {close}")
        check_lines(train_size, min_length, max_length, overlap)
        self.emnist = EMNIST(split="byclass")
        self.spacing = Spacing(overlap=overlap, gap=5.0, blank=(10.0, 18.0))
        self.source, self.train_size = source, train_size
        self.min_length, self.max_length = min_length, max_length
        self.alphabet = ALPHABET.tokens
        self.text_length = max_length
        width = self.spacing.longest(max_length, 0, width=HEIGHT)
        chain = text_augmentations(augment)
        state_text_images(self, height=HEIGHT, width=width, augmentations=chain)

    def prepare_data(self) -> None:
        files = self.emnist.files()
        prepare(files if self.source == "all" else files[2:])

    def setup(self, stage: str) -> None:
        sizes = (self.train_size, VAL, TEST)
        self.train_set, self.val_set, self.test_set = (
            self.lines(glyphs, part, size)
            for glyphs, part, size in zip(self.glyphs(), PARTS, sizes, strict=True)
        )

    def glyphs(self) -> list[Glyphs]:
        """The pictures for training, validation and test."""
        kept = self.emnist.files() if self.source == "all" else self.emnist.files()[2:]
        arrays = [read_idx(stored(file)).numpy() for file in kept]
        pictures, labels = arrays[::2], arrays[1::2]
        cuts = [-images.VAL] if self.source == "all" else TEST_PART
        # The first array is cut, the other is the test.
        parts = [[*np.split(kind[0], cuts), *kind[1:]] for kind in (pictures, labels)]
        # The files hold each picture with its columns first; the space comes before all classes.
        return [
            Glyphs(shown, classes.astype(np.int64) + 1, alphabet=len(ALPHABET))
            for shown, classes in zip(*parts, strict=True)
        ]

    def lines(self, glyphs: Glyphs, part: Part, size: int) -> GlyphImages:
        """The first lines of a part."""
        seed, indices = mixed_seed(PARTS.index(part)), np.arange(size)
        draws = uniform(mixed_seed(seed, 1), indices, 2)
        texts = passages(part).lines(draws, least=self.min_length, most=self.max_length)
        tokens = np.full((size, self.max_length), IGNORED)
        lengths = np.array([len(text) for text in texts])
        inside = np.arange(self.max_length) < lengths[:, None]
        tokens[inside] = ALPHABET.encode("".join(texts)).numpy()
        for number in np.unique(tokens[inside & (tokens > 0)]):
            if glyphs.counts[number] == 0:
                raise LabError(f"EMNIST's pictures for {part} have no {self.alphabet[number]!r}")
        chosen = glyphs.choose(tokens, uniform(mixed_seed(seed, 2), indices, self.max_length))
        apart = uniform(mixed_seed(seed, 3), indices, 1 + self.max_length)
        begins, widths = place(glyphs, chosen, apart, self.spacing, ended=~inside)
        places = Places(chosen, begins, np.zeros_like(chosen))
        sizes = np.stack([np.full(size, HEIGHT), widths], axis=1)
        return GlyphImages(glyphs, tokens, places, sizes=sizes)


def spelled(text: str) -> str:
    """A text in EMNIST's characters: without apostrophes, and a space for all others."""
    return re.sub(r"[^0-9A-Za-z]+", " ", re.sub(r"['’]", "", text)).strip()


@cache
def passages(part: Part) -> Passages:
    """The sentences of a part as far as they can be spelled."""
    return Passages(dict.fromkeys(map(spelled, sentences(part))))
