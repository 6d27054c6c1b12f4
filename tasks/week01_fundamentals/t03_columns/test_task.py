"""Public tests of w01.t03."""

import numpy as np
import pytest

from tasks.labs import checking

SIZES = (10, 20, 40, 80, 160)


def steepest(f) -> float:
    """The largest slope of f on [0, 1]."""
    return float(np.abs(np.diff(f(np.linspace(0.0, 1.0, 100001)))).max() * 1e5)


def curviest(f) -> float:
    """The largest second derivative of f on [0, 1]."""
    return float(np.abs(np.diff(f(np.linspace(0.0, 1.0, 10001)), n=2)).max() * 1e8)


@pytest.fixture
def wave(rng):
    """A smooth function with random numbers in it, neither 0 at 0 nor at 1."""
    a, b, c, d = rng.uniform(1, 2, size=4)
    return lambda x: 3 + a * np.sin(4 * b * x + c) + d * x


def test_column_is_a_difference_of_sigmoids(impl):
    """A gentle one by hand: edges at ln 3 and ln 9, weight 1; then weight 2."""
    edges = np.log(3.0), np.log(9.0)
    checking.close(
        impl.column(np.array([0.0, np.log(3), np.log(27)]), *edges, 1.0),
        [1 / 4 - 1 / 10, 1 / 2 - 1 / 4, 9 / 10 - 3 / 4],
        concept="column",
        why="Up at `left`, down at `right`: the first sigmoid minus the second.",
    )
    checking.close(
        impl.column(np.array([0.0]), *edges, 2.0),
        [1 / 10 - 1 / 82],
        concept="steepness",
        why="The argument of each sigmoid is steepness * (x - edge): the weight multiplies the edge too.",
    )


def test_steep_column(impl, rng):
    """At steepness 1000 it is 1 inside, 0 outside and 1/2 at its edges."""
    left = rng.uniform(-2, 2)
    right = left + rng.uniform(0.5, 1)
    x = np.array([left - 0.3, left, (left + right) / 2, right, right + 0.3])
    checking.close(
        impl.column(x, left, right, 1000.0),
        [0, 0.5, 1, 0.5, 0],
        concept="column",
        why="Steep sigmoids are nearly steps: between the two of them lies the column.",
    )


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_output_is_a_weighted_sum(impl, rng, activation):
    """A net of seven random units with an offset, against a loop."""
    w, b, v = rng.normal(size=(3, 7)) * 2
    x = rng.normal(size=11)
    net = impl.Net(activation, w, b, v, offset=1.5)
    with checking.untouched(w, b, v, x, why="Compute on copies."):
        got = impl.evaluate(net, x)
    z = np.array([[w[j] * value + b[j] for j in range(7)] for value in x])
    units = 1 / (1 + np.exp(-z)) if activation == "sigmoid" else np.where(z > 0, z, 0)
    checking.close(
        got,
        [1.5 + sum(v[j] * row[j] for j in range(7)) for row in units],
        concept="one-hidden-layer",
        why="Offset plus heights times activations, and the activation is the one that the net names.",
    )


def test_max_error_is_the_largest_distance(impl):
    """The net 0 against functions below and above it, and with few points."""
    flat = impl.Net("relu", np.zeros(1), np.zeros(1), np.zeros(1))
    for f, points, want in (
        (lambda x: -2 * x, 10001, 2.0),
        (lambda x: 1 + x, 11, 2.0),
        (lambda x: 4 * x * (1 - x), 2, 0.0),
        (lambda x: 4 * x * (1 - x), 3, 1.0),
    ):
        checking.close(
            impl.max_error(flat, f, points=points),
            want,
            concept="largest-distance",
            why="Size of the difference, then the maximum over `points` inputs, 0 and 1 among them.",
        )


@pytest.mark.parametrize("n", [1, 12])
def test_columns_meet_the_function_in_their_middle(impl, wave, n):
    """In the middle of each of n parts the net is as high as the function."""
    net = impl.fit_columns(wave, n, steepness=2400.0)
    middles = np.arange(1, 2 * n, 2) / (2 * n)
    edges = -np.divide(net.biases, net.weights)[np.flatnonzero(net.heights)] * n
    outside = (edges <= 0) | (edges >= n)
    checking.that(
        np.all(outside | np.isclose(edges, np.round(edges), atol=1e-6)),
        concept="edges",
        why="A unit steps where weight times x plus bias is zero: at the edge between two parts, or outside.",
        expected="steps at i / n, or not within 0 and 1",
        got=np.sort(edges / n),
    )
    checking.close(
        impl.evaluate(net, middles),
        wave(middles),
        concept="height-of-a-column",
        why="In the middle of its part only that part's column is up; its height is f there, not at an edge.",
    )
    checking.that(
        len(net.weights) <= 2 * n and np.allclose(np.abs(net.weights), 2400),
        concept="steepness",
        why="Two sigmoids make a column, each with the given steepness as its weight.",
        expected=f"at most {2 * n} units with weight 2400",
        got=f"{len(net.weights)} units, weights {np.unique(net.weights)[:3]}",
    )


def test_columns_reach_both_ends(impl, wave):
    """At 0 and at 1 the net is still as high as in the middle of its first and last part."""
    net = impl.fit_columns(wave, 12, steepness=2400.0)
    ends = np.array([0.0, 1.0])
    checking.close(
        impl.evaluate(net, ends),
        wave(np.array([1 / 24, 23 / 24])),
        concept="outer-edges",
        why="At its edge a column is only half as high: put the outermost edges well outside of [0, 1].",
    )


