"""Any text file, character by character; without a path, Tiny Shakespeare by download.

Shapes: x, y (B, T) token numbers; y is x moved on by one character.
Split: by position. The first nine tenths are for training, the last tenth is held out.
"""

from functools import cached_property
from pathlib import Path
from typing import Literal

from torch.utils.data import DataLoader

from lab.data.base import LabData
from lab.data.char_windows import check_windows, prompt_loader, window_sets
from lab.data.download import RemoteFile, data_folder, fetch
from lab.data.reading import reading
from lab.data.vocabulary import CharVocabulary
from lab.errors import LabError, nearest

SHAKESPEARE = RemoteFile(
    "input.txt",
    1115394,
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHARACTERS = CharVocabulary("\n !$&',-.3:;?" + LETTERS)


class CharText(LabData):
    """A text file by characters: Tiny Shakespeare (1.1 MB, downloaded), or any UTF-8 file by its path.

    Source of Tiny Shakespeare: A. Karpathy, char-rnn, 2015; the plays are in the public domain. Its 65
    characters are known beforehand; those of another file are those of its training part, with one more
    for all others.

    Args:
        path: a UTF-8 text file; Tiny Shakespeare when not given.
        held_out: what becomes of the last tenth. halves: the first half of it is for validation, the other
            for the test. whole: all of it is for both, as in published numbers, so that the test is no
            independent one when validation chose anything, be it the checkpoint.
        context: T, characters in a window.
        overlap: how many of them, in validation and test, are there for context only.
        prompt: the text that `predict` continues.

    Raises:
        LabError: an option out of range.
    """

    def __init__(
        self,
        *,
        batch_size: int = 32,
        num_workers: int = 0,
        path: str | None = None,
        held_out: Literal["halves", "whole"] = "halves",
        context: int = 64,
        overlap: int = 32,
        prompt: str = "\n",
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_windows(context, overlap)
        if held_out not in ("halves", "whole"):
            close = nearest(held_out, ("halves", "whole"))
            raise LabError(f"--data.held_out {held_out}: no such cut.\nNearest: {close}")
        self.path, self.held_out = path, held_out
        self.context, self.overlap, self.prompt = context, overlap, prompt
        self.input_shape = (context,)

    @cached_property
    def characters(self) -> CharVocabulary:
        if self.path is None:
            return CHARACTERS
        text = self.read()
        return CharVocabulary(text[: held_out_start(text)], unknown=True)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Characters by number; a file of one's own is read to know them."""
        return self.characters.tokens

    def read(self) -> str:
        """The whole text.

        Raises:
            LabError: the file is not there or no UTF-8 text.
        """
        path = Path(self.path or data_folder() / "tinyshakespeare" / SHAKESPEARE.name)
        with reading(path):
            return path.read_text(encoding="utf-8")

    def prepare_data(self) -> None:
        if self.path is None:
            fetch(SHAKESPEARE, data_folder() / "tinyshakespeare")

    def setup(self, stage: str) -> None:
        text = self.read()
        start = held_out_start(text)
        whole = self.characters.encode(text)
        train, held = whole[:start], whole[start:]
        val, test = (held, held) if self.held_out == "whole" else held.tensor_split(2)
        self.train_set, self.val_set, self.test_set = window_sets(
            train, val, test, context=self.context, overlap=self.overlap
        )

    def predict_dataloader(self) -> DataLoader:
        return prompt_loader(self.characters.encode(self.prompt))


def held_out_start(text: str) -> int:
    """Where the last tenth of a text begins."""
    return len(text) * 9 // 10
