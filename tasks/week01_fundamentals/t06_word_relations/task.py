"""Relations between words from the company they keep: king - man + woman = queen, by counting.

Words are whole numbers, V of them; a sentence is a list of words. Vectors of words are the rows of (V, dim).
"""

from collections.abc import Sequence

import numpy as np


def cooccurrence(sentences: Sequence[Sequence[int]], window: int, size: int) -> np.ndarray:
    """How often word j stands at most `window` places before or after word i, in one sentence: (V, V).

    Each pair of places counts once for (i, j) and once for (j, i), so the matrix is symmetric; no place is
    its own neighbour. `size` is V.
    """
    # >>> solution: return the counts, shape (size, size)
    counts = np.zeros((size, size))
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for other in sentence[place + 1 : place + 1 + window]:
                counts[word, other] += 1
                counts[other, word] += 1
    return counts
    # <<< solution


def ppmi(counts: np.ndarray) -> np.ndarray:
    """Positive pointwise mutual information, (V, V): log p(i, j) / (p(i) p(j)), and 0 where that is negative.

    p(i, j) is the share of the counts at i, j; p(i) and p(j) are the shares of row i and of column j. Pairs
    that never occur, and words that never do, have 0.
    """
    # >>> solution: return the information, clipped at 0, shape (V, V)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    ratio = np.divide(counts, expected, out=np.ones(counts.shape), where=counts > 0)
    return np.log(np.maximum(ratio, 1))
    # <<< solution


def embed(information: np.ndarray, dim: int) -> np.ndarray:
    """Vectors of the words, (V, dim): the `dim` left singular vectors of the largest singular values.

    Column k is the k-th singular vector times the square root of its singular value. Its sign is free.
    """
    # >>> solution: return the first dim left singular vectors, scaled, shape (V, dim)
    left, strength, _ = np.linalg.svd(information)
    return left[:, :dim] * np.sqrt(strength[:dim])
    # <<< solution


def similarity(vector: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The cosine of the angle between one vector (dim,) and each row of vectors (V, dim): (V,).

    A vector of zeros is similar to none: 0.
    """
    # >>> solution: return the cosines, shape (V,); 0 where a vector is zero
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    return np.divide(vectors @ vector, lengths, out=np.zeros(len(vectors)), where=lengths > 0)
    # <<< solution


def analogy(vectors: np.ndarray, a: int, b: int, c: int, *, exclude: bool = True) -> int:
    """The word d for which "a is to b as c is to d": man is to king as woman is to queen.

    All vectors are first brought to length 1. Then d is the word most similar to b - a + c; a, b and c
    themselves are not asked for, unless `exclude` is False.
    """
    # >>> solution: return the number of the word that answers, an int
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    scores = similarity(unit[b] - unit[a] + unit[c], unit)
    if exclude:
        scores[[a, b, c]] = -np.inf
    return int(scores.argmax())
    # <<< solution


def accuracy(vectors: np.ndarray, questions: np.ndarray) -> float:
    """The share of the questions (n, 4) of words a, b, c, d for which `analogy` finds d."""
    # >>> solution: return the share of right answers, a float
    return float(np.mean([analogy(vectors, a, b, c) == d for a, b, c, d in questions]))
    # <<< solution