@pytest.mark.parametrize("n", SIZES)
def test_columns_within_their_bound(impl, n):
    """The largest error is at most L / (2 n), L being the steepest slope of the target."""
    error = impl.max_error(impl.fit_columns(impl.target, n, steepness=200.0 * n), impl.target)
    bound = steepest(impl.target) / (2 * n)
    checking.that(
        0.5 * bound < error < 1.03 * bound,
        concept="column-bound",
        why="No x is farther than half a part from a middle, so f changes by at most L / (2 n) on the way.",
        expected=f"between half of {bound:.5f} and a little over it",
        got=error,
    )


def test_columns_follow_any_function(impl, wave):
    """The same bound for a random wave, and for a line that falls below zero."""
    for f in (wave, lambda x: 1 - 5 * x):
        error = impl.max_error(impl.fit_columns(f, 25, steepness=5000.0), f)
        bound = steepest(f) / 50
        checking.that(
            error < 1.03 * bound,
            concept="column-bound",
            why="Heights come from the function that is given, negative ones too.",
            expected=f"at most {bound:.5f}",
            got=error,
        )


@pytest.mark.parametrize("n", [1, 7])
def test_relus_join_the_points(impl, wave, n):
    """One ReLU a piece; between the points straight lines, as NumPy's interp draws them."""
    net = impl.fit_relu_hats(wave, n)
    checking.equal(
        len(net.weights), n, concept="one-unit-a-piece", why="Each piece needs one unit, no more."
    )
    checking.equal(
        net.activation, "relu", concept="one-unit-a-piece", why="Straight pieces come from ReLUs."
    )
    checking.close(
        np.sort(-np.divide(net.biases, net.weights)),
        np.arange(n) / n,
        concept="where-a-piece-begins",
        why="A unit begins where weight times x plus bias is zero: at the left end of its piece.",
    )
    x, ends = np.linspace(0.0, 1.0, 200), np.arange(n + 1) / n
    checking.close(
        impl.evaluate(net, x[:1]),
        wave(x[:1]),
        concept="offset",
        why="At 0 no unit has begun yet: what the net says there is its offset alone.",
    )
    checking.close(
        impl.evaluate(net, x),
        np.interp(x, ends, wave(ends)),
        concept="change-of-slope",
        why="A unit that has begun goes on for ever: what the next one adds is the change of slope, "
        "which is rise by width.",
    )


@pytest.mark.parametrize("n", SIZES[2:])
def test_relus_within_their_bound(impl, n):
    """The largest error is at most M / (8 n^2), M being the largest second derivative."""
    error = impl.max_error(impl.fit_relu_hats(impl.target, n), impl.target)
    bound = curviest(impl.target) / (8 * n * n)
    checking.that(
        0.5 * bound < error < 1.001 * bound,
        concept="line-bound",
        why="A chord of width h leaves its curve by at most M h^2 / 8.",
        expected=f"between half of {bound:.6f} and that",
        got=error,
    )


def test_error_halves_or_quarters_when_units_double(impl):
    """From 40 to 160 parts: the slope on log-log paper is -1 for columns, -2 for ReLUs."""
    f, sizes = impl.target, SIZES[2:]
    columns = [impl.max_error(impl.fit_columns(f, n, steepness=200.0 * n), f) for n in sizes]
    lines = [impl.max_error(impl.fit_relu_hats(f, n), f) for n in sizes]
    for name, errors, want in (("columns", columns, -1), ("ReLUs", lines, -2)):
        slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
        checking.that(
            abs(slope - want) < 0.1,
            concept="order-of-convergence",
            why=f"The error of {name} goes with n to the power {want}.",
            expected=f"{want} to within 0.1",
            got=float(slope),
        )


def test_tower_needs_both_inputs(impl):
    """1 where both are in range, 0 where one or none is."""
    x, y = np.meshgrid([0.1, 0.5, 0.9], [-2.0, 1.5, 4.0])
    want = np.zeros((3, 3))
    want[1, 2] = 1
    checking.close(
        impl.tower(x, y, (0.7, 1.1), (0.0, 2.0), 300.0),
        want,
        atol=1e-6,
        concept="tower",
        why="One column alone gives 1, both give 2: the last sigmoid has to step between those two.",
    )


def test_tower_is_a_sigmoid_of_a_sum(impl, rng):
    """At weight 6 its log odds differ by 6 times what the two columns differ by, wherever it steps."""
    x, y = rng.uniform(0, 1, size=(2, 8))
    box = (0.2, 0.9), (0.1, 0.7), 6.0
    total = impl.column(x, *box[0], 6.0) + impl.column(y, *box[1], 6.0)
    got = impl.tower(x, y, *box)
    checking.that(
        np.all((got > 0) & (got < 1)),
        concept="tower",
        why="The last step is a sigmoid too, so it is neither quite 0 nor quite 1 here.",
        expected="between 0 and 1",
        got=got,
    )
    odds = np.log(got / (1 - got))
    checking.close(
        odds - odds[0],
        6 * (total - total[0]),
        concept="tower",
        why="Add the columns, which a net can do (it cannot multiply), and send the sum through one "
        "sigmoid of the given weight.",
    )
