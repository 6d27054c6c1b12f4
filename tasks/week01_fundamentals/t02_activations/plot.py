"""Slopes of the activations, and what is left of a gradient behind a chain of them."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

STYLES = {
    "sigmoid": ("#d55e00", "-"),
    "tanh": ("#0072b2", "--"),
    "relu": ("#000000", "-"),
    "silu": ("#009e73", "-."),
    "gelu": ("#cc79a7", (0, (5, 1))),
}


def draw(impl: ModuleType) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    x, depths = np.linspace(-4, 4, 401), np.arange(31)
    for name, (colour, line) in STYLES.items():
        _, slope = impl.ACTIVATIONS[name]
        left.plot(x, slope(x), color=colour, linestyle=line, label=name)
        passed = [abs(impl.chain(name, np.ones(1), int(depth))[1][0]) for depth in depths]
        right.semilogy(depths, passed, color=colour, linestyle=line)
    left.set(xlabel="x", ylabel="slope", title="Slopes")
    right.set(
        xlabel="activations in a row",
        ylabel="slope by the first input, at 1",
        title="What is left of a gradient",
    )
    figure.legend(loc="outside lower center", ncols=5, fontsize=8)
    return figure
