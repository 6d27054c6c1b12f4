"""Hidden tests of w01.t18: random networks, other sizes."""

import numpy as np
import pytest

from tasks.labs import checking


def units_on(net, x):
    """Which units are on at x, and the slope of the output there."""
    h, slope, on = np.array([x]), np.ones(1), []
    for W, b in net[:-1]:
        h, slope = W @ h + b, W @ slope
        on.append(h > 0)
        h, slope = h * on[-1], slope * on[-1]
    return np.concatenate(on).tobytes(), float(net[-1][0][0] @ slope)


def halved(net, left, right, from_, to):
    """Slopes from left to right: an interval whose ends have the same units on is straight."""
    if from_[0] == to[0]:
        return [from_[1]]
    if right - left < 1e-10:
        return [from_[1], to[1]]
    middle = (left + right) / 2
    at = units_on(net, middle)
    return halved(net, left, middle, from_, at) + halved(net, middle, right, at, to)


@pytest.mark.parametrize("hidden", [(7,), (5, 4), (4, 5, 3), (3, 3, 3, 3)])
def test_random_networks(impl, hidden, rng):
    """Against halving the interval until no unit switches in a part, for one to four hidden layers."""
    sizes = [1, *hidden, 1]
    for _ in range(4):
        net = [
            (rng.normal(size=(out, into)), rng.normal(size=out))
            for into, out in zip(sizes, sizes[1:], strict=False)
        ]
        a, b = -3.0 + rng.uniform(), 2.0 + rng.uniform()
        got = impl.count_linear_pieces(net, a, b)
        slopes = halved(net, a, b, units_on(net, a), units_on(net, b))
        most = max(map(abs, slopes))
        changes = [abs(y - x) > 1e-9 * most for x, y in zip(slopes, slopes[1:], strict=False)]
        checking.equal(
            got,
            1 + sum(changes),
            concept="every-layer-bends",
            why="Kinks of later layers come where their input crosses zero, wherever that is in x.",
        )


def test_regions_add_up_over_hyperplanes(impl):
    """A new hyperplane adds as many regions as the others cut it into, one dimension lower."""
    for inputs, width in [(2, 1), (3, 7), (6, 4), (9, 20)]:
        checking.equal(
            impl.max_regions(inputs, width),
            impl.max_regions(inputs, width - 1) + impl.max_regions(inputs - 1, width - 1),
            concept="zaslavsky",
            why="This is Zaslavsky's recurrence.",
        )


def test_lines_in_a_plane_counted_by_samples(impl, rng):
    """Five random lines near the origin: no more than the formula's regions, and nearly all are seen."""
    most = impl.max_regions(2, 5)
    lines, shifts = rng.normal(size=(5, 2)), rng.normal(size=5)
    points = rng.normal(size=(40_000, 2)) * 10
    seen = len(np.unique(points @ lines.T + shifts > 0, axis=0))
    checking.that(
        seen <= most and most == 16,
        concept="zaslavsky",
        why="1 + 5 + 10 regions at most.",
        expected=f"16, of which samples saw {seen}",
        got=most,
    )


def test_one_layer_never_beats_its_width(impl, rng):
    """Random hidden layers of as many units as the function says have at most 2**k pieces."""
    width = impl.min_width_for(4)
    net = [
        (rng.normal(size=(width, 1)), rng.normal(size=width)),
        (rng.normal(size=(1, width)), np.zeros(1)),
    ]
    got = impl.count_linear_pieces(net, -1e3, 1e3)
    checking.equal(
        got, 16, concept="kinks-and-pieces", why="In so wide an interval all units switch."
    )


def test_outside_the_unit_interval(impl):
    """From -1 to 2 the tents have flat or steep ends: two more pieces than inside."""
    net = impl.tent_network(5)
    checking.equal(
        impl.count_linear_pieces(net, -1.0, 2.0),
        34,
        concept="interval",
        why="0 and 1 are kinks as well, once they are inside of the interval.",
    )
