"""Second order against Adam: Hessians times vectors, Newton's steps, and Adam with both weight decays.

x is (d,), a tensor that needs no gradient; f takes such a tensor and gives a scalar tensor.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

Function = Callable[[torch.Tensor], torch.Tensor]


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    """A bent valley of x (2,) with its bottom, 0, at (1, 1) (Rosenbrock 1960)."""
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def hvp(f: Function, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The matrix of second derivatives of f at x times v, (d,), without making that matrix.

    Two passes of differentiation: once for the gradient, once for its product with v (Pearlmutter 1994).
    The result needs no gradient, and x stays as it is. f is no straight line, of which torch would find no
    second derivative.
    """
    # >>> solution: return the product, (d,), without any matrix of d by d
    x = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad(f(x), x, create_graph=True)
    return torch.autograd.grad(grad @ v, x)[0]
    # <<< solution


def newton_step(f: Function, x: torch.Tensor, *, damping: float = 0.0) -> torch.Tensor:
    """The x after one step of Newton's method, (d,): it solves (H + damping * I) step = -gradient."""
    # >>> solution: return the new x, (d,), which needs no gradient
    point = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad(f(point), point)
    H = torch.autograd.functional.hessian(f, x.detach())
    damped = H + damping * torch.eye(len(x), dtype=x.dtype, device=x.device)
    return x.detach() - torch.linalg.solve(damped, grad)
    # <<< solution


def least_damping(H: torch.Tensor, *, floor: float) -> float:
    """The smallest number, at least 0, to add to the diagonal of H so that no eigenvalue is below `floor`.

    H is symmetric, (d, d). With a floor above 0 the damped step goes downhill, at saddles too.
    """
    # >>> solution: return the damping, a float, 0 if none is needed
    return max(0.0, floor - float(torch.linalg.eigvalsh(H)[0]))
    # <<< solution


class AdamState(NamedTuple):
    """The running means of gradient and squared gradient, (d,), and the number of steps so far."""

    mean: torch.Tensor
    square: torch.Tensor
    step: int = 0


def adam_step(
    x: torch.Tensor,
    grad: torch.Tensor,
    state: AdamState,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> tuple[torch.Tensor, AdamState]:
    """The x and the state after one step of Adam, as in torch; what comes in is not changed.

    Both running means start at zero, so each is divided by 1 - beta^step, step counting from 1. `eps` is
    added to the root of the corrected square.

    Args:
        decoupled: False: weight_decay times x is added to the gradient before anything else (`Adam`).
            True: x shrinks by the factor 1 - lr * weight_decay before the step, and the gradient stays as it
            is (`AdamW`).
    """
    # >>> solution: return the new x and the new AdamState
    if decoupled:
        x = x * (1 - lr * weight_decay)
    else:
        grad = grad + weight_decay * x
    step = state.step + 1
    mean = betas[0] * state.mean + (1 - betas[0]) * grad
    square = betas[1] * state.square + (1 - betas[1]) * grad**2
    root = (square / (1 - betas[1] ** step)).sqrt()
    x = x - lr * mean / (1 - betas[0] ** step) / (root + eps)
    return x, AdamState(mean, square, step)
    # <<< solution
