"""Hidden tests of w01.t19: other widths, types and lags."""

import numpy as np
import torch
from torch import nn

from tasks.labs import checking


def test_identity_in_double_precision_and_many_axes(impl, seed):
    """A stack of new blocks is the identity, also for (2, 3, 8) numbers of type double."""
    torch.manual_seed(seed)
    x = -torch.rand(2, 3, 8, dtype=torch.float64) * 1e4
    stack = nn.Sequential(*[impl.ResidualBlock(8) for _ in range(4)]).double()
    got = stack(x)
    checking.alike(got, x, concept="shape", why="The block works on the last axis.")
    checking.equal(got, x, concept="identity-at-start", why="Four times nothing is nothing.")


def test_number_of_weights(impl):
    """8 to 8: norm 16, two layers of 72. 8 to 3: norm 16, layers of 27 and 12, projection of 24."""
    counts = [
        sum(p.numel() for p in impl.ResidualBlock(*widths).parameters())
        for widths in ((8,), (8, 8), (8, 3))
    ]
    checking.equal(counts, [160, 160, 79], concept="projection", why="The parts are as documented.")


def test_projected_block_at_the_start(impl, seed):
    """With zero_init and another width the block is its projection."""
    torch.manual_seed(seed)
    block, x = impl.ResidualBlock(4, 6), torch.randn(3, 4)
    checking.close(
        block(x),
        x @ block.skip.weight.detach().T,
        rtol=1e-4,
        atol=1e-6,
        concept="projection",
        why="The branch is zero, so the projection alone is left.",
    )


def test_gradient_of_all_parts(impl, seed):
    """With zero_init=False every parameter gets a gradient."""
    torch.manual_seed(seed)
    block = impl.ResidualBlock(6, 9, zero_init=False)
    (block(torch.randn(20, 6)) * torch.randn(20, 9)).sum().backward()
    without = [name for name, p in block.named_parameters() if p.grad is None or not p.grad.any()]
    checking.equal(without, [], concept="plus-identity", why="No part may be detached or unused.")


def test_reach_without_blocks(impl):
    """Without any block the gradient is what arrives."""
    upstream = torch.tensor([[6.0, -8.0]])
    checking.close(
        impl.gradient_reach([], torch.zeros(1, 2), upstream),
        [10.0],
        concept="upstream",
        why="The last norm is that of upstream.",
    )


def test_reach_when_x_already_has_a_graph(impl, seed):
    """An x that belongs to a graph gives the same norms, and gets no .grad."""
    torch.manual_seed(seed)
    leaf, upstream, block = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4), nn.Tanh()
    x = leaf * 2
    got = impl.gradient_reach([block], x, upstream)
    slope = 1 - torch.tanh(x.detach()) ** 2
    checking.close(
        got,
        [float((slope * upstream).norm()), float(upstream.norm())],
        rtol=1e-4,
        concept="chain-of-blocks",
        why="tanh has slope 1 - tanh squared.",
    )
    checking.that(
        leaf.grad is None,
        concept="input-changed",
        why="Detach first.",
        got=leaf.grad,
        expected="None",
    )


def test_autocorrelation_of_a_long_series(impl, rng):
    """Against NumPy's correlate, at several lags."""
    g = rng.normal(size=80).cumsum() + 100
    d = g - g.mean()
    every = np.correlate(d, d, mode="full")[79:] / (d**2).sum()
    checking.close(
        [impl.autocorr(torch.tensor(g), lag) for lag in (0, 1, 5, 40, 79)],
        every[[0, 1, 5, 40, 79]],
        rtol=1e-6,
        concept="autocorrelation",
        why="Sums over the pairs that exist, over the sum of all squares.",
    )
