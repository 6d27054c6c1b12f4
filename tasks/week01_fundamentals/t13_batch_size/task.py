"""Stochastic gradient descent: minibatches, momentum, and how noisy the gradient of a batch is.

n samples, d weights, B the batch size. X is (n, d), y is (n,), weights and velocity are (d,).
"""

from collections.abc import Callable

import numpy as np

LossAndGrad = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, np.ndarray]]


def squared_error(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean squared error of `X @ w` on these samples, and its gradient: a `LossAndGrad`."""
    error = X @ w - y
    return float(np.mean(error**2)), 2 / len(y) * X.T @ error


def minibatches(
    n: int, batch_size: int, rng: np.random.Generator, *, drop_last: bool = False
) -> list[np.ndarray]:
    """The indices 0 to n - 1 in a new random order, cut into batches: a list of arrays of integers.

    If n is no multiple of `batch_size` the last batch is smaller; with `drop_last` it is left out.
    """
    # >>> solution: return the list of index arrays of one epoch, in an order drawn with rng
    order = rng.permutation(n)
    batches = [order[start : start + batch_size] for start in range(0, n, batch_size)]
    return [batch for batch in batches if len(batch) == batch_size or not drop_last]
    # <<< solution


def sgd_step(
    w: np.ndarray, velocity: np.ndarray, grad: np.ndarray, *, lr: float, momentum: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """One step of gradient descent with momentum, in torch's convention: the new (w, velocity).

    The velocity becomes `momentum` times itself plus the gradient; the weights move by `-lr` times the new
    velocity. Neither argument is changed.
    """
    # >>> solution: return the new weights and the new velocity, both (d,)
    velocity = momentum * velocity + grad
    return w - lr * velocity, velocity
    # <<< solution


def train_epoch(
    loss_and_grad: LossAndGrad,
    w: np.ndarray,
    velocity: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    *,
    batch_size: int,
    lr: float,
    momentum: float = 0.0,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, float]:
    """One step for each minibatch, with every sample used once: the new (w, velocity), and the epoch's loss.

    Args:
        loss_and_grad: called as `loss_and_grad(w, X_batch, y_batch)`, once for each batch; gives the mean
            loss of these samples and its gradient.

    The epoch's loss is the mean over the n samples of their loss when their batch came.
    """
    # >>> solution: return the weights and velocity after the epoch, and the mean loss of its samples
    total = 0.0
    for batch in minibatches(len(y), batch_size, rng):
        loss, grad = loss_and_grad(w, X[batch], y[batch])
        w, velocity = sgd_step(w, velocity, grad, lr=lr, momentum=momentum)
        total += loss * len(batch)
    return w, velocity, total / len(y)
    # <<< solution


def noise_variance(grads: np.ndarray, batch_size: int, *, replace: bool) -> float:
    """How far the gradient of a random batch is from the full one: the mean of the squared distance, exactly.

    Args:
        grads: the gradient of each sample, (n, d) with n at least 2; the full gradient is their mean.
        replace: whether a sample may be drawn into a batch several times.
    """
    # >>> solution: return the expected squared distance, a float, by its formula
    n = len(grads)
    single = float(np.mean(np.sum((grads - grads.mean(0)) ** 2, axis=1)))
    return single / batch_size * (1.0 if replace else (n - batch_size) / (n - 1))
    # <<< solution


def measured_noise(
    grads: np.ndarray, batch_size: int, *, replace: bool, draws: int, rng: np.random.Generator
) -> float:
    """What `noise_variance` predicts, by experiment: the mean over `draws` random batches."""
    # >>> solution: return the mean squared distance between batch gradient and full gradient
    full = grads.mean(0)
    distances = [
        np.sum((grads[rng.choice(len(grads), batch_size, replace=replace)].mean(0) - full) ** 2)
        for _ in range(draws)
    ]
    return float(np.mean(distances))
    # <<< solution
