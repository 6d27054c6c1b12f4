"""Public tests of w01.t02."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from tasks.labs import checking

NAMES = ["sigmoid", "tanh", "relu", "leaky_relu", "softplus", "silu", "gelu"]
# Value and slope at -1000, value and slope at +1000.
FAR = {
    "sigmoid": (0, 0, 1, 0),
    "tanh": (-1, 0, 1, 0),
    "relu": (0, 0, 1000, 1),
    "leaky_relu": (-10, 0.01, 1000, 1),
    "softplus": (0, 0, 1000, 1),
    "silu": (0, 0, 1000, 1),
    "gelu": (0, 0, 1000, 1),
}


def spread(rng: np.random.Generator) -> np.ndarray:
    """200 numbers of both signs, none near zero, up to +-50, as (20, 10)."""
    sizes = np.concatenate([rng.uniform(0.01, 6, size=180), rng.uniform(6, 50, size=18), [50, 50]])
    return (rng.permutation(sizes) * rng.choice([-1, 1], size=200)).reshape(20, 10)


def test_sigmoid_is_the_inverse_of_the_log_odds(impl, rng):
    """Odds of 3 to 1 have a sigmoid of 3/4, and so for any odds."""
    odds = np.array([1.0, 3.0, 1 / 3, *rng.uniform(0.01, 100, size=20)])
    checking.close(
        impl.sigmoid(np.log(odds)),
        odds / (odds + 1),
        concept="sigmoid",
        why="The sigmoid of the logarithm of odds is the probability.",
    )


def test_tanh_is_a_stretched_sigmoid(impl, rng):
    """tanh(x) against the library of Python, number by number."""
    x = rng.normal(size=(4, 5)) * 2
    want = np.array([math.tanh(v) for v in x.flat]).reshape(4, 5)
    checking.close(impl.tanh(x), want, concept="tanh", why="tanh runs from -1 to 1, 0 at 0.")


def test_both_sides_of_relu(impl):
    """-2, 0 and 3 through relu, and through leaky_relu with slopes 0.01, 0.2 and 1.5."""
    x = np.array([-2.0, 0.0, 3.0])
    checking.close(
        impl.relu(x.copy()),
        [0, 0, 3],
        concept="relu",
        why="The positive side passes, the rest is 0.",
    )
    checking.close(
        impl.leaky_relu(x.copy()),
        [-0.02, 0, 3],
        concept="leaky-side",
        why="The negative side is scaled, not cut.",
    )
    for slope in (0.2, 1.5):
        checking.close(
            impl.leaky_relu(x.copy(), negative_slope=slope),
            [-2 * slope, 0, 3],
            concept="leaky-side",
            why="`negative_slope` counts, also above 1; it belongs to the negative side only.",
        )
        checking.close(
            impl.leaky_relu_slope(x, negative_slope=slope),
            [slope, slope, 1],
            concept="leaky-side",
            why="The slope of the negative side (0 belongs to it) is `negative_slope`.",
        )


def test_slope_of_relu_at_zero_is_zero(impl):
    """By agreement: 0 at 0; below it 0, above it 1."""
    checking.equal(
        impl.relu_slope(np.array([-1.0, 0.0, -0.0, 1e-300, 1.0])),
        np.array([0.0, 0.0, 0.0, 1.0, 1.0]),
        concept="kink",
        why="At the kink there is no derivative; this task takes that of the flat side, as PyTorch does.",
    )


def test_softplus_is_smooth_relu(impl):
    """exp(softplus(x)) = 1 + exp(x), and all digits at -30, where softplus is 9.4e-14."""
    x = np.array([-2.0, 0.0, 1.0, 5.0])
    checking.close(
        np.exp(impl.softplus(x)), 1 + np.exp(x), concept="softplus", why="See the formula."
    )
    checking.close(
        impl.softplus(np.array([15.0])),
        [15 + math.exp(-15)],
        rtol=1e-10,
        atol=0,
        concept="softplus",
        why="Above the line y = x there is still log(1 + exp(-x)), small but not nothing.",
    )
    checking.close(
        impl.softplus(np.array([-30.0])),
        [math.exp(-30)],
        rtol=1e-9,
        atol=0,
        concept="small-digits",
        why="1 + 9e-14 keeps three digits of the small part; NumPy has a logarithm of 1 + x that keeps all.",
    )


def test_silu_has_a_dip(impl):
    """Its minimum is -0.2784645 at -1.2784645, and x = ln 3 gives three quarters of x."""
    third = np.log(3.0)
    checking.close(
        impl.silu(np.array([third, -third, 0.0])),
        [0.75 * third, -0.25 * third, 0],
        concept="silu",
        why="x times its sigmoid, on the negative side too: there it dips below zero.",
    )
    lowest = np.array([-1.2784645427610738])
    checking.close(impl.silu(lowest), lowest + 1, concept="silu", why="The dip is -0.2784645.")


def test_gelu_is_exact(impl, rng):
    """x times the normal distribution function; 0.8413447 at 1, where the tanh formula has 0.8411920."""
    x = np.array([1.0, -1.0, *rng.normal(size=30) * 2])
    checking.close(
        impl.gelu(x),
        [v * NormalDist().cdf(v) for v in x],
        concept="exact-gelu",
        why="x times the normal distribution function, by erf as on the sheet, its root of 2 included; the "
        "formula with tanh is off by up to 4.7e-4.",
    )


@pytest.mark.parametrize("name", NAMES)
def test_slope_agrees_with_differences(impl, rng, name):
    """Central differences at 200 random numbers up to +-50."""
    act, slope = impl.ACTIVATIONS[name]
    x, step = spread(rng), 1e-5
    checking.close(
        slope(x),
        (act(x + step) - act(x - step)) / (2 * step),
        rtol=1e-5,
        atol=1e-7,
        concept="slope",
        why=f"The slope of {name} has to be the derivative of your own {name}.",
    )


def test_slopes_at_zero(impl):
    """The sigmoid has 1/4, tanh 1, softplus, SiLU and GELU 1/2; both kinks count as their negative side."""
    for name, want in zip(NAMES, (0.25, 1.0, 0.0, 0.01, 0.5, 0.5, 0.5), strict=True):
        checking.close(
            impl.ACTIVATIONS[name][1](np.zeros(1)),
            [want],
            concept="slope",
            why=f"At 0 {name} has the slope {want}.",
        )


def test_silu_is_flat_at_its_dip(impl):
    """At the minimum, -1.2784645, the slope is 0."""
    lowest = np.array([-1.2784645427610738])
    checking.close(
        impl.silu_slope(lowest),
        [0.0],
        atol=1e-12,
        concept="silu",
        why="At the minimum the slope is 0: both factors depend on x.",
    )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overflows(impl, name):
    """Value and slope at -1000 and +1000."""
    act, slope = impl.ACTIVATIONS[name]
    x = np.array([-1000.0, 1000.0])
    with checking.no_overflow(
        concept="overflow",
        why="exp of a large positive number overflows, in the branch too that np.where throws away.",
    ):
        values, slopes = act(x), slope(x)
    low, low_slope, high, high_slope = FAR[name]
    for got, want in ((values, (low, high)), (slopes, (low_slope, high_slope))):
        checking.close(
            got, want, concept="overflow", why="Far out each is flat, or a straight line."
        )


@pytest.mark.parametrize("name", NAMES)
def test_shape_dtype_and_input_are_kept(impl, rng, name):
    """float32 in, float32 out, any shape, also for a transposed view; the input stays as it is."""
    act, slope = impl.ACTIVATIONS[name]
    single = (3 * rng.normal(size=(4, 6))).astype(np.float32)
    for x in (single[:, ::2].T, single[0, :0], single.astype(float)):
        for function in (act, slope):
            with checking.untouched(x, why="Return a new array; work in place on nobody's input."):
                got = function(x)
            checking.alike(
                got,
                x,
                concept="dtype",
                why="A float64 among float32 makes all float64: take care of np.sqrt(2), bool and np.where.",
            )


@pytest.mark.parametrize("name", NAMES)
def test_backward_takes_the_upstream_gradient_along(impl, rng, name):
    """A random upstream gradient, against differences of the sum of upstream times act(x)."""
    x, upstream, step = spread(rng), rng.normal(size=(20, 10)), 1e-5
    act = impl.ACTIVATIONS[name][0]
    with checking.untouched(x, upstream, why="Return a new array."):
        got = impl.backward(name, x, upstream)
    checking.close(
        got,
        (upstream * act(x + step) - upstream * act(x - step)) / (2 * step),
        rtol=1e-4,
        atol=1e-6,
        concept="upstream",
        why="Chain rule: what arrives from above times the slope at x, element by element.",
    )


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "silu"])
def test_chain_is_a_composition(impl, rng, name):
    """Depth 3 against three calls, and its derivative against differences; depth 0 is x itself."""
    act = impl.ACTIVATIONS[name][0]
    x, step = rng.normal(size=8), 1e-5
    value, slope = impl.chain(name, x, 3)
    checking.close(
        value, act(act(act(x))), concept="chain", why="Each takes the last one's result."
    )
    ahead, behind = impl.chain(name, x + step, 3)[0], impl.chain(name, x - step, 3)[0]
    checking.close(
        slope,
        (ahead - behind) / (2 * step),
        rtol=1e-5,
        atol=1e-8,
        concept="chain",
        why="The slopes multiply, each taken at the input of its own layer.",
    )
    for got, want in zip(impl.chain(name, x, 0), (x, np.ones(8)), strict=True):
        checking.close(got, want, concept="chain", why="Without a layer nothing changes.")


def test_sigmoids_make_gradients_vanish(impl, rng):
    """k sigmoids in a row pass at most 4^-k of a gradient."""
    x = rng.normal(size=50)
    for depth in (1, 5, 20):
        passed = np.abs(impl.chain("sigmoid", x, depth)[1]).max()
        checking.that(
            passed <= 0.25**depth,
            concept="chain",
            why="No sigmoid passes more than a quarter, so `depth` of them pass at most 4^-depth.",
            expected=f"at most {0.25**depth:.3g}",
            got=passed,
        )


def test_dead_units_by_hand(impl):
    """Of five units one never fires, one is always exactly 0, two fire for one row, one of them just so."""
    X = np.array([[1.0], [2.0], [3.0]])
    first = (np.array([[1.0, 0, 1, 1, 1]]), np.array([-9, 0, -2.5, 0, -2.999999]))
    # The first unit of the second layer would fire only if negative numbers came through.
    second = (np.zeros((5, 3)), np.array([0.0, -0.5, 1.0]))
    second[0][0, 0], second[0][3, 1] = -1, 1
    checking.close(
        impl.dead_fraction([first, second], X),
        [2 / 5, 1 / 3],
        concept="dead-units",
        why="Dead means 0 for all rows, after the ReLU; the next layer sees what comes out of the ReLU.",
    )
