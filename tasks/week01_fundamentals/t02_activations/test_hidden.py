"""Hidden tests of w01.t02: other numbers, other shapes."""

import numpy as np
import pytest

from tasks.labs import checking

NAMES = ["sigmoid", "tanh", "relu", "leaky_relu", "softplus", "silu", "gelu"]


def test_symmetries(impl, rng):
    """sigmoid(x) + sigmoid(-x) = 1; softplus, SiLU and GELU differ by x between x and -x."""
    x = rng.uniform(-20, 20, size=(3, 7))
    checking.close(
        impl.sigmoid(x) + impl.sigmoid(-x), np.ones((3, 7)), concept="sigmoid", why="See above."
    )
    for name in ("softplus", "silu", "gelu"):
        act = impl.ACTIVATIONS[name][0]
        checking.close(
            act(x) - act(-x), x, concept=name, why="What the two sides weigh adds up to 1."
        )


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_far_out(impl, name):
    """float32 at +-100: finite, and near float64."""
    act, slope = impl.ACTIVATIONS[name]
    x = np.array([-100.0, -30.0, 0.5, 30.0, 100.0])
    with checking.no_overflow(concept="overflow", why="float32 overflows from exp(89) on."):
        values, slopes = act(x.astype(np.float32)), slope(x.astype(np.float32))
    checking.close(values, act(x), rtol=1e-5, atol=1e-6, concept="overflow", why="Same function.")
    checking.close(slopes, slope(x), rtol=1e-5, atol=1e-6, concept="overflow", why="Same function.")


@pytest.mark.parametrize("name", NAMES)
def test_backward_is_linear_in_upstream(impl, rng, name):
    """Twice the upstream gradient, twice the result; zero gives zero."""
    x, upstream = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    once = impl.backward(name, x, upstream)
    checking.close(
        impl.backward(name, x, -2 * upstream), -2 * once, concept="upstream", why="Chain rule."
    )
    checking.close(
        impl.backward(name, x, 0 * upstream),
        np.zeros((2, 3, 4)),
        concept="upstream",
        why="As said.",
    )


def test_chain_of_leaky_units(impl):
    """At -1, five leaky units pass 0.01^5."""
    value, slope = impl.chain("leaky_relu", np.array([-1.0, 2.0]), 5)
    checking.close(value, [-1e-10, 2], concept="chain", why="Each layer scales once.", atol=1e-18)
    checking.close(slope, [1e-10, 1], concept="chain", why="Slopes multiply.", atol=1e-18)


def test_relus_pass_all_or_nothing(impl):
    """Twenty ReLUs: the whole gradient of a positive number, none of a negative one."""
    slope = impl.chain("relu", np.array([-1.0, 0.3]), 20)[1]
    checking.equal(slope, np.array([0.0, 1.0]), concept="chain", why="Slopes are 0 or 1.")


def test_dead_units_of_a_random_net(impl, rng):
    """Three layers against loops over units and rows."""
    X = rng.normal(size=(6, 5))
    sizes = (5, 12, 9, 7)
    layers = [
        (rng.normal(size=(a, b)), rng.normal(size=b) - 2)
        for a, b in zip(sizes, sizes[1:], strict=False)
    ]
    want, rows = [], X
    for weights, bias in layers:
        units = list(zip(weights.T, bias, strict=True))
        rows = [
            [max(0.0, sum(np.multiply(row, column)) + b) for column, b in units] for row in rows
        ]
        fires = [any(row[unit] > 0 for row in rows) for unit in range(len(bias))]
        want.append(fires.count(False) / len(fires))
    checking.close(
        impl.dead_fraction(layers, X),
        want,
        concept="dead-units",
        why="A unit is dead if no row makes it fire.",
    )
