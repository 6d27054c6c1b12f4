"""Public tests of w01.t19."""

import pytest
import torch
from torch import nn

from tasks.labs import checking


@pytest.fixture
def x(seed):
    """Inputs (6, 5), negative ones and large ones among them."""
    torch.manual_seed(seed)
    return 3 * torch.randn(6, 5)


def formula(block, x, skip):
    """What the parts of a block give, put together by hand."""
    normed = nn.functional.layer_norm(x, x.shape[-1:], block.norm.weight, block.norm.bias)
    hidden = normed @ block.first.weight.T + block.first.bias
    hidden = torch.where(hidden > 0, hidden, torch.zeros_like(hidden))
    return skip + hidden @ block.second.weight.T + block.second.bias


def shaken(block):
    """The block with random weights everywhere, norm and biases too."""
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn_like(parameter))
    return block


class Times(nn.Module):
    """y = c * x, with c a parameter."""

    def __init__(self, c):
        super().__init__()
        self.c = nn.Parameter(torch.tensor(c))

    def forward(self, x):
        return self.c * x


def test_zero_init_is_exactly_the_identity(impl, x):
    """A new block gives its input back, to the last bit, negative numbers too."""
    block = impl.ResidualBlock(5)
    checking.equal(
        block(x),
        x,
        concept="identity-at-start",
        why="Both weight and bias of `second` begin at zero, and only the skip is left. Nothing may be done "
        "to x on its way, before or after.",
    )


def test_zero_init_can_be_left_out(impl, x):
    """With zero_init=False the branch does something from the start."""
    block = impl.ResidualBlock(5, zero_init=False)
    checking.that(
        float((block(x) - x).abs().max()) > 1e-3,
        concept="zero-init-argument",
        why="Only with zero_init=True does the last layer of the branch begin at zero.",
        expected="another result than x",
        got="x itself",
    )


def test_zero_init_can_learn(impl, x):
    """One backward pass through a new block: the second layer gets a gradient."""
    block = impl.ResidualBlock(5)
    (block(x) * torch.randn(6, 5)).sum().backward()
    sizes = [0.0 if p.grad is None else float(p.grad.norm()) for p in block.second.parameters()]
    checking.that(
        min(sizes) > 0 and float(block.first.weight.detach().abs().max()) > 0,
        concept="zero-only-the-last",
        why="If both layers are zero, each hides the other from the gradient: zero the last one alone.",
        expected="gradients at second.weight and second.bias, and a first layer that is not zero",
        got=f"norms {sizes}",
    )


def test_block_is_skip_plus_branch(impl, x):
    """x + second(relu(first(norm(x)))), with random weights in all parts."""
    block = shaken(impl.ResidualBlock(5))
    checking.close(
        block(x),
        formula(block, x, x),
        rtol=1e-4,
        atol=1e-5,
        concept="skip-plus-branch",
        why="The branch is norm, first, ReLU, second, in this order, and no ReLU comes elsewhere; the skip "
        "carries x itself, before the norm.",
    )


def test_other_width_needs_a_projection(impl, x):
    """From 5 to 3 numbers the skip is a linear layer without bias; from 5 to 5 it has no weights."""
    block = shaken(impl.ResidualBlock(5, 3))
    checking.equal(
        [tuple(p.shape) for p in block.skip.parameters()],
        [(3, 5)],
        concept="projection",
        why="Where widths differ, a matrix makes the skip fit, and nothing else.",
    )
    checking.close(
        block(x),
        formula(block, x, x @ block.skip.weight.T),
        rtol=1e-4,
        atol=1e-5,
        concept="projection",
        why="The projection replaces the identity; the branch is added to it as ever.",
    )
    checking.equal(
        len(list(impl.ResidualBlock(5, 5).skip.parameters())),
        0,
        concept="projection",
        why="Between equal widths keep the identity: a matrix there is in the way of the gradient.",
    )


def test_gradient_has_the_identity_in_it(impl, x):
    """The Jacobian of a block less that of its branch is the identity matrix."""
    block = shaken(impl.ResidualBlock(5)).double()
    point = x[0].double()
    jacobian = torch.autograd.functional.jacobian(lambda v: block(v[None])[0], point)
    branch = torch.autograd.functional.jacobian(
        lambda v: formula(block, v[None], torch.zeros(1, 5, dtype=torch.float64))[0], point
    )
    checking.close(
        jacobian - branch,
        torch.eye(5),
        atol=1e-9,
        concept="plus-identity",
        why="d(x + f(x))/dx = I + f'(x): neither detach the skip nor change it on its way.",
    )


def test_input_stays_as_it_is(impl, x):
    """The block adds to a copy of x."""
    blocks = [shaken(impl.ResidualBlock(5)), shaken(impl.ResidualBlock(5, 3))]
    with torch.no_grad(), checking.untouched(x, why="`+=` on a tensor changes it for the caller."):
        for block in blocks:
            block(x)


def test_reach_of_factors_by_hand(impl):
    """Blocks that multiply by 2, -3 and 1/2: the gradient (3, 4) is 5 long at the end, then 2.5, 7.5, 15."""
    blocks = nn.ModuleList([Times(2.0), Times(-3.0), Times(0.5)])
    got = impl.gradient_reach(blocks, torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 4.0]]))
    checking.equal(
        len(got),
        4,
        concept="one-norm-more",
        why="A norm for the input of each block, and one for what arrives after the last.",
    )
    checking.close(
        got[-1],
        5.0,
        concept="upstream",
        why="The list goes from the first input to the last output, so it ends with upstream's own norm.",
    )
    checking.close(
        got,
        [15.0, 7.5, 2.5, 5.0],
        concept="chain-of-blocks",
        why="The gradient before a block is that after it, times the block's own Jacobian; its norm is "
        "the root of the sum of squares.",
    )
    checking.that(
        all(block.c.grad is None for block in blocks),
        concept="leaves-grad-alone",
        why="Ask for the gradients of the states only: `backward` adds to .grad of every parameter.",
        expected="parameters without .grad",
        got=[block.c.grad for block in blocks],
    )


