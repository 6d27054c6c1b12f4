"""A generated language in which each letter depends on the two before it, so that its entropies are exact.

Letters are whole numbers 0 to K - 1; all entropies are in nats per letter.
Source: Shannon 1948, section 7, the entropy of a Markov source.
"""

from dataclasses import dataclass

import numpy as np

from lab.data.markov import stationary


@dataclass(frozen=True)
class Language:
    """Attributes:
    follow: (K, K, K), the probability of c after a, b; none is 0.
    pairs: (K, K), the share of each pair of neighbours in an endless text.
    """

    follow: np.ndarray
    pairs: np.ndarray

    @property
    def size(self) -> int:
        return len(self.follow)

    def entropy(self, order: int) -> float:
        """Of a letter given the `order` letters before it: the least loss of a model that sees no more.

        With order 2 it is the entropy of the language: no model of any kind loses less, but by chance.
        """
        triples = self.pairs[:, :, None] * self.follow
        seen = {0: triples.sum((0, 1)), 1: triples.sum(0), 2: triples}[order]
        given = seen / seen.sum(-1, keepdims=True)
        return float(-(seen * np.log(given)).sum())

    def text(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """A text of the language, (length,), as it would be in the middle of an endless one."""
        a, b = divmod(int(rng.choice(self.size**2, p=self.pairs.ravel())), self.size)
        letters = [a, b]
        up_to = self.follow.cumsum(-1)[..., :-1].tolist()
        for draw in rng.random(length - 2).tolist():
            row = up_to[letters[-2]][letters[-1]]
            letters.append(sum(draw > edge for edge in row))
        return np.array(letters)

    def loss(self, text: np.ndarray) -> float:
        """The mean surprise of each letter but the first two, for one who knows the language."""
        return float(-np.log(self.follow[text[:-2], text[1:-1], text[2:]]).mean())


def language(size: int = 6, *, seed: int = 0) -> Language:
    """A language of `size` letters, drawn once.

    Half of a letter's law comes from the letter before it alone, and half from both.
    """
    # numpy's legacy generator keeps its stream over releases.
    draws = np.random.RandomState(seed)
    one = draws.dirichlet(np.full(size, 0.4), size)
    two = draws.dirichlet(np.full(size, 0.2), (size, size))
    follow = 0.45 * one[None] + 0.45 * two + 0.1 / size
    return Language(follow, stationary(follow))
