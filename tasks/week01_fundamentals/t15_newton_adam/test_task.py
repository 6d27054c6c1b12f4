"""Public tests of w01.t15."""

import pytest
import torch

from tasks.labs import checking


@pytest.fixture
def vec(seed):
    """Random vectors in float64: vec(4) is (4,)."""
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def start(impl, x):
    return impl.AdamState(torch.zeros_like(x), torch.zeros_like(x), 0)


def bowl(A, b):
    return lambda x: x @ A @ x / 2 - b @ x


@pytest.mark.parametrize("name", ["hvp", "newton_step", "adam_step", "adam_step, decoupled"])
def test_arguments_stay_as_they_are(impl, vec, name):
    """Nothing is changed in place, no graph is left, and float32 stays float32."""
    x, v, g, m, s = (vec(3).float() for _ in range(5))
    s = s**2
    calls = {
        "hvp": lambda: impl.hvp(lambda z: (z**4).sum(), x, v),
        "newton_step": lambda: impl.newton_step(lambda z: (z**4).sum() + z @ z, x),
    }
    options = {"lr": 0.1, "weight_decay": 0.1, "decoupled": name.endswith("decoupled")}
    call = calls.get(name) or (lambda: impl.adam_step(x, g, impl.AdamState(m, s, 3), **options)[0])
    why = "Work on copies: the caller's x, gradient and state are still needed."
    with checking.untouched(x, v, g, m, s, why=why):
        got = call()
    checking.alike(got, x, concept="dtype", why="A result has the type and place of x.")
    checking.that(
        not got.requires_grad and not x.requires_grad and x.grad is None,
        concept="no-graph-left",
        why="Differentiate by a detached copy of x, so that x needs no gradient afterwards either.",
        expected="no gradient needed",
        got="a result or x that needs a gradient, or x.grad",
    )


def test_product_with_the_hessian(impl, vec):
    """f = sum x^4 / 12 + (sum x)^2 / 2: H v is x^2 v, plus the sum of v everywhere."""
    x, v = vec(5), vec(5)
    checking.close(
        impl.hvp(lambda z: (z**4).sum() / 12 + z.sum() ** 2 / 2, x, v),
        x**2 * v + v.sum(),
        concept="second-derivative",
        why="Differentiate the gradient's product with v once more, and keep the graph the first time.",
    )


def test_product_of_unequal_directions(impl, vec):
    """At a point where H is not diagonal: against all second derivatives from torch."""
    x, v = vec(2), vec(2)

    def f(z):
        return torch.sin(z[0]) * z[1] ** 3 + torch.exp(z[0] * z[1])

    checking.close(
        impl.hvp(f, x, v),
        torch.autograd.functional.hessian(f, x) @ v,
        concept="second-derivative",
        why="The product mixes directions: it is neither the diagonal times v nor the gradient times v.",
    )


def test_product_for_many_weights(impl, vec):
    """With 30 000 weights, whose matrix would fill 7 GB."""
    x, v = vec(30_000), vec(30_000)
    why = "Do not make the matrix: gradient times v is a number, and its derivative is the product."
    try:
        got, told = impl.hvp(lambda z: (z**4).sum() / 12, x, v), ""
    except NotImplementedError:
        raise
    except (RuntimeError, MemoryError) as error:
        got, told = None, str(error)[:80]
    checking.that(
        got is not None, concept="matrix-free", why=why, expected="a product in 2 GB", got=told
    )
    checking.close(got, x**2 * v, concept="second-derivative", why=why)


def test_newton_solves_a_quadratic_in_one_step(impl, vec):
    """From anywhere, in one step, however long the bowl; also to the saddle of an indefinite one."""
    Q = torch.linalg.qr(vec(4, 4))[0]
    for values in ([1.0, 1e-3, 50.0, 3.0], [1.0, -2.0, 0.5, -0.1]):
        A, b = Q @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ Q.T, vec(4)
        checking.close(
            impl.newton_step(bowl(A, b), vec(4)),
            torch.linalg.solve(A, b),
            rtol=1e-6,
            atol=1e-7,
            concept="newton-system",
            why="x moves by the step that solves H step = -gradient, with the whole matrix and in full.",
        )


def test_damped_newton_step(impl, vec):
    """With damping 2.5 a bowl's step solves (A + 2.5 I) step = -gradient."""
    M, b, x = vec(3, 3), vec(3), vec(3)
    A = M @ M.T + torch.eye(3)
    damped = torch.linalg.inv(A + 2.5 * torch.eye(3, dtype=torch.float64))
    checking.close(
        impl.newton_step(bowl(A, b), x, damping=2.5),
        x - damped @ (A @ x - b),
        concept="damping",
        why="Damping goes on the diagonal of the matrix; it does not scale the step or fill the matrix.",
    )


def test_newton_on_the_rosenbrock_valley(impl):
    """From (-1.2, 1), f before and after each of six steps."""
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64)
    trace = [float(impl.rosenbrock(x))]
    for _ in range(6):
        x = impl.newton_step(impl.rosenbrock, x)
        trace.append(float(impl.rosenbrock(x)))
    checking.close(
        trace,
        [24.2, 4.731884, 1411.845179, 0.055966, 0.313189, 0.0, 0.0],
        rtol=1e-4,
        atol=1e-8,
        concept="newton-system",
        why="Take gradient and Hessian anew at each point; an undamped step may well go up for once.",
    )


