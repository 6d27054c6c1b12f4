"""Clustering by k-means: groups in data that nobody has labelled.

X is (n, d), centres are (k, d), labels are (n,) whole numbers: the row of each sample's centre.
"""

import numpy as np


def assign(X: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The nearest centre of each sample, (n,) int; of equally near ones the first."""
    # >>> solution: return the number of the nearest centre for each row of X, shape (n,)
    return ((X[:, None] - centres) ** 2).sum(-1).argmin(1)
    # <<< solution


def inertia(X: np.ndarray, centres: np.ndarray) -> float:
    """The sum over the samples of the squared distance to the nearest centre."""
    # >>> solution: return the sum of the squared distances to the nearest centre, a float
    return float(((X - centres[assign(X, centres)]) ** 2).sum())
    # <<< solution


def move(X: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """New centres (k, d): the means of their samples. A centre without samples stays where it is."""
    # >>> solution: return the mean of each centre's samples, or the old centre if it has none
    moved = centres.astype(float)
    for label in np.unique(labels):
        moved[label] = X[labels == label].mean(0)
    return moved
    # <<< solution


def kmeans(
    X: np.ndarray, centres: np.ndarray, *, max_rounds: int = 300
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Lloyd's algorithm from the given centres, until no label changes or `max_rounds` are done.

    A round assigns every sample to its nearest centre, then moves all centres.

    Returns:
        The centres (k, d); the labels (n,), those of the returned centres; and the inertia at the given
        centres and after each round, so a list of one number more than there were rounds.
    """
    # >>> solution: return the centres, the labels, and the list of inertias
    history, labels = [inertia(X, centres)], assign(X, centres)
    for _ in range(max_rounds):
        centres = move(X, labels, centres)
        history.append(inertia(X, centres))
        before, labels = labels, assign(X, centres)
        if (before == labels).all():
            break
    return centres, labels, history
    # <<< solution


def plus_plus(X: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """k rows of X as first centres, (k, d), drawn as k-means++ does.

    The first is any row, all alike. Each next one is a row drawn with a probability in proportion to its
    squared distance from the nearest centre drawn so far.
    """
    # >>> solution: return k rows of X, each drawn by its squared distance from those before
    chosen = [int(rng.integers(len(X)))]
    while len(chosen) < k:
        far = ((X[:, None] - X[chosen]) ** 2).sum(-1).min(1)
        chosen.append(int(rng.choice(len(X), p=far / far.sum())))
    return X[chosen].copy()
    # <<< solution


def best_of(
    X: np.ndarray, k: int, rng: np.random.Generator, *, restarts: int = 10
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """What `kmeans` gives from `restarts` draws of `plus_plus`: of all, the one with the least inertia."""
    # >>> solution: return centres, labels and inertias of the best run
    runs = [kmeans(X, plus_plus(X, k, rng)) for _ in range(restarts)]
    return min(runs, key=lambda run: run[2][-1])
    # <<< solution


def purity(labels: np.ndarray, y: np.ndarray) -> float:
    """The share of samples whose true class y is the most frequent one among their cluster's."""
    # >>> solution: return the share of samples in the majority class of their cluster, a float
    largest = [np.unique(y[labels == label], return_counts=True)[1].max() for label in set(labels)]
    return float(sum(largest) / len(y))
    # <<< solution


def adjusted_rand(labels: np.ndarray, y: np.ndarray) -> float:
    """How far two partitions agree on pairs: 1 for the same partition, 0 on average for a random one.

    With S pairs of samples that are together in both, A together in `labels`, B together in `y`, and
    E = A B / (number of all pairs): (S - E) / ((A + B) / 2 - E). Two partitions that both put everything
    together, or both nothing, agree: 1.
    """
    # >>> solution: return the adjusted Rand index, a float

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both = np.unique(np.column_stack([labels, y]), axis=0, return_counts=True)[1]
    first, second = (pairs(np.unique(part, return_counts=True)[1]) for part in (labels, y))
    expected = first * second / pairs(np.array([len(y)]))
    most = (first + second) / 2
    return 1.0 if most == expected else (pairs(both) - expected) / (most - expected)
    # <<< solution
