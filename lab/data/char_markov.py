"""A generated language in which each character depends on the two before it: its entropy is known.

Shapes: x, y (B, T) token numbers; y is x moved on by one character.
Source: Shannon 1948, section 7, the entropy of a Markov source.
"""

import math
import string
from bisect import bisect

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lab.data.base import LabData
from lab.data.char_windows import check_windows, prompt_loader, window_sets
from lab.data.markov import stationary
from lab.data.vocabulary import CharVocabulary
from lab.errors import LabError

TRAIN, VAL, TEST = 500_000, 50_000, 200_000


class MarkovLaw:
    """Probabilities of K characters, each given the two before it, drawn once from a Dirichlet law.

    Attributes:
        follow: (K, K, K), probability of c after a, b.
        stationary: (K, K), share of each pair in an endless text.
        entropy: of a character given all before it, in nats: the least loss that any model can have.
    """

    def __init__(self, size: int) -> None:
        # numpy's legacy generator keeps its stream over releases.
        drawn = np.random.RandomState(0).dirichlet(np.full(size, 0.2), (size, size))
        # No character is impossible, so that every logarithm is finite.
        self.follow = 0.95 * drawn + 0.05 / size
        self.stationary = stationary(self.follow)
        surprise = -(self.follow * np.log(self.follow)).sum(-1)
        self.entropy = float((self.stationary * surprise).sum())

    def sample(self, length: int, seed: int) -> Tensor:
        """A text (N,) of the stationary law."""
        size = len(self.follow)
        random = np.random.RandomState(seed)
        pair = int(random.choice(size**2, p=self.stationary.flatten()))
        rows = self.follow.reshape(size**2, size).cumsum(-1)[:, :-1].tolist()
        text = [pair // size, pair % size]
        for draw in random.random_sample(length - 2).tolist():
            text.append(bisect(rows[pair], draw))
            pair = pair % size * size + text[-1]
        return torch.tensor(text)

    def loss(self, text: Tensor) -> float:
        """Mean surprise, in nats, of each character but the first under the law itself."""
        a, b, c = (part.numpy() for part in (text[:-2], text[1:-1], text[2:]))
        second = self.stationary / self.stationary.sum(1, keepdims=True)
        total = np.log(self.follow[a, b, c]).sum() + np.log(second[text[0], text[1]])
        return float(-total / (len(text) - 1))


class MarkovText(LabData):
    """A language of known entropy: each letter depends on the two before it; generated.

    500 000 letters are for training, 50 000 for validation, 200 000 for the test: separate texts of the
    same law. No model is better than `entropy_rate` but by chance: on the test text the law itself has
    `law_loss`.

    Args:
        letters: K, how many there are.
        context: T, characters in a window.
        overlap: how many of them, in validation and test, are there for context only.
        prompt: the text that `predict` continues.

    Attributes:
        entropy_rate: exact, in nats per character.
        law_loss: what the law itself loses on the test text, known after `setup`.

    Raises:
        LabError: an option out of range.
    """

    law_loss = math.nan

    def __init__(
        self,
        *,
        batch_size: int = 32,
        num_workers: int = 0,
        letters: int = 12,
        context: int = 64,
        overlap: int = 16,
        prompt: str = "a",
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_windows(context, overlap)
        if not 2 <= letters <= 26:
            raise LabError(f"--data.letters {letters}: choose 2 to 26")
        self.context, self.overlap, self.prompt = context, overlap, prompt
        self.input_shape = (context,)
        self.characters = CharVocabulary(string.ascii_lowercase[:letters])
        self.vocabulary = self.characters.tokens
        self.law = MarkovLaw(letters)
        self.entropy_rate = self.law.entropy

    def setup(self, stage: str) -> None:
        train, val, test = (
            self.law.sample(length, seed) for seed, length in enumerate((TRAIN, VAL, TEST), 1)
        )
        self.law_loss = self.law.loss(test)
        self.train_set, self.val_set, self.test_set = window_sets(
            train, val, test, context=self.context, overlap=self.overlap
        )

    def predict_dataloader(self) -> DataLoader:
        return prompt_loader(self.characters.encode(self.prompt))
