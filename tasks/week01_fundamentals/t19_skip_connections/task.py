"""Skip connections: a residual block, how far gradients reach through many, and how they shatter without.

B is the number of inputs in a batch.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """skip(x) + second(relu(first(norm(x)))), from (B, width) to (B, out).

    Its parts: `norm`, an nn.LayerNorm; `first` and `second`, two nn.Linear, the first for another width if
    need be; `skip`, an nn.Identity, or where the widths differ an nn.Linear without bias.

    Args:
        out: the width of the result, `width` by default.
        zero_init: at first `second` gives zeros, so that the block only skips, and yet it can learn.
    """

    def __init__(self, width: int, out: int | None = None, *, zero_init: bool = True) -> None:
        super().__init__()
        # >>> solution: make norm, first, second and skip; with zero_init, `second` gives zeros
        out = width if out is None else out
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, out)
        self.second = nn.Linear(out, out)
        self.skip = nn.Identity() if out == width else nn.Linear(width, out, bias=False)
        if zero_init:
            nn.init.zeros_(self.second.weight)
            nn.init.zeros_(self.second.bias)
        # <<< solution

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # >>> solution: return skip(x) plus the branch, shape (B, out)
        branch = self.second(self.first(self.norm(x)).relu())
        return self.skip(x) + branch
        # <<< solution


def gradient_reach(
    blocks: Sequence[nn.Module], x: torch.Tensor, upstream: torch.Tensor
) -> list[float]:
    """How large the gradient still is before each block, when `upstream` arrives after the last.

    x goes through all blocks in order. The result has one norm more than there are blocks: of the gradient at
    the input of the first block, of the second, ... and of `upstream` itself. No parameter's .grad changes.
    """
    # >>> solution: return len(blocks) + 1 norms, floats, from the first input to the last output
    states = [x.detach().requires_grad_()]
    for block in blocks:
        states.append(block(states[-1]))
    gradients = torch.autograd.grad(states[-1], states, grad_outputs=upstream)
    return [float(gradient.norm()) for gradient in gradients]
    # <<< solution


def input_gradients(net: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The slope of `net`, from (n, 1) to (n, 1), at each of the points x (n,): also (n,).

    `net` treats each row alone. No .grad of a parameter changes.
    """
    # >>> solution: return the derivative of the output by the input at each point, shape (n,)
    points = x.detach()[:, None].requires_grad_()
    return torch.autograd.grad(net(points).sum(), points)[0][:, 0]
    # <<< solution


def autocorr(g: torch.Tensor, lag: int) -> float:
    """How alike the numbers g (n,) and those `lag` places further are: 1 for the same, about 0 for noise.

    With d the differences to the mean of g: the sum of d[i] * d[i + lag] over all i for which both exist,
    divided by the sum of d[i] ** 2 over all n.
    """
    # >>> solution: return the autocorrelation at the given lag, a float
    d = g - g.mean()
    return float((d[: len(d) - lag] * d[lag:]).sum() / d.square().sum())
    # <<< solution
