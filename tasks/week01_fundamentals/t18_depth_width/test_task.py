"""Public tests of w01.t18."""

import numpy as np
import pytest

from tasks.labs import checking


def outputs(net, x):
    """What a list of layers gives for inputs x (n,)."""
    h = x[None, :]
    for index, (W, b) in enumerate(net):
        h = np.asarray(W) @ h + np.asarray(b)[:, None]
        if index + 1 < len(net):
            h = h * (h > 0)
    return h[0]


def one_layer(units, line=0.0):
    """The network of sum v * relu(w * x + b) over units (w, b, v), plus line * x for -9 < x."""
    rows = [*units, (1.0, 9.0, line)]
    w, b, v = np.array(rows).T
    return [(w[:, None], b), (v[None, :], np.array([-9.0 * line]))]


def shapes(net):
    return [(tuple(np.shape(W)), tuple(np.shape(b))) for W, b in net]


def test_tent_of_points_by_hand(impl):
    """Once: 1/4 -> 1/2, 1/2 -> 1. Twice: 1/8 -> 1/2, 1/4 -> 1, 1/2 -> 0, 3/4 -> 1, 1 -> 0."""
    once, twice = impl.tent_network(1), impl.tent_network(2)
    checking.close(
        outputs(once, np.array([0.0, 0.25, 0.5, 0.75, 1.0])),
        [0.0, 0.5, 1.0, 0.5, 0.0],
        concept="tent-of-two-units",
        why="One unit makes the rise; the second, off until 1/2, has to turn slope 2 into slope -2.",
    )
    checking.close(
        outputs(twice, np.array([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])),
        [0.0, 0.5, 1.0, 0.0, 1.0, 0.0],
        concept="composition",
        why="The second hidden layer applies the tent to what the first tent gave, not to x.",
    )


@pytest.mark.parametrize("k", [1, 3, 6])
def test_tent_network_has_k_layers_of_two_units(impl, k, rng):
    """k hidden layers of two units and an output layer; the function is the tent k times."""
    net = impl.tent_network(k)
    checking.equal(
        shapes(net),
        [((2, 1), (2,)), *[((2, 2), (2,))] * (k - 1), ((1, 2), (1,))],
        concept="composition",
        why="Each further application of the tent costs one hidden layer of two units.",
    )
    x = rng.uniform(size=200)
    y = x
    for _ in range(k):
        y = 1 - np.abs(2 * y - 1)
    checking.close(
        outputs(net, x),
        y,
        atol=1e-10,
        concept="composition",
        why="Compare with 1 - |2x - 1| applied k times.",
    )


def test_each_unit_makes_a_kink(impl):
    """No unit, one, two and three units of one hidden layer, which switch inside of the interval."""
    units = [(1.0, -0.5, 1.0), (-1.0, 0.2, 3.0), (2.0, -1.6, -4.0)]
    nets = [one_layer(units[:count], line=2.0) for count in range(4)]
    checking.equal(
        [impl.count_linear_pieces(net, 0.0, 1.0) for net in nets],
        [1, 2, 3, 4],
        concept="kinks-and-pieces",
        why="Each unit that switches in the interval makes a kink of its own, and n kinks n + 1 pieces.",
    )


def test_pieces_depend_on_the_interval(impl):
    """Kinks at 1 and 2: how many pieces there are depends on where the interval lies."""
    net = one_layer([(1.0, -1.0, 1.0), (1.0, -2.0, 3.0)])
    intervals = [(0.0, 3.0), (0.0, 1.5), (1.5, 3.0), (-2.0, 0.5), (2.5, 4.0), (1.0, 2.0)]
    checking.equal(
        [impl.count_linear_pieces(net, *ends) for ends in intervals],
        [3, 2, 2, 1, 1, 1],
        concept="interval",
        why="Only kinks strictly between a and b end a piece; one at an end of the interval does not.",
    )


def test_equal_slopes_far_apart_are_two_pieces(impl):
    """A ramp from 0 to 1: flat, rising, flat."""
    ramp = one_layer([(1.0, 0.0, 1.0), (1.0, -1.0, -1.0)])
    checking.equal(
        impl.count_linear_pieces(ramp, -1.0, 2.0),
        3,
        concept="pieces-not-slopes",
        why="Count how often the slope changes along the interval, not how many different slopes there are.",
    )


def test_output_crosses_zero_without_a_kink(impl):
    """3 x + 1 without any hidden layer, and a hat of a hidden layer that falls below zero."""
    line = [(np.array([[3.0]]), np.array([1.0]))]
    hat = one_layer([(1.0, -0.3, -2.0)], line=1.0)
    checking.equal(
        [impl.count_linear_pieces(net, -1.0, 2.0) for net in (line, hat)],
        [1, 2],
        concept="output-without-relu",
        why="A ReLU comes after every layer but the last, so the output may cross zero without a kink.",
    )


def test_switch_without_change_of_slope_ends_no_piece(impl):
    """Units that cancel, that nothing listens to, or that switch at the same place."""
    nets = [
        one_layer([(1.0, -0.3, 2.0), (1.0, -0.3, -2.0)], line=1.0),
        one_layer([(1.0, -0.3, 0.0), (-1.0, 0.5, 0.0)], line=1.0),
        one_layer([(1.0, -0.3, 1.0), (2.0, -0.6, 1.0), (-1.0, 0.3, 4.0)]),
    ]
    checking.equal(
        [impl.count_linear_pieces(net, 0.0, 1.0) for net in nets],
        [1, 1, 2],
        concept="kink-needs-a-change",
        why="A unit that switches is a kink of the output only if the slope of the output differs there.",
    )


