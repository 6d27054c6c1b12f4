"""Which tokens there are and the number of each, by torchtext; nothing else of the lab imports it.

torchtext 0.6.0 is the last release in pure Python; later ones are tied to releases of torch long gone.
"""

import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchtext.vocab import Vocab

from lab.data.reading import reading
from lab.errors import LabError

UNKNOWN = Vocab.UNK
# What can be printed of it, the space first.
ASCII = "".join(map(chr, range(32, 127)))


class CharVocabulary:
    """Characters in the order of their code points, numbered from 0.

    Args:
        characters: those to know; repetitions count once.
        unknown: one token more, the first, stands for all other characters.

    Attributes:
        tokens: character by number; the unknown one is `UNKNOWN`.
    """

    def __init__(self, characters: Iterable[str], *, unknown: bool = False) -> None:
        # Equal counts leave torchtext the alphabet to sort by.
        self.vocab = Vocab(Counter(set(characters)), specials=[UNKNOWN] if unknown else [])
        self.tokens = tuple(self.vocab.itos)
        self.unknown = unknown

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> Tensor:
        """Token numbers (N,) of a text, in 32 bits.

        Raises:
            LabError: a character that is not known, where nothing stands for it.
        """
        # A table by code point: looking up character by character would take a hundred times as long.
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        absent = self.vocab[UNKNOWN] if self.unknown else -1
        table = np.full(sys.maxunicode + 1, absent, dtype=np.int32)
        known = self.tokens[self.unknown :]
        table[[ord(character) for character in known]] = range(self.unknown, len(self))
        numbers = table[codes]
        if (numbers < 0).any():
            character = text[int((numbers < 0).argmax())]
            raise LabError(
                f"the text has {character!r}, which is not among the {len(self)} characters known"
            )
        return torch.from_numpy(numbers)

    def decode(self, numbers: Tensor) -> str:
        """The text of token numbers (N,)."""
        return "".join(self.tokens[number] for number in numbers.tolist())


def stated_vocabulary(characters: str, *, several_lines: bool = False) -> CharVocabulary:
    """The alphabet that `--data.characters` states, and the unknown token.

    Data modules that state the same characters number them alike, so that a net trained with one goes on
    with the other.

    Args:
        characters: all of them, one after another; or the path of a UTF-8 file, of which all characters
            count but line breaks, tabs and their like.
        several_lines: the line break is a character too.

    Raises:
        LabError: the file is no UTF-8 text, or there is no character.
    """
    text = characters
    if is_file(characters):
        with reading(Path(characters)):
            text = Path(characters).read_text(encoding="utf-8")
    found = {
        character
        for character in unicodedata.normalize("NFC", text)
        if unicodedata.category(character) != "Cc"
    }
    if not found:
        raise LabError(f"--data.characters {characters!r}: it has no character")
    return CharVocabulary([*found, "\n"] if several_lines else found, unknown=True)


def is_file(path: str) -> bool:
    """Whether this is the path of a file; a long text isn't even a path."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False
