"""How far gradients reach, and how alike they stay from input to input, with skips and without."""

from types import ModuleType

import torch
from matplotlib.figure import Figure
from torch import nn

STYLES = (("plain", "s--", "tab:orange"), ("with skips", "o-", "tab:blue"))


def plain(width: int) -> nn.Module:
    """Two layers, as many as a block has, at the start that keeps the variance."""
    linears = [nn.Linear(width, width) for _ in range(2)]
    for linear in linears:
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.ReLU(), linears[0], nn.ReLU(), linears[1])


def start(width: int) -> nn.Linear:
    first = nn.Linear(1, width)
    nn.init.normal_(first.weight)
    nn.init.normal_(first.bias)
    return first


def draw(impl: ModuleType) -> Figure:
    torch.manual_seed(0)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    x, upstream = torch.randn(16, 32), torch.randn(16, 32)
    stacks = (
        [nn.Sequential(nn.Linear(32, 32), nn.Sigmoid()) for _ in range(20)],
        [impl.ResidualBlock(32, zero_init=False) for _ in range(20)],
    )
    for stack, (name, style, colour) in zip(stacks, STYLES, strict=True):
        norms = impl.gradient_reach(stack, x, upstream)
        shares = [norm / norms[-1] for norm in norms]
        left.semilogy(range(20, -1, -1), shares, style, color=colour, markersize=3, label=name)
    left.set(xlabel="blocks passed on the way back", ylabel="share of the gradient")
    left.set_title("20 sigmoid layers or blocks", fontsize=10)
    points, counts = torch.linspace(-2, 2, 256), (1, 5, 12, 25)
    for name, style, colour in STYLES:
        means = []
        for count in counts:
            alike = []
            for _ in range(10):
                blocks = [
                    plain(100) if name == "plain" else impl.ResidualBlock(100, zero_init=False)
                    for _ in range(count)
                ]
                net = nn.Sequential(
                    start(100), *blocks, nn.LayerNorm(100), nn.ReLU(), nn.Linear(100, 1)
                )
                alike.append(impl.autocorr(impl.input_gradients(net, points), 5))
            means.append(sum(alike) / len(alike))
        right.plot([2 * n for n in counts], means, style, color=colour, label=name)
    right.set(xlabel="layers of ReLU", ylabel="autocorrelation, lag 5", ylim=(0, 1))
    right.set_title("slopes at neighbouring inputs", fontsize=10)
    for axes in (left, right):
        axes.legend(loc="lower left", fontsize=8)
    return figure