def test_small_kinks_and_small_functions_count(impl):
    """A kink of one thousandth of the slope, and functions a million and a million million times smaller."""
    kink = one_layer([(1.0, -0.3, 1e-3)], line=1.0)
    small = [one_layer([(1.0, -0.3, 2 * by), (1.0, -0.6, -by)]) for by in (1e-6, 1e-12)]
    checking.equal(
        [impl.count_linear_pieces(net, 0.0, 1.0) for net in (kink, *small)],
        [2, 3, 3],
        concept="tolerance-is-relative",
        why="What counts as equal must be far below the kinks and in proportion to the steepest slope.",
    )


def test_rounding_makes_no_kink(impl):
    """At 0.3 three units change the slope by 0.1 + 0.2 - 0.3, which floats do not make zero."""
    net = one_layer([(1.0, -0.3, 0.1), (1.0, -0.3, 0.2), (1.0, -0.3, -0.3)], line=1e-3)
    checking.equal(
        impl.count_linear_pieces(net, 0.0, 1.0),
        1,
        concept="tolerance-for-rounding",
        why="Slopes that are the same on paper differ in the last bits: leave them room of 1e-9.",
    )


def test_narrow_piece_is_found(impl, rng):
    """A tooth of width 2e-5 somewhere in an interval of length 1: two flats and two flanks."""
    at = rng.uniform(0.2, 0.8)
    tooth = one_layer([(1.0, -at, 1.0), (1.0, -at - 1e-5, -2.0), (1.0, -at - 2e-5, 1.0)])
    arrays = [array for layer in tooth for array in layer]
    with checking.untouched(*arrays, why="Counting changes no weight of the network."):
        got = impl.count_linear_pieces(tooth, 0.0, 1.0)
    checking.equal(
        got,
        4,
        concept="exact-kinks",
        why="Samples on a grid miss what lies between them: compute where each unit's input crosses zero.",
    )


def test_kinks_of_the_second_layer(impl):
    """relu(1/2 - |x|) has kinks at -1/2, 0 and 1/2, of which the first layer makes only the middle one."""
    first = (np.array([[1.0], [-1.0]]), np.zeros(2))
    net = [first, (np.array([[-1.0, -1.0]]), np.array([0.5])), (np.ones((1, 1)), np.zeros(1))]
    checking.equal(
        impl.count_linear_pieces(net, -1.0, 1.0),
        4,
        concept="every-layer-bends",
        why="Between two kinks of one layer the inputs of the next are straight, and may cross zero there.",
    )


@pytest.mark.parametrize("k", [1, 4, 8, 10])
def test_depth_doubles_the_pieces(impl, k):
    """Each layer of the tent network doubles the number of pieces: 2**k on [0, 1]."""
    net = impl.tent_network(k)
    checking.equal(
        impl.count_linear_pieces(net, 0.0, 1.0),
        2**k,
        concept="pieces-double",
        why="Every piece of the tent so far runs once through [0, 1], so the next tent folds each in two.",
    )


def test_regions_by_hand(impl):
    """Three lines cut the plane into 7; D points cut a line into D + 1; two planes cut space into 4."""
    cases = [(2, 3), (1, 8), (3, 2), (2, 0), (5, 5)]
    checking.equal(
        [impl.max_regions(*case) for case in cases],
        [7, 9, 4, 1, 32],
        concept="zaslavsky",
        why="Sum the ways to choose 0, 1, ... up to `inputs` of the hyperplanes; with few, all 2**width.",
    )


def test_regions_are_exact(impl):
    """50 hyperplanes in 10 dimensions, and 120 in 60, to the last digit."""
    got = [impl.max_regions(10, 50), impl.max_regions(60, 120)]
    checking.equal(
        got[0], 13432735556, concept="zaslavsky", why="Prince (2023), section 3.3, has this value."
    )
    # Half of all subsets, and half of those of exactly 60, by symmetry of the binomials.
    half = (2**120 + 96614908840363322603893139521372656) // 2
    checking.equal(
        got[1],
        half,
        concept="exact-integers",
        why="Floats have 53 bits: count with whole numbers all the way.",
    )


def test_width_that_as_many_pieces_take(impl):
    """One hidden layer of D units has at most D kinks."""
    checking.equal(
        [impl.min_width_for(k) for k in (1, 2, 6, 10)],
        [1, 3, 63, 1023],
        concept="kinks-and-pieces",
        why="n kinks make n + 1 pieces, and each unit makes one kink.",
    )


@pytest.mark.parametrize("k", [1, 2, 5])
def test_one_wide_layer_gives_the_same_function(impl, k, rng):
    """2**k units in one layer do what k layers of two units do."""
    net = impl.tent_in_one_layer(k)
    checking.equal(
        shapes(net),
        [((2**k, 1), (2**k,)), ((1, 2**k), (1,))],
        concept="one-unit-per-kink",
        why="One hidden layer: a unit for each of the kinks inside, and one for the first slope.",
    )
    (w, b), _ = net
    places = np.array(
        [-shift / slope for slope, shift in zip(np.ravel(w), b, strict=True) if slope]
    )
    kinks = np.arange(1, 2**k) / 2**k
    nearest = [places[np.abs(places - kink).argmin()] if len(places) else np.nan for kink in kinks]
    checking.close(
        nearest,
        kinks,
        concept="places-of-kinks",
        why="A unit switches where w x + b = 0. Pieces of equal width put that at 1/2**k, 2/2**k, ...",
    )
    x = rng.uniform(size=300)
    folded = np.abs((x * 2**k + 1) % 2 - 1)
    checking.close(
        outputs(net, x),
        folded,
        atol=1e-9,
        concept="change-of-slope",
        why="A unit's outgoing weight is the change of slope at its kink: from up to down, twice as much.",
    )
