"""Texts written by made-up hands as images, when they are asked for: what pen lines and paragraphs share."""
# from week 3

import re
from collections.abc import Sequence

import numpy as np
import torch

from lab.data.base import IGNORED, Batch
from lab.data.counted import uniform
from lab.data.pen_glyphs import glyph_table
from lab.data.pen_strokes import draw_ink, normalise_batch, on_paper
from lab.data.pen_writing import Writing, settle, write
from lab.data.sentences import PARTS, Part, Passages
from lab.data.text_images import TextImages, padded_width
from lab.data.vocabulary import ASCII, CharVocabulary, stated_vocabulary
from lab.errors import LabError
from lab.seeding import mixed_seed

# Numbers of the hands of each part; none is in two of them.
HANDS = {"train": range(600), "val": range(600, 660), "test": range(660, 760)}
# By number of the column `writers` of a batch.
WRITERS = tuple(f"hand {number}" for number in range(HANDS["test"].stop))
# Points are so far apart, in Hershey's units, on a line of 32 pixels.
SPACING = 0.9
CHUNK = 1024


def pen_alphabet(
    parts: dict[Part, Passages] | None, stated: str | None, more: str = ""
) -> CharVocabulary:
    """The characters that were stated, or printable ASCII, or the characters of a file; and `more`."""
    if stated is not None:
        return stated_vocabulary(stated, several_lines="\n" in more)
    if parts is None:
        return CharVocabulary(ASCII + more)
    found = {character for source in parts.values() for character in source.text}
    return CharVocabulary(found - {"\n"} | {*" ", *more})


def known_only(texts: list[str], vocabulary: CharVocabulary) -> list[str]:
    """Texts without the characters that are not in the alphabet; for one with no other, the next one.

    Raises:
        LabError: no text is left.
    """
    unknown = {character: "" for character in set("".join(texts)).difference(vocabulary.tokens)}
    if not unknown:
        return texts
    table = str.maketrans(unknown)
    left = [
        re.sub(r" *\n[ \n]*", "\n", re.sub(" +", " ", text.translate(table))).strip()
        for text in texts
    ]
    if not any(left):
        raise LabError("--data.characters: none of them is written; choose others, or --data.path")
    kept = next(text for text in left if text)
    for place in reversed(range(len(left))):
        left[place] = kept = left[place] or kept
    return left


class PenTexts(TextImages):
    """Texts that are written when they are asked for; a function of part and number alone.

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
        self.texts = texts = known_only(texts, vocabulary)
        self.tokens = vocabulary.encode("".join(texts)).long()
        self.lengths = torch.tensor([len(text) for text in texts])
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.height, self.width, self.pitch = height, width, pitch
        # Lines of a page may reach into each other.
        self.scale = (1.15 * pitch or height) / 32
        self.seed = mixed_seed(PARTS.index(part), 1)
        indices = np.arange(len(texts))
        known = HANDS[part]
        draws = uniform(mixed_seed(self.seed, 1), indices, 1)[:, 0]
        self.hands = known.start + (draws * len(known)).astype(np.int64)
        chunks = [indices[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
        sizes = [self.written(chunk)[1] for chunk in chunks]
        super().__init__(torch.from_numpy(np.concatenate(sizes)))

    def written(self, rows: np.ndarray) -> tuple[Writing, np.ndarray]:
        """The letters of some texts in their places, and the sizes (B, 2) of their images."""
        writing = write(
            [self.texts[row] for row in rows],
            self.hands[rows],
            rows,
            glyph_table(SPACING / self.scale),
            seed=self.seed,
            scale=self.scale,
            pitch=self.pitch or 1.1 * self.height,
        )
        slack = uniform(mixed_seed(self.seed, 2), rows, 3)
        fixed = self.pitch == 0
        return writing, settle(writing, slack, height=self.height, width=self.width, fixed=fixed)

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        rows = np.asarray(indices)
        writing, sizes = self.written(rows)
        height, width = sizes.max(0).tolist()
        ink = draw_ink(writing, glyph_table(SPACING / self.scale), height, padded_width(width))
        images = normalise_batch(on_paper(ink, writing, self.seed, rows, sizes), sizes)
        return (
            images[:, None],
            torch.from_numpy(sizes),
            self.targets(rows),
            torch.from_numpy(self.hands[rows]),
        )

    def targets(self, rows: np.ndarray) -> torch.Tensor:
        """Token numbers of some texts (B, L), IGNORED where one has ended."""
        lengths = self.lengths[rows][:, None]
        place = torch.arange(int(lengths.max()))
        inside = place < lengths
        where = torch.where(inside, self.starts[rows][:, None] + place, 0)
        return torch.where(inside, self.tokens[where], IGNORED)
