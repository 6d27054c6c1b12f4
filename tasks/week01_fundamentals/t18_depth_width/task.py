"""Depth against width: how many linear pieces a ReLU network can have.

A network here is a list of layers, each a pair: weights W (out, in) and biases b (out,). After every layer
but the last comes a ReLU. Networks have one input and one output, except in `max_regions`.
"""

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]


def preactivations(net: Layers, x: np.ndarray) -> list[np.ndarray]:
    """What each layer gives before its ReLU, for inputs x (n,): one array (units, n) for each layer."""
    h, found = np.asarray(x, dtype=float)[None, :], []
    for W, b in net:
        found.append(W @ h + b[:, None])
        h = np.maximum(found[-1], 0)
    return found


def evaluate(net: Layers, x: np.ndarray) -> np.ndarray:
    """The outputs of a network for inputs x: (n,) -> (n,)."""
    return preactivations(net, x)[-1][0]


def tent_network(k: int) -> Layers:
    """The tent map applied k >= 1 times to x in [0, 1]: k hidden layers of two units each, and the output.

    The tent rises from 0 at x = 0 to 1 at x = 1/2 and falls to 0 at x = 1.
    """
    # >>> solution: return k + 1 layers: k hidden ones of two units each, and the output
    kinks = np.array([0.0, -0.5])
    tent = np.array([[2.0, -4.0]])
    further = [(np.vstack([tent, tent]), kinks) for _ in range(k - 1)]
    return [(np.ones((2, 1)), kinks), *further, (tent, np.zeros(1))]
    # <<< solution


def count_linear_pieces(net: Layers, a: float, b: float) -> int:
    """How many straight pieces the output of `net` has on the interval from a to b.

    A piece is as long as it can be: where a unit switches but the output's slope stays (to within 1e-9 of the
    steepest slope), no piece ends. Only pieces shorter than 1e-9 of the interval may be missed.
    """
    # >>> solution: return the number of pieces, an int
    ends = np.array([a, b], dtype=float)
    for depth in range(len(net) - 1):
        z = preactivations(net, ends)[depth]
        left, right = z[:, :-1], z[:, 1:]
        unit, part = np.nonzero(left * right < 0)
        share = left[unit, part] / (left[unit, part] - right[unit, part])
        crossings = ends[part] + share * (ends[part + 1] - ends[part])
        ends = np.sort(np.concatenate([ends, crossings]))
        ends = ends[np.append(True, np.diff(ends) > 1e-10 * (b - a))]
    middles = (ends[1:] + ends[:-1]) / 2
    slopes = np.ones((1, len(middles)))
    for (W, _), z in zip(net[:-1], preactivations(net, middles), strict=False):
        slopes = (W @ slopes) * (z > 0)
    slopes = (net[-1][0] @ slopes)[0]
    return 1 + int(np.sum(np.abs(np.diff(slopes)) > 1e-9 * np.abs(slopes).max()))
    # <<< solution


def max_regions(inputs: int, width: int) -> int:
    """Into how many regions `width` hyperplanes cut a space of `inputs` dimensions at most (Zaslavsky).

    So many linear regions can a network with one hidden layer of `width` ReLU units have.
    """
    # >>> solution: return the largest number of regions, an exact int
    import math

    return sum(math.comb(width, j) for j in range(inputs + 1))
    # <<< solution


def min_width_for(k: int) -> int:
    """How many units one hidden layer needs at least for a function of one input with 2**k pieces."""
    # >>> solution: return the least number of hidden units, an int
    return 2**k - 1
    # <<< solution


def tent_in_one_layer(k: int) -> Layers:
    """The function of `tent_network(k)` on [0, 1] by one hidden layer, of 2**k units.

    That is one unit more than `min_width_for(k)`, for the slope on the first piece.
    """
    # >>> solution: return two layers: the hidden one of 2**k units, and the output
    n = 2**k
    changes = 2.0 * n * (-1.0) ** np.arange(n)
    changes[0] = n
    return [(np.ones((n, 1)), -np.arange(n) / n), (changes[None, :], np.zeros(1))]
    # <<< solution
