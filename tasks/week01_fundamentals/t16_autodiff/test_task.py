"""Public tests of w01.t16."""

import math

import numpy as np
import pytest

from tasks.labs import checking

# Each operation on Values, the same on floats, and points where it is smooth.
OPERATIONS = {
    "add": (lambda a, b: a + b, lambda a, b: a + b, [(2.0, -3.0), (0.0, 5.0)]),
    "mul": (lambda a, b: a * b, lambda a, b: a * b, [(2.0, -3.0), (0.0, 5.0), (-0.5, 0.25)]),
    "square": (lambda a: a**2, lambda a: a**2, [(-3.0,), (0.0,), (1.5,)]),
    "reciprocal": (lambda a: a**-1, lambda a: 1 / a, [(-2.0,), (0.5,)]),
    "root": (lambda a: a**0.5, math.sqrt, [(4.0,), (0.3,)]),
    "relu": (lambda a: a.relu(), lambda a: a if a > 0 else 0.0, [(-3.0,), (2.0,), (0.01,)]),
    "tanh": (lambda a: a.tanh(), math.tanh, [(-1.2,), (0.0,), (3.0,), (-20.0,)]),
    "exp": (lambda a: a.exp(), math.exp, [(-4.0,), (0.0,), (2.0,)]),
}


def test_sorted_values(impl):
    """Parents come first, each Value once, the root last, and nothing that the root was not made of."""
    x, y = impl.Value(1.0), impl.Value(2.0)
    a = impl.Value(3.0, (x, y), (1.0, 1.0))
    b = impl.Value(4.0, (a, x), (1.0, 1.0))
    impl.Value(5.0, (b,), (1.0,))
    root = impl.Value(6.0, (y, b, a, b), (1.0, 1.0, 1.0, 1.0))
    order = list(impl.topo_sort(root))
    names = {id(x): "x", id(y): "y", id(a): "a", id(b): "b", id(root): "root"}
    told = " ".join(names.get(id(node), "other") for node in order)
    checking.that(
        sorted(told.split()) == ["a", "b", "root", "x", "y"],
        concept="each-value-once",
        why="Remember which Values have been seen; those made from the root's parents do not belong.",
        expected="x, y, a, b and root, each once",
        got=told,
    )
    places = {id(node): place for place, node in enumerate(order)}
    checking.that(
        all(places[id(p)] < places[id(node)] for node in order for p in node.parents),
        concept="order-of-nodes",
        why="A Value joins the list when all of its parents are in it, not when it is first met.",
        expected="parents before what is made of them",
        got=told,
    )


def test_results_remember_their_parents(impl):
    """What an operation gives is made of its Values: also where the slope is 0, also of a constant."""
    x, c = impl.Value(-2.0), impl.Value(5.0, needs_grad=False)
    results = {"x + c": x + c, "x * c": x * c, "x**2": x**2, "relu": x.relu(), "exp": x.exp()}
    for name, result in {**results, "tanh": x.tanh()}.items():
        found = [id(one) for one in impl.topo_sort(result)]
        checking.that(
            id(x) in found and (id(c) in found) == name.endswith("c"),
            concept="parents-kept",
            why="Whatever its number and slopes, a result remembers each Value that it was made of.",
            expected=f"x among what {name} was made of, and c if it is in it",
            got=f"{len(found)} Values",
        )


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation(impl, rng, name):
    """Its number, and its slope by each argument times what comes from above, against central differences."""
    ours, plain, points = OPERATIONS[name]
    for point in points:
        leaves = [impl.Value(number) for number in point]
        result = ours(*leaves)
        checking.close(
            result.data,
            plain(*point),
            concept="forward",
            why=f"The number of {name} is that of the function itself.",
        )
        upstream = float(rng.uniform(0.5, 3)) * (-1) ** int(rng.integers(2))
        result.backward(upstream)
        for leaf, nudge in zip(leaves, 1e-6 * np.eye(len(point)), strict=True):
            above, below = plain(*(point + nudge)), plain(*(point - nudge))
            checking.close(
                leaf.grad,
                upstream * (above - below) / 2e-6,
                rtol=1e-6,
                atol=1e-7,
                concept="local-slope",
                why=f"Derive {name} by hand for each argument; backward multiplies that by the upstream.",
            )


def test_slope_of_relu_at_zero(impl):
    """Any slope from 0 to 1 would do there; the one of this task, as of torch, is 0."""
    x = impl.Value(0.0)
    x.relu().backward()
    checking.equal(
        x.grad, 0.0, concept="relu-at-zero", why="Only numbers above 0 pass; 0 itself does not."
    )


def test_tanh_of_large_numbers(impl):
    """At 400 and -400 it is 1 and -1, and flat."""
    for number in (400.0, -400.0):
        x = impl.Value(number)
        try:
            y = x.tanh()
        except OverflowError:
            y = impl.Value(math.nan)
        y.backward()
        checking.close(
            [y.data, x.grad],
            [math.copysign(1.0, number), 0.0],
            concept="tanh-overflow",
            why="exp(800) is more than a float can hold: take the tanh that Python has.",
        )


def test_gradients_of_a_value_used_twice_add_up(impl):
    """x x at 3 has the slope 6, and x + x the slope 2."""
    for make, slope in ((lambda x: x * x, 6.0), (lambda x: x + x, 2.0)):
        x = impl.Value(3.0)
        make(x).backward()
        checking.close(
            x.grad,
            slope,
            concept="sum-over-paths",
            why="A derivative is a sum over all paths to the result: add to grad, do not overwrite it.",
        )


