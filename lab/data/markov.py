"""The long run of a language in which each letter depends on the two before it."""

import numpy as np


def stationary(follow: np.ndarray) -> np.ndarray:
    """Shares (K, K) of pairs that stay what they are: p(b, c) = sum over a of p(a, b) follow(a, b, c)."""
    size = len(follow)
    step = np.zeros((size,) * 4)
    for b in range(size):
        step[:, b, b, :] = follow[:, b, :]
    # All but one of the equations p = p step, and that the shares sum to 1.
    equations = step.reshape(size**2, size**2).T - np.eye(size**2)
    equations[-1] = 1
    return np.linalg.solve(equations, np.eye(size**2)[-1]).reshape(size, size)
