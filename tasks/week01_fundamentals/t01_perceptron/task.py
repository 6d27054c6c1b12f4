"""The perceptron: its rule, the bound on its mistakes, and what it cannot do.

X is (n, d), labels y are (n,) of -1 and +1; weights are (d + 1,), the last one being the bias.
"""

import numpy as np


def with_ones(X: np.ndarray) -> np.ndarray:
    """X with a last column of ones, for the bias: (n, d) -> (n, d + 1)."""
    return np.column_stack([X, np.ones(len(X))])


def predict(w: np.ndarray, X: np.ndarray) -> np.ndarray:
    """+1 where the score `with_ones(X) @ w` is above zero, -1 elsewhere, so at zero too; (n,)."""
    # >>> solution: return labels of -1 and +1, shape (n,)
    return np.where(with_ones(X) @ w > 0, 1, -1)
    # <<< solution


def perceptron_fit(
    X: np.ndarray, y: np.ndarray, *, max_epochs: int, lr: float = 1.0
) -> tuple[np.ndarray, int, bool]:
    """Rosenblatt's rule: pass over the samples in their order until a pass makes no mistake.

    Weights start at zero. A sample is a mistake if label times score is not above zero, and only then
    the weights change, at once: lr times label times input (its 1 for the bias included) is added.

    Returns:
        The weights (d + 1,), how many mistakes were made in all passes together, and whether a pass without
        a mistake came within `max_epochs` passes.

    Raises:
        ValueError: a label that is neither -1 nor +1.
    """
    # >>> solution: return weights (d + 1,), number of mistakes, whether a pass was clean
    if not np.isin(y, (-1, 1)).all():
        raise ValueError(f"labels are -1 and +1, not {np.unique(y)}")
    A = with_ones(X)
    w, mistakes = np.zeros(A.shape[1]), 0
    for _ in range(max_epochs):
        before = mistakes
        for x, label in zip(A, y, strict=True):
            if label * (x @ w) <= 0:
                w = w + lr * label * x
                mistakes += 1
        if mistakes == before:
            return w, mistakes, True
    return w, mistakes, False
    # <<< solution


def mistake_bound(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """Novikoff's bound (R / margin)^2 on the mistakes, from weights w that separate the samples.

    R is the largest length of a row of `with_ones(X)`; the margin is the smallest label times score
    of a sample, for w scaled to length 1.

    Raises:
        ValueError: w does not separate, so it has no margin above zero.
    """
    # >>> solution: return the bound, a float
    A = with_ones(X)
    margin = np.min(y * (A @ w)) / np.linalg.norm(w)
    if not margin > 0:
        raise ValueError("these weights do not separate the samples: no margin above zero")
    return float((np.linalg.norm(A, axis=1).max() / margin) ** 2)
    # <<< solution


def linearly_separable(X: np.ndarray, y: np.ndarray, *, margin: float) -> bool:
    """Whether a hyperplane (with bias) has all +1 on one side and all -1 on the other.

    Has to be right where the best margin, as in `mistake_bound`, is at least `margin`, and where no
    hyperplane separates. What lies between may be called either.
    """
    # >>> solution: return True or False
    longest = np.linalg.norm(with_ones(X), axis=1).max()
    # A pass that is not clean makes at least one mistake.
    passes = int((longest / margin) ** 2) + 1
    return perceptron_fit(X, y, max_epochs=passes)[2]
    # <<< solution