def test_least_damping(impl, vec):
    """Raises the lowest eigenvalue to the floor, and adds nothing where it is above."""
    Q = torch.linalg.qr(vec(3, 3))[0]
    got = [
        impl.least_damping(Q @ torch.diag(torch.tensor(v).double()) @ Q.T, floor=0.1)
        for v in ([2.0, -3.0, 0.5], [0.02, 9.0, 0.5], [4.0, 9.0, 0.5])
    ]
    checking.close(
        got,
        [3.1, 0.08, 0.0],
        concept="damping",
        why="What lacks to the floor counts from the lowest eigenvalue, not the largest nor the least "
        "in size; nothing is ever taken off.",
    )


def test_running_means(impl, vec):
    """A step long after the start: what the betas keep of the old means, and what the gradient adds."""
    x, grad, mean, square = vec(3), vec(3), vec(3), vec(3) ** 2
    state = impl.AdamState(mean, square, 1000)
    _, state = impl.adam_step(x, grad, state, lr=0.1, betas=(0.5, 0.75))
    checking.close(
        torch.stack([state[0], state[1]]),
        torch.stack([(mean + grad) / 2, (3 * square + grad**2) / 4]),
        concept="running-means",
        why="betas[0] is the share of the old mean that stays, betas[1] that of the old square; the new "
        "gradient and its square get the rest.",
    )


def test_first_step_is_the_sign(impl, vec):
    """The first step is lr in each direction against the sign of the gradient, whatever its size."""
    x, grad = vec(4), torch.tensor([1e3, -1.0, 1e-3, -20.0], dtype=torch.float64)
    got, state = impl.adam_step(x, grad, start(impl, x), lr=0.02)
    checking.close(
        got - x,
        -0.02 * grad.sign(),
        rtol=1e-4,
        concept="bias-correction",
        why="After one step both means are too small by 1 - beta: divided by that they give g and g^2.",
    )
    checking.close(
        state[2],
        1,
        concept="bias-correction",
        why="The state counts the steps: it is 1 after the first.",
    )


def test_state_is_not_corrected(impl, vec):
    """What is kept are the plain running means; the correction is for the step alone."""
    x, first, second = vec(3), vec(3), vec(3)
    _, state = impl.adam_step(x, first, start(impl, x), lr=0.1, betas=(0.5, 0.75))
    _, state = impl.adam_step(x, second, state, lr=0.1, betas=(0.5, 0.75))
    checking.close(
        torch.stack([state[0], state[1]]),
        torch.stack([first / 4 + second / 2, 3 * first**2 / 16 + second**2 / 4]),
        concept="bias-correction",
        why="Keep the means uncorrected, or each step corrects them once more.",
    )
    checking.close(
        state[2],
        2,
        concept="bias-correction",
        why="Each step counts itself in the state it returns.",
    )


def test_tiny_gradients_meet_eps(impl, vec):
    """Gradient 1e-4 and eps 1e-4: half a step, for the root of the square is as large as eps."""
    x = vec(2)
    got, _ = impl.adam_step(x, torch.full_like(x, 1e-4), start(impl, x), lr=0.1, eps=1e-4)
    checking.close(
        got - x,
        torch.full_like(x, -0.05),
        rtol=1e-4,
        concept="eps-outside-root",
        why="eps is added to the root of the corrected square, neither inside of the root nor before "
        "the correction.",
    )


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_with_sums_written_out(impl, vec, decoupled):
    """Seven steps with every option off its default; each mean is a weighted sum of all gradients so far."""
    x, seen = vec(6) * 3, []
    state = start(impl, x)
    for t in range(1, 8):
        grad = vec(6) * 2
        seen.append(grad if decoupled else grad + 0.2 * x)
        ages = torch.arange(t - 1, -1, -1, dtype=torch.float64)[:, None]
        past = torch.stack(seen)
        mean = (0.7**ages * past).sum(0) / (0.7**ages).sum()
        root = ((0.95**ages * past.square()).sum(0) / (0.95**ages).sum()).sqrt()
        want = (x - 0.03 * 0.2 * x if decoupled else x) - 0.03 * mean / (root + 1e-3)
        x, state = impl.adam_step(
            *(x, grad, state),
            lr=0.03,
            betas=(0.7, 0.95),
            eps=1e-3,
            weight_decay=0.2,
            decoupled=decoupled,
        )
        checking.close(
            x,
            want,
            concept="decoupled-decay" if decoupled else "adam-rule",
            why="AdamW shrinks x by 1 - lr * weight_decay before the step; its means see the bare gradient."
            if decoupled
            else "Adam's decay joins the gradient before both means; corrections go by the step's number.",
        )


def test_adam_knows_its_axes(impl):
    """500 steps in a bowl of curvatures 1 and 0.001: far slower once the bowl is turned by 45 degrees."""
    A = torch.diag(torch.tensor([1.0, 1e-3], dtype=torch.float64))
    turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64) / 2**0.5
    ends = []
    for M in (A, turn @ A @ turn.T):
        x = torch.ones(2, dtype=torch.float64) if M is A else turn @ torch.ones(2).double()
        state = start(impl, x)
        for _ in range(500):
            x, state = impl.adam_step(x, M @ x, state, lr=1e-2)
        ends.append(float(x @ M @ x) / 2)
    checking.that(
        ends[0] < 1e-6 < 1e-5 < ends[1],
        concept="per-coordinate",
        why="Each coordinate is scaled by its own running square; one scale for all would not see the turn.",
        expected="below 1e-6 along the axes, above 1e-5 when turned",
        got=ends,
    )
