"""Accuracy on shifted test digits of an MLP and a CNN with equally many weights."""

from types import ModuleType

import torch
from matplotlib.figure import Figure


def draw(impl: ModuleType) -> Figure:
    torch.manual_seed(0)
    train, labels, test, truth = impl.pictures()
    nets = {
        "MLP 64-64-10": (impl.MLP([64, 64, 10]), "#d55e00", "s"),
        "CNN, 16 and 30 channels": (impl.ConvNet(1, 16, 30, 10), "#0072b2", "o"),
    }
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    by = range(-3, 4)
    for name, (net, colour, marker) in nets.items():
        impl.fit(net, train, labels)
        scores = [impl.accuracy(net, impl.shift(test, pixels), truth) for pixels in by]
        count = sum(weight.numel() for weight in net.parameters())
        axes.plot(by, scores, marker=marker, color=colour, label=f"{name}: {count} weights")
    axes.axhline(0.1, color="black", linestyle=":", linewidth=1, label="guessing")
    axes.set(
        xlabel="test digits moved to the right by (pixels)",
        ylabel="accuracy",
        ylim=(0, 1.05),
        title="Trained on digits in the middle, tested on moved ones",
    )
    figure.legend(fontsize=8, loc="outside lower center", ncols=3)
    return figure