@pytest.mark.parametrize("swap", [False, True])
def test_diamond(impl, swap):
    """a = 2 x, b = exp(a), result a b: a may pass on its gradient only after b has given its share."""
    x = impl.Value(0.3)
    a = x * 2.0
    b = a.exp()
    (b * a if swap else a * b).backward(-1.5)
    checking.close(
        x.grad,
        -1.5 * 2 * (1 + 0.6) * math.exp(0.6),
        concept="order-of-nodes",
        why="Go through the sorted Values from the last to the first: a Value's grad has to be complete.",
    )


def test_doubling_twelve_times(impl):
    """x + x, then that plus itself, and so on: 4096 paths, but only 13 Values."""
    x = y = impl.Value(0.5)
    for _ in range(12):
        y = y + y
    checking.equal(
        len(impl.topo_sort(y)),
        13,
        concept="each-value-once",
        why="Visit Values, not paths: paths double with each step.",
    )
    y.backward()
    checking.close(x.grad, 4096.0, concept="sum-over-paths", why="Every path counts once.")


def test_chain_of_ten_thousand(impl):
    """No RecursionError, and the gradient of a sum with 10 000 terms."""
    x = y = impl.Value(1.0)
    for _ in range(10_000):
        y = y + x
    try:
        y.backward()
        got = x.grad
    except RecursionError:
        got = math.nan
    checking.close(
        got,
        10_001.0,
        concept="no-recursion",
        why="Python's calls nest a thousand deep: keep a list of what is still to be visited instead.",
    )


def test_second_call_adds_to_leaves(impl):
    """Twice the same backward doubles the gradient of x; what is in between holds the last call's."""
    x = impl.Value(2.0)
    a = x * 3.0
    y = a * a
    y.backward(-0.5)
    y.backward(-0.5)
    checking.close(
        [x.grad, a.grad, y.grad],
        [2 * -18.0, -6.0, -0.5],
        concept="second-backward",
        why="Results start from zero in each call, leaves add up; else the first call is counted again.",
    )


def test_leaf_is_a_result_too(impl):
    """The derivative of a leaf by itself is 1; two calls add up, as for any leaf."""
    x = impl.Value(2.0)
    x.backward(2.5)
    x.backward()
    checking.close(
        x.grad,
        3.5,
        concept="second-backward",
        why="A leaf adds up over calls, also where it is itself what backward is called on.",
    )


def test_constants_get_no_gradient(impl):
    """Where needs_grad is False grad stays 0, and the others' gradients are what they were."""
    x, c = impl.Value(2.0), impl.Value(5.0, needs_grad=False)
    k = c * 2.0
    (x * k + c).backward()
    checking.equal(
        [c.grad, k.grad, x.grad],
        [0.0, 0.0, 10.0],
        concept="constant",
        why="Look at needs_grad before adding: a constant is data, and nobody will change it.",
    )
    k.backward()
    checking.equal(k.grad, 0.0, concept="constant", why="A result of constants is one too.")
    c.grad = 0.25
    (x * c).backward()
    checking.equal(
        c.grad, 0.25, concept="constant", why="What a constant's grad holds, backward leaves alone."
    )


def test_gradcheck_of_what_is_right(impl):
    """A large step does no harm to a quadratic, and three arguments give less than 1e-7."""
    numbers = [0.5, -1.0, 0.3]
    got = impl.gradcheck(lambda v: (v[0] * v[1]).tanh() + v[2].exp() * v[0], numbers)
    checking.equal(
        numbers, [0.5, -1.0, 0.3], concept="input-changed", why="Shift a copy of the list."
    )
    checking.close(
        impl.gradcheck(lambda v: v[0] * v[0], [3.0], step=0.1),
        0.0,
        atol=1e-8,
        concept="central-difference",
        why="f(x + h) - f(x - h), over 2 h: the error of a one-sided difference is far larger.",
    )
    checking.that(
        got < 1e-7,
        concept="gradcheck",
        why="Shift one number at a time, by step, with fresh Values for each evaluation.",
        expected="below 1e-7",
        got=got,
    )
    checking.close(
        impl.gradcheck(lambda v: v[0] ** 3, [1.0], step=0.1),
        0.01 / 3.01,
        concept="step-of-gradcheck",
        why="x^3 at 1 has the difference 3 + h^2: at the step that is asked for, that is 3.01.",
    )


def test_gradcheck_of_what_is_wrong(impl):
    """v^2 + w with slopes of the square that are too small, too large or of the wrong sign."""
    why = "The largest error over all arguments, |a - b| over the largest of 1, |a| and |b|."
    for number, slope, error in (
        *((3.0, 3.0, 0.5), (3.0, 12.0, 0.5), (3.0, -2.0, 8 / 6)),
        *((0.25, 0.25, 0.25), (-3.0, -3.0, 0.5)),
    ):
        for at in (0, 1):

            def f(v, at=at, slope=slope):
                return impl.Value(v[at].data ** 2, (v[at],), (slope,)) + v[1 - at]

            numbers = [number, 1.0] if at == 0 else [1.0, number]
            got = impl.gradcheck(f, numbers)
            checking.close(got, error, rtol=1e-6, concept="gradcheck", why=why)


def test_expression_of_micrograd(impl):
    """The expression that micrograd's README differentiates: at a = -4, b = 2 its numbers are known."""
    a, b = impl.Value(-4.0), impl.Value(2.0)
    c = 2 * (2 * (a + b) + 1) + 1 - a
    d = 4 * (3 * (a * b + b**3) + (b + a).relu()) + (b - a).relu()
    f = (c - d) ** 2
    g = f / 2 + 10 / f
    g.backward()
    checking.close(
        [g.data, a.grad, b.grad],
        [24.7041, 138.8338, 645.5773],
        rtol=1e-6,
        concept="sum-over-paths",
        why="Slopes multiply along a path from the result to a leaf, and paths add up.",
    )
