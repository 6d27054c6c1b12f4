"""Hidden tests of w01.t15: torch's optimizers, and what Newton and turning have to do with each other."""

import pytest
import torch

from tasks.labs import checking

# The first optimizer imports much of torch, which is not for the time when tests are watched.
torch.optim.SGD([torch.zeros(1)])


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_against_torch(impl, seed, decoupled):
    """Twenty steps on the Rosenbrock valley, in float32 and float64."""
    for dtype, rtol in ((torch.float32, 1e-4), (torch.float64, 1e-9)):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(2, generator=generator, dtype=dtype)
        weights = torch.nn.Parameter(x.clone())
        options = {"lr": 0.02, "betas": (0.8, 0.9), "eps": 1e-2, "weight_decay": 0.3}
        theirs = (torch.optim.AdamW if decoupled else torch.optim.Adam)([weights], **options)
        state = impl.AdamState(torch.zeros_like(x), torch.zeros_like(x))
        for _ in range(20):
            weights.grad = torch.randn(2, generator=generator, dtype=dtype)
            theirs.step()
            x, state = impl.adam_step(x, weights.grad, state, **options, decoupled=decoupled)
        checking.close(
            x,
            weights,
            rtol=rtol,
            atol=1e-6 if dtype == torch.float32 else 1e-12,
            concept="decoupled-decay" if decoupled else "adam-rule",
            why="As torch.optim.AdamW." if decoupled else "As torch.optim.Adam.",
        )


def test_newton_does_not_see_a_turn(impl):
    """In turned coordinates the steps are the turned steps."""
    turn = torch.linalg.qr(torch.tensor([[1.0, 2.0], [-3.0, 0.5]], dtype=torch.float64))[0]
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64)
    turned = turn @ x
    for _ in range(5):
        x = impl.newton_step(impl.rosenbrock, x)
        turned = impl.newton_step(lambda z: impl.rosenbrock(turn.T @ z), turned)
        checking.close(
            turn.T @ turned,
            x,
            rtol=1e-5,
            atol=1e-7,
            concept="newton-system",
            why="Gradient and Hessian turn with the coordinates, and so does the step.",
        )


def test_damped_step_goes_downhill_at_a_saddle(impl):
    """Where x y is indefinite, the undamped step meets the saddle, the damped one leaves along the slope."""
    x = torch.tensor([0.5, -0.2], dtype=torch.float64)
    H = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    damping = impl.least_damping(H, floor=0.5)
    checking.close(damping, 1.5, concept="damping", why="Eigenvalues -1 and 1: 1.5 lacks to 0.5.")
    step = impl.newton_step(lambda z: z[0] * z[1], x, damping=damping) - x
    checking.that(
        float(step @ (H @ x)) < 0,
        concept="damping",
        why="With all eigenvalues positive the step has an obtuse angle with the gradient.",
        expected="a negative product of step and gradient",
        got=float(step @ (H @ x)),
    )


def test_product_is_symmetric(impl, rng):
    """u H v = v H u."""
    W, x, u, v = (torch.tensor(rng.normal(size=shape)) for shape in ((5, 4), 4, 4, 4))

    def f(z):
        return torch.tanh(W @ z).exp().sum()

    checking.close(
        u @ impl.hvp(f, x, v),
        v @ impl.hvp(f, x, u),
        concept="second-derivative",
        why="The matrix of second derivatives is symmetric.",
    )
