"""Universal approximation, built by hand: columns of steep sigmoids, and straight pieces of ReLUs.

Nothing is trained here: the weights of each net follow from the function that it is to follow on [0, 1].
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


class Net(NamedTuple):
    """One input, one hidden layer, one output: offset + sum of heights * act(weights * x + biases).

    weights, biases and heights are (units,); act is the one that `activation` names in ACTIVATIONS.
    """

    activation: str
    weights: np.ndarray
    biases: np.ndarray
    heights: np.ndarray
    offset: float = 0.0


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0)


ACTIVATIONS: dict[str, Function] = {"sigmoid": sigmoid, "relu": relu}


def target(x: np.ndarray) -> np.ndarray:
    """The curve of Nielsen's chapter 4; on [0, 1] its slope stays within +-6.9956."""
    return 0.2 + 0.4 * x**2 + 0.3 * x * np.sin(15 * x) + 0.05 * np.cos(50 * x)


def column(x: np.ndarray, left: float, right: float, steepness: float) -> np.ndarray:
    """About 1 between `left` and `right`, about 0 outside: the difference of two sigmoids.

    One steps up at `left`, the other at `right`; `steepness` is the weight of x in both. At an edge, as long
    as the other is far away, the column is 1/2.
    """
    # >>> solution: return the column at each x, shaped as x
    return sigmoid(steepness * (x - left)) - sigmoid(steepness * (x - right))
    # <<< solution


def evaluate(net: Net, x: np.ndarray) -> np.ndarray:
    """The output of the net at each of the inputs x: (m,) -> (m,)."""
    # >>> solution: return the output of the net for each input, shape (m,)
    hidden = ACTIVATIONS[net.activation](np.outer(x, net.weights) + net.biases)
    return net.offset + hidden @ net.heights
    # <<< solution


def fit_columns(f: Function, n: int, *, steepness: float) -> Net:
    """A net of at most 2 n sigmoids that is a column over each n-th part of [0, 1].

    Each column is as high as f in the middle of its part. Its edges are those of the part, except at 0 and 1,
    where a column has to be up at full height already. `steepness` is the weight of x in all units.
    """
    # >>> solution: return a Net with activation "sigmoid"
    middles = (np.arange(n) + 0.5) / n
    edges = np.linspace(0, 1, n + 1)
    edges[[0, -1]] = -1, 2
    ups, downs = edges[:-1], edges[1:]
    return Net(
        activation="sigmoid",
        weights=np.full(2 * n, steepness),
        biases=-steepness * np.concatenate([ups, downs]),
        heights=np.concatenate([f(middles), -f(middles)]),
    )
    # <<< solution


def fit_relu_hats(f: Function, n: int) -> Net:
    """A net of n ReLUs that joins the points (i / n, f(i / n)), i = 0 to n, by straight lines on [0, 1].

    Each unit begins at the left end of one of the n pieces.
    """
    # >>> solution: return a Net with activation "relu" and n units
    knots = np.linspace(0, 1, n + 1)
    slopes = np.diff(f(knots)) * n
    return Net(
        activation="relu",
        weights=np.ones(n),
        biases=-knots[:-1],
        heights=np.diff(slopes, prepend=0),
        offset=float(f(knots)[0]),
    )
    # <<< solution


def max_error(net: Net, f: Function, points: int = 10001) -> float:
    """The largest distance between net and f, over `points` evenly spaced inputs from 0 to 1."""
    # >>> solution: return the largest distance, a float
    x = np.linspace(0, 1, points)
    return float(np.abs(evaluate(net, x) - f(x)).max())
    # <<< solution


def tower(
    x: np.ndarray,
    y: np.ndarray,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    steepness: float,
) -> np.ndarray:
    """About 1 where x and y are both in their range, about 0 elsewhere: a column for two inputs.

    A column in x plus a column in y is 2, 1 or 0; one more sigmoid of weight `steepness` decides.
    """
    # >>> solution: return the tower at each pair, shaped as x and y
    total = column(x, *x_range, steepness) + column(y, *y_range, steepness)
    return sigmoid(steepness * (total - 1.5))
    # <<< solution