def test_reach_starts_from_upstream(impl, x):
    """Two linear layers: the gradient is upstream times their matrices; x itself is left alone."""
    blocks = [nn.Linear(5, 7), nn.Linear(7, 4)]
    upstream = torch.randn(6, 4)
    got = impl.gradient_reach(blocks, x, upstream)
    after = upstream @ blocks[1].weight.detach()
    want = [(after @ blocks[0].weight.detach()).norm(), after.norm(), upstream.norm()]
    checking.close(
        got,
        [float(one) for one in want],
        rtol=1e-4,
        concept="upstream",
        why="Start from the given gradient, not from ones, and take the norm over the whole batch.",
    )
    checking.that(
        not x.requires_grad and x.grad is None,
        concept="input-changed",
        why="Work on a detached copy; the caller's x needs no gradient.",
        expected="x without gradient",
        got=x.grad,
    )


def test_skips_let_gradients_through_twenty_blocks(impl, seed):
    """Through 20 sigmoid layers nothing arrives; through 20 residual blocks about all does."""
    torch.manual_seed(seed)
    x, upstream = torch.randn(16, 32), torch.randn(16, 32)
    plain = [nn.Sequential(nn.Linear(32, 32), nn.Sigmoid()) for _ in range(20)]
    residual = [impl.ResidualBlock(32, zero_init=False) for _ in range(20)]
    shares = []
    for blocks in (plain, residual):
        norms = impl.gradient_reach(blocks, x, upstream)
        shares.append(norms[0] / norms[-1])
    checking.that(
        shares[0] < 1e-12 and 0.2 < shares[1] < 5,
        concept="plus-identity",
        why="Along the skips the gradient arrives unchanged, whatever the branches do.",
        expected="a share below 1e-12 through sigmoids, between 0.2 and 5 through blocks",
        got=f"{shares[0]:.3g} and {shares[1]:.3g}",
    )


def test_slopes_at_points(impl):
    """The slope of x**3 is 3 x**2, at each point alone."""
    points = torch.tensor([-2.0, -0.5, 0.0, 1.0, 3.0])
    got = impl.input_gradients(lambda x: x**3, points)
    checking.that(
        not points.requires_grad,
        concept="input-changed",
        why="Differentiate by a detached copy; the caller's points need no gradient.",
        expected="points without requires_grad",
        got="requires_grad is True",
    )
    checking.alike(
        got, points, concept="shape", why="One slope for each point, without the axis of size 1."
    )
    checking.close(
        got,
        3 * points**2,
        rtol=1e-5,
        concept="slope-per-point",
        why="The sum over the points has the slope of each as its gradient; their mean divides by n.",
    )


def test_slopes_of_a_network(impl, x):
    """A linear layer has one slope everywhere; its parameters keep the .grad they have."""
    net = nn.Linear(1, 1)
    net.weight.grad = torch.ones(1, 1)
    got = impl.input_gradients(net, x[:, 0])
    checking.close(
        got,
        net.weight.detach().expand(6, 1)[:, 0],
        concept="slope-per-point",
        why="The slope of w x + b is w.",
    )
    checking.equal(
        net.weight.grad,
        torch.ones(1, 1),
        concept="leaves-grad-alone",
        why="Ask for the gradient of the inputs only.",
    )


def test_autocorrelation_by_hand(impl):
    """1, 2, 3, 6: differences to the mean -2, -1, 0, 3, whose squares sum to 14."""
    g = torch.tensor([1.0, 2.0, 3.0, 6.0])
    with checking.untouched(g, why="Subtract the mean from a copy."):
        got = [impl.autocorr(g, lag) for lag in (0, 1, 2, 3)]
    checking.close(
        got[0],
        1.0,
        rtol=1e-5,
        concept="lag-zero",
        why="At lag 0 each number meets itself: above and below stands the same sum, over all n.",
    )
    checking.close(
        got,
        [1.0, 2 / 14, -3 / 14, -6 / 14],
        rtol=1e-5,
        concept="autocorrelation",
        why="Take the mean of all away first; pair what has a partner `lag` places on, without wrapping "
        "around the end; divide by all n squares at every lag.",
    )


def test_gradients_of_plain_nets_shatter(impl, seed):
    """50 layers of ReLU: slopes of neighbouring inputs have less in common than with skips (6 nets each)."""
    torch.manual_seed(seed)
    points = torch.linspace(-2, 2, 256)

    def start():
        first = nn.Linear(1, 100)
        nn.init.normal_(first.weight)
        nn.init.normal_(first.bias)
        return first

    def layer():
        linear = nn.Linear(100, 100)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        return nn.Sequential(nn.ReLU(), linear)

    def alike(middle):
        net = nn.Sequential(start(), *middle, nn.LayerNorm(100), nn.ReLU(), nn.Linear(100, 1))
        return impl.autocorr(impl.input_gradients(net, points), 5)

    with_skips = [
        alike([impl.ResidualBlock(100, zero_init=False) for _ in range(25)]) for _ in range(6)
    ]
    plain = [alike([layer() for _ in range(50)]) for _ in range(6)]
    gain = (sum(with_skips) - sum(plain)) / 6
    checking.that(
        gain > 0.3,
        concept="shattered-gradients",
        why="Along the skips the slope changes slowly from input to input; without them it turns into noise.",
        expected="an autocorrelation at lag 5 that is at least 0.3 higher with skips",
        got=gain,
    )
