"""Running text as words: text8 by download, or any file.

Source: text8, the first 10^8 characters of a cleaned English Wikipedia (Mahoney 2006): 17 005 207 words.
Questions: Google's analogies (Mikolov et al. 2013) and WordSim-353 (Finkelstein et al. 2002), as far as their
words are known.
"""

import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from lab.data.base import LabData, Loader
from lab.data.download import RemoteFile, data_folder, fetch
from lab.data.reading import reading
from lab.data.word_questions import (
    ANALOGIES,
    SIMILARITIES,
    parse_queries,
    read_analogies,
    read_similarities,
)
from lab.data.word_windows import (
    WordWindows,
    as_pairs,
    check_windows,
    epochs_loader,
    keep_probability,
)
from lab.errors import LabError

TEXT8 = RemoteFile(
    name="text8.zip",
    size=31344016,
    sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    mirrors=("https://mattmahoney.net/dc/text8.zip",),
)
# Letters and digits, with apostrophes between them.
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
PIECE = 1 << 22


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, or of the one file in a .zip."""
    if path.suffix != ".zip":
        with path.open("rb") as stream:
            yield stream
        return
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as stream:
        yield stream


def pieces(stream: IO[bytes]) -> Iterator[str]:
    """The text piece by piece; words are not cut."""
    rest = b""
    while piece := stream.read(PIECE):
        whole, space, tail = (rest + piece).rpartition(b" ")
        rest = tail if space else rest + piece
        yield whole.decode("utf-8")
    yield rest.decode("utf-8")


def read_words(path: Path) -> tuple[np.ndarray, list[str]]:
    """Every word of the text as a number of the order in which they first come, and the words."""
    numbers: dict[str, int] = {}
    parts = []
    with reading(path), opened(path) as stream:
        for piece in pieces(stream):
            found = WORD.findall(piece.lower())
            part = [numbers.setdefault(word, len(numbers)) for word in found]
            parts.append(np.array(part, dtype=np.int32))
    return np.concatenate(parts), list(numbers)


class WordText(LabData):
    """Any text as words: text8 (downloaded, 31 MB) or a file, with Google's analogies and WordSim-353.

    A sample is a block of 64 words, see `lab.data.word_windows`. The text is cut by position: windows
    overlap, and the first words of a topic tell the next ones. Words that are too rare are left out.

    Args:
        path: a text file, as it is or below LAB_DATA_DIR; text8 when not given.
        max_words: size of the vocabulary: the most frequent words of the training part.
        min_count: rarer words are not in the vocabulary, even if there is room.
        held_out: share of the text for validation, and as much for the test; 100 000 words each at most.
        window: words on either side at most.
        subsample: words with more than about this share of the text are dropped often, as in word2vec.
        queries: what `predict` is asked, such as "king - man + woman"; some frequent words if not given.

    Raises:
        LabError: an option out of range, no such file, or a text without frequent words.
    """

    train_set: WordWindows  # type: ignore[assignment]

    def __init__(
        self,
        *,
        batch_size: int = 16,
        num_workers: int = 0,
        path: str | None = None,
        max_words: int = 30_000,
        min_count: int = 5,
        held_out: float = 0.02,
        window: int = 5,
        subsample: float = 1e-3,
        queries: Sequence[str] = (),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_windows(window, subsample)
        if max_words < 2 or min_count < 1:
            raise LabError("--data.max_words must be at least 2 and --data.min_count at least 1")
        if not 0 < held_out < 0.5:
            raise LabError(f"--data.held_out {held_out}: choose a share between 0 and 0.5")
        self.vocab_size = max_words
        self.path, self.min_count, self.held_out = path, min_count, held_out
        self.window, self.subsample, self.queries = window, subsample, queries
        self.batch_transform = as_pairs
        self.words: tuple[str, ...] = ()

    def place(self) -> Path:
        """Where the text is, or shall be."""
        if self.path is None:
            return data_folder() / "text8" / TEXT8.name
        below = data_folder() / self.path
        return below if not Path(self.path).is_file() and below.is_file() else Path(self.path)

    def prepare_data(self) -> None:
        if self.path is None:
            fetch(TEXT8, data_folder() / "text8")
        elif not self.place().is_file():
            raise LabError(
                f"--data.path {self.path}: there is no such file,\nnor {data_folder() / self.path}"
            )
        for file in (ANALOGIES, SIMILARITIES):
            try:
                fetch(file, data_folder() / "word2vec")
            except LabError as error:
                if (data_folder() / "word2vec" / file.name).is_file():
                    raise
                line = str(error).partition("\n")[0]
                print(f"not measured, {file.name} is not there: {line}", file=sys.stderr)

    def setup(self, stage: str) -> None:
        if self.words:
            return
        text, known = read_words(self.place())
        held = min(round(self.held_out * len(text)), 100_000)
        train, val, test = np.split(text, [len(text) - 2 * held, len(text) - held])
        counts = np.bincount(train, minlength=len(known))
        order = np.argsort(-counts, kind="stable")[: self.vocab_size]
        order = order[counts[order] >= self.min_count]
        if len(order) < 2 or held == 0:
            raise LabError(
                f"{self.place()}: of {len(text)} words {len(order)} come {self.min_count} times.\n"
                "Choose a longer text, or a lower --data.min_count."
            )
        self.words = tuple(known[number] for number in order)
        self.counts = torch.zeros(self.vocab_size, dtype=torch.long)
        self.counts[: len(order)] = torch.from_numpy(counts[order])
        keep = keep_probability(self.counts, self.subsample)
        number = np.full(len(known), -1)
        number[order] = np.arange(len(order))
        self.train_set, *others = (
            WordWindows(*running(part, number), keep, window=self.window)
            for part in (train, val, test)
        )
        self.val_set, self.test_set = (other.fixed() for other in others)
        self.read_questions()
        frequent = self.words[100:200:10] or self.words[:10]
        self.predict_set = parse_queries(self.queries or frequent, self.words)

    def read_questions(self) -> None:
        """Analogies and similarities, as far as their files are there."""
        folder = data_folder() / "word2vec"
        self.questions: dict[str, Tensor] = {}
        self.relations: dict[str, Tensor] = {}
        self.similarities: tuple[Tensor, Tensor] | None = None
        if (folder / ANALOGIES.name).is_file():
            self.questions, self.relations = read_analogies(folder / ANALOGIES.name, self.words)
        if (folder / SIMILARITIES.name).is_file():
            self.similarities = read_similarities(folder / SIMILARITIES.name, self.words)

    def train_dataloader(self) -> Loader:
        return epochs_loader(self, self.train_set)

    def predict_dataloader(self) -> Loader:
        return self.loader(self.predict_set, shuffle=False)


def running(text: np.ndarray, number: np.ndarray) -> tuple[Tensor, Tensor]:
    """Known words of a text by their numbers (-1 is unknown), as one sentence."""
    words = torch.from_numpy(number[text])
    words = words[words >= 0]
    return words, torch.zeros_like(words)
