"""Tents of one to three layers, and the pieces that deep and wide networks have for their weights."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure


def draw(impl: ModuleType) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = np.linspace(0, 1, 1025)
    for k, style in ((1, "-"), (2, "--"), (3, ":")):
        left.plot(x, impl.evaluate(impl.tent_network(k), x), style, label=f"{k}")
    left.set(xlabel="x", ylabel="output", title="Tents of k layers", ylim=(-0.05, 1.35))
    left.legend(title="hidden layers of two units", ncols=3, fontsize=8, title_fontsize=8)
    builders = (
        (impl.tent_network, range(1, 10), "o-", "deep: layers of two"),
        (impl.tent_in_one_layer, range(1, 9), "s--", "wide: one layer"),
    )
    for build, ks, style, label in builders:
        nets = [build(k) for k in ks]
        weights = [sum(W.size + b.size for W, b in net) for net in nets]
        pieces = [impl.count_linear_pieces(net, 0.0, 1.0) for net in nets]
        right.loglog(weights, pieces, style, markersize=4, label=label)
    right.set(xlabel="weights and biases", ylabel="linear pieces", title="The same functions")
    right.legend(fontsize=8)
    return figure
