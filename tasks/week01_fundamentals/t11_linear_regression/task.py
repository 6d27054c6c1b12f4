"""Linear regression: the least-squares line exactly, and by gradient descent.

X is (n, d), y is (n,); weights are (d + 1,), the last one being the intercept.
"""

import numpy as np


def with_ones(X: np.ndarray) -> np.ndarray:
    """X with a last column of ones, for the intercept: (n, d) -> (n, d + 1)."""
    return np.column_stack([X, np.ones(len(X))])


def mse(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """The mean over the samples of the squared error of `with_ones(X) @ w`."""
    # >>> solution: return the mean squared error, a float
    return float(np.mean((with_ones(X) @ w - y) ** 2))
    # <<< solution


def mse_grad(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of `mse` with respect to w, (d + 1,)."""
    # >>> solution: return the gradient of the mean squared error, shape (d + 1,)
    A = with_ones(X)
    return 2 / len(y) * A.T @ (A @ w - y)
    # <<< solution


def fit_closed_form(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The weights of least squared error, (d + 1,).

    Where several weights are equally good (a column that others add up to), those of least norm.
    """
    # >>> solution: return the least-squares weights, those of least norm if there are several
    return np.linalg.lstsq(with_ones(X), y, rcond=None)[0]
    # <<< solution


def max_lr(X: np.ndarray) -> float:
    """The learning rate below which gradient descent on `mse` converges and above which it does not.

    It is 2 / L, where L is the largest eigenvalue of the matrix of second derivatives of `mse`.
    """
    # >>> solution: return 2 / L, a float
    A = with_ones(X)
    return float(2 / np.linalg.eigvalsh(2 / len(X) * A.T @ A)[-1])
    # <<< solution


def fit_gd(X: np.ndarray, y: np.ndarray, *, lr: float, steps: int) -> np.ndarray:
    """The weights after `steps` steps of gradient descent on `mse` from zero weights, (d + 1,)."""
    # >>> solution: return the weights after all steps, starting from zeros
    w = np.zeros(X.shape[1] + 1)
    for _ in range(steps):
        w = w - lr * mse_grad(w, X, y)
    return w
    # <<< solution


def noise_variance(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """The variance of Gaussian noise around the line under which y is most likely, given w."""
    # >>> solution: return the maximum-likelihood variance, a float
    return mse(w, X, y)
    # <<< solution
