"""Hidden tests of w01.t03: other functions, other sizes."""

import numpy as np
import pytest

from tasks.labs import checking


@pytest.mark.parametrize("n", [1, 2, 33])
def test_columns_of_other_functions(impl, n):
    """A steep exponential: bound L / (2 n) with L = 3 e^3."""

    def f(x):
        return np.exp(3 * x)

    error = impl.max_error(impl.fit_columns(f, n, steepness=500.0 * n), f)
    bound = 3 * np.exp(3) / (2 * n)
    checking.that(
        error < 1.03 * bound,
        concept="column-bound",
        why="No x is farther than half a part from a middle.",
        expected=f"at most {bound:.4f}",
        got=error,
    )


def test_constant_is_exact(impl):
    """A constant needs one column or any number of them, and no bend."""
    x = np.linspace(0.0, 1.0, 301)

    def f(x):
        return np.full_like(x, -2.5)

    for net in (impl.fit_columns(f, 9, steepness=1000.0), impl.fit_relu_hats(f, 9)):
        checking.close(
            impl.evaluate(net, x),
            np.full(301, -2.5),
            concept="outer-edges",
            why="Where one column goes down the next goes up by as much.",
        )


def test_relus_on_a_kink(impl):
    """|x - 1/2| is exact as soon as a piece ends at 1/2."""

    def f(x):
        return np.abs(x - 0.5)

    errors = [impl.max_error(impl.fit_relu_hats(f, n), f) for n in (2, 3, 10)]
    checking.close(
        errors,
        [0, 1 / 6, 0],
        atol=1e-6,
        rtol=1e-3,
        concept="change-of-slope",
        why="Straight pieces follow straight pieces, if they change at the same places.",
    )


def test_one_relu_is_a_line(impl):
    """n = 1 joins (0, f(0)) and (1, f(1))."""
    net = impl.fit_relu_hats(lambda x: 2 + x**3, 1)
    checking.close(
        impl.evaluate(net, np.array([0.0, 0.25, 1.0])),
        [2, 2.25, 3],
        concept="change-of-slope",
        why="A line is an offset and one slope.",
    )


def test_towers_elsewhere(impl, rng):
    """Random boxes, against the plain question whether a point is inside."""
    low, high = rng.uniform(-3, -1, size=2), rng.uniform(1, 3, size=2)
    points = rng.uniform(-4, 4, size=(400, 2))
    clear = np.minimum(np.abs(points - low), np.abs(points - high)).min(axis=1) > 0.05
    points = points[clear]
    inside = ((points > low) & (points < high)).all(axis=1)
    checking.close(
        impl.tower(*points.T, (low[0], high[0]), (low[1], high[1]), 400.0),
        inside.astype(float),
        atol=1e-6,
        concept="tower",
        why="Both columns have to be up.",
    )
