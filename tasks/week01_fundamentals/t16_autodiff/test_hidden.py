"""Hidden tests of w01.t16: random expressions against torch, several results, very deep chains."""

import torch

from tasks.labs import checking


def expression(leaves, choices):
    """A result of all leaves, Values or tensors; tanh keeps its numbers small."""
    pool = list(leaves)
    for kind, left, right in choices:
        a, b = pool[left % len(pool)], pool[right % len(pool)]
        steps = (
            lambda a, b: a + b,
            lambda a, b: (a * b).tanh(),
            lambda a, b: a.tanh().exp(),
            lambda a, b: a.tanh() ** 3,
            lambda a, b: (a - b).relu(),
            lambda a, b: 2 / (b * b + 1),
        )
        pool.append(steps[kind % 6](a, b))
    return sum(pool[1:], pool[0]) * pool[-1].tanh()


def test_random_expressions_against_torch(impl, rng):
    """Sixty expressions of fifteen steps, with Values used several times, from a random upstream."""
    for _ in range(60):
        choices = rng.integers(0, 2**30, size=(15, 3)).tolist()
        numbers, upstream = rng.normal(size=3), float(rng.normal())
        leaves = [impl.Value(float(n)) for n in numbers]
        theirs = [torch.tensor(n, requires_grad=True) for n in numbers]
        ours, want = expression(leaves, choices), expression(theirs, choices)
        ours.backward(upstream)
        want.backward(torch.tensor(upstream, dtype=torch.float64))
        checking.close(
            ours.data, want, rtol=1e-9, concept="forward", why="The number that torch has."
        )
        checking.close(
            [leaf.grad for leaf in leaves],
            [0.0 if leaf.grad is None else float(leaf.grad) for leaf in theirs],
            rtol=1e-7,
            atol=1e-10,
            concept="sum-over-paths",
            why="Slopes multiply along a path from the result to a leaf, and paths add up.",
        )


def test_two_results_share_a_value(impl):
    """y = a^2 and z = exp(a) of a = 3 x: what x gets adds up, what a holds is from the last call."""
    x = impl.Value(0.5)
    a = x * 3.0
    y, z = a**2, a.exp()
    y.backward()
    z.backward(2.0)
    slope = 2 * float(torch.tensor(1.5, dtype=torch.float64).exp())
    checking.close(
        [x.grad, a.grad],
        [3 * (3.0 + slope), slope],
        concept="second-backward",
        why="Results start from zero in each call, leaves add up.",
    )


def test_backward_of_a_leaf_and_of_a_constant(impl):
    """A leaf's derivative by itself is 1; a result of constants stays at 0."""
    x = impl.Value(4.0)
    x.backward()
    x.backward(2.0)
    k = impl.Value(1.0, needs_grad=False) * 3.0
    k.backward()
    checking.equal(
        [x.grad, k.grad],
        [3.0, 0.0],
        concept="constant",
        why="The root is a Value like all others: upstream is added to a leaf, and not to a constant.",
    )


def test_deep_chain_of_two_branches(impl):
    """5000 times a = a / 2 + a / 2: sorted in a moment, with slope 1."""
    x = a = impl.Value(1.0)
    for _ in range(5000):
        a = a * 0.5 + a * 0.5
    try:
        a.backward()
        got = x.grad
    except RecursionError:
        got = float("nan")
    checking.close(got, 1.0, concept="no-recursion", why="Keep a list of what is to be visited.")
    order = impl.topo_sort(a)
    checking.that(
        order[-1] is a,
        concept="order-of-nodes",
        why="The root is made of all others, so it is the last.",
        expected="the root at the end",
        got=order[-1],
    )
