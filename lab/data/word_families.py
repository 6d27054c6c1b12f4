"""The default data of word relations: a generated language, see `lab.data.word_language`."""

import zlib
from collections.abc import Sequence

import torch

from lab.data.base import LabData, Loader
from lab.data.word_language import Relations, grid, lands, numbered_text, text, vocabulary
from lab.data.word_questions import all_questions, numbered, numbers_of, parse_queries
from lab.data.word_windows import (
    WordWindows,
    as_pairs,
    check_windows,
    epochs_loader,
    keep_probability,
)
from lab.errors import LabError


class Families(LabData):
    """Sentences about families, courts and countries, generated; analogies that follow from company.

    A sample is a block of 64 words, see `lab.data.word_windows`. Validation and test have sentences and
    pairs of words of their own in the analogies: every third pair of a relation is for validation.

    Args:
        sentences: how many, of about 9 words; a twentieth each is for validation and for the test.
        noise: share of the words that are drawn without regard to what the sentence is about.
        window: words on either side at most.
        subsample: words with more than about this share of the text are dropped often, as in word2vec.
        queries: what `predict` is asked, such as "king - man + woman".

    Raises:
        LabError: an option out of range.
    """

    train_set: WordWindows  # type: ignore[assignment]

    def __init__(
        self,
        *,
        batch_size: int = 16,
        num_workers: int = 0,
        sentences: int = 32_000,
        noise: float = 0.1,
        window: int = 5,
        subsample: float = 1e-2,
        queries: Sequence[str] = ("king - man + woman", "paris - france + italy", "queen", "rome"),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_windows(window, subsample)
        if sentences < 1000:
            raise LabError(f"--data.sentences {sentences}: choose at least 1000")
        if not 0 <= noise < 1:
            raise LabError(f"--data.noise {noise}: choose 0 to below 1, a share of the words")
        self.words = tuple(vocabulary())
        self.vocab_size = len(self.words)
        self.sentences, self.noise = sentences, noise
        self.window, self.subsample, self.queries = window, subsample, queries
        self.batch_transform = as_pairs

    def setup(self, stage: str) -> None:
        numbers = numbers_of(self.words)
        lines = text(1, self.sentences, self.noise)
        # The same sentence may be drawn twice, but is always on the same side.
        part = [zlib.crc32(line.encode()) % 20 for line in lines]
        train, val, test = (
            numbered_text(
                [line for line, n in zip(lines, part, strict=True) if n in sides], numbers
            )
            for sides in (range(2, 20), [0], [1])
        )
        self.counts = torch.bincount(train[0], minlength=self.vocab_size)
        keep = keep_probability(self.counts, self.subsample)
        self.train_set, *others = (
            WordWindows(*part, keep, window=self.window) for part in (train, val, test)
        )
        self.val_set, self.test_set = (other.fixed() for other in others)
        relations: Relations = {}
        grid(relations)
        lands(relations)
        self.relations = numbered(relations, numbers)
        val_pairs = {name: pairs[::3] for name, pairs in relations.items()}
        test_pairs = {
            name: [pair for place, pair in enumerate(pairs) if place % 3]
            for name, pairs in relations.items()
        }
        self.questions = {
            "val": all_questions(val_pairs, numbers),
            "test": all_questions(test_pairs, numbers),
        }
        self.similarities = None
        self.predict_set = parse_queries(self.queries, self.words)

    def train_dataloader(self) -> Loader:
        return epochs_loader(self, self.train_set)

    def predict_dataloader(self) -> Loader:
        return self.loader(self.predict_set, shuffle=False)
