"""What makes a net easy to train: round bowls, weights of the right size, activations of the right scale.

n samples, d features; X and x are (n, d). All variances are means of squares, but for the one that
`batchnorm` keeps.
"""

from typing import NamedTuple

import numpy as np

ACTIVATIONS = {"linear": lambda z: z, "relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}


def standardize(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets with the mean of each column taken off and divided by its standard deviation.

    Mean and deviation are those of `train` alone, also for `test`. A column that is constant in `train` is
    only centred.
    """
    # >>> solution: return the two standardized arrays, in the shapes that came in
    mean, std = train.mean(0), train.std(0)
    std = np.where(np.ptp(train, axis=0) == 0, 1.0, std)
    return (train - mean) / std, (test - mean) / std
    # <<< solution


def condition_number(X: np.ndarray) -> float:
    """The largest over the smallest eigenvalue of X^T X / n, the curvatures of squared error."""
    # >>> solution: return the ratio of the eigenvalues, a float
    values = np.linalg.eigvalsh(X.T @ X / len(X))
    return float(values[-1] / values[0])
    # <<< solution


def best_rates(largest: float, smallest: float, *, heavy_ball: bool) -> tuple[float, float]:
    """The (lr, momentum) that contract fastest on a quadratic with curvatures from smallest to largest.

    Without `heavy_ball` momentum is 0. With it lr = 4 / (√L + √m)² and momentum = ((√κ - 1) / (√κ + 1))²,
    where κ = L / m (Polyak 1964).
    """
    # >>> solution: return lr and momentum
    if not heavy_ball:
        return 2 / (largest + smallest), 0.0
    root = np.sqrt(largest / smallest)
    lr = 4 / (np.sqrt(largest) + np.sqrt(smallest)) ** 2
    return float(lr), float(((root - 1) / (root + 1)) ** 2)
    # <<< solution


def descent_steps(
    curvatures: np.ndarray,
    *,
    lr: float,
    momentum: float = 0.0,
    tolerance: float = 1e-6,
    limit: int = 100_000,
) -> int:
    """How many steps descent takes on f(x) = sum(curvatures * x²) / 2, from x all ones, at rest.

    Counted until f is at most `tolerance` times its first value; `limit` if that takes longer. A step:
    velocity becomes momentum * velocity + gradient, then x becomes x - lr * velocity.
    """
    # >>> solution: return the number of steps, an int
    x, velocity = np.ones(len(curvatures)), np.zeros(len(curvatures))
    for step in range(limit):
        if np.sum(curvatures * x**2) <= tolerance * np.sum(curvatures):
            return step
        velocity = momentum * velocity + curvatures * x
        x = x - lr * velocity
    return limit
    # <<< solution


def init_std(fan_in: int, activation: str) -> float:
    """The standard deviation of weights that keeps the scale of a layer's outputs.

    `linear` keeps the variance if every weight has variance 1 / fan_in; `relu` needs twice that (He et al.
    2015), `tanh` (5/3)² times.

    Raises:
        ValueError: another activation.
    """
    # >>> solution: return the standard deviation, or raise ValueError
    gains = {"linear": 1.0, "relu": np.sqrt(2.0), "tanh": 5 / 3}
    if activation not in gains:
        raise ValueError(f"no gain known for {activation!r}: one of {', '.join(gains)}")
    return float(gains[activation] / np.sqrt(fan_in))
    # <<< solution


def init_weights(
    fan_in: int, fan_out: int, activation: str, rng: np.random.Generator
) -> np.ndarray:
    """Normal random weights of a layer `x @ W`, (fan_in, fan_out), of the size that `init_std` says."""
    # >>> solution: return the matrix of weights
    return init_std(fan_in, activation) * rng.normal(size=(fan_in, fan_out))
    # <<< solution


def layer_stds(X: np.ndarray, weights: list[np.ndarray], activation: str) -> list[float]:
    """The standard deviation over all entries after each layer `ACTIVATIONS[activation](x @ W)`."""
    # >>> solution: return one float for each layer, the first layer's first
    stds = []
    for W in weights:
        X = ACTIVATIONS[activation](X @ W)
        stds.append(float(X.std()))
    return stds
    # <<< solution


class Running(NamedTuple):
    """What batch normalisation remembers of the batches it has seen: mean and variance, each (d,)."""

    mean: np.ndarray
    var: np.ndarray


def batchnorm(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    running: Running,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[np.ndarray, Running]:
    """Every column normalised, times gamma, plus beta; and the running statistics, as torch has them.

    In training by mean and variance of the batch (n at least 2), with `eps` added to the variance. The new
    running statistics are (1 - momentum) times the old ones plus momentum times those of the batch, its
    variance taken with n - 1 in the denominator. Otherwise by the running statistics, which stay as they are.
    """
    # >>> solution: return the output (n, d) and the running statistics, a new Running in training
    mean, var = running
    if training:
        n = len(x)
        mean, var = x.mean(0), x.var(0)
        running = Running(
            (1 - momentum) * running.mean + momentum * mean,
            (1 - momentum) * running.var + momentum * var * n / (n - 1),
        )
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, running
    # <<< solution


def layernorm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, *, eps: float = 1e-5
) -> np.ndarray:
    """Every vector along the last axis normalised by itself, times gamma, plus beta; x is (..., d).

    `eps` is added to the variance; gamma and beta are (d,).
    """
    # >>> solution: return the normalised array, in the shape of x
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta
    # <<< solution
