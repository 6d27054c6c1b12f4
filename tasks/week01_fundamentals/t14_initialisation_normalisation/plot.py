"""The scale of activations through 50 layers, and descent's steps against the condition number."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure


def draw(impl: ModuleType) -> Figure:
    rng = np.random.default_rng(0)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    width, depth = 256, 50
    X = rng.normal(size=(32, width))
    cases = (
        ("relu", "relu", "relu, its size", "-"),
        ("linear", "relu", "relu, 1/√n", "--"),
        ("tanh", "tanh", "tanh, its size", "-."),
        ("linear", "tanh", "tanh, 1/√n", ":"),
    )
    for size, activation, label, style in cases:
        weights = [impl.init_weights(width, width, size, rng) for _ in range(depth)]
        stds = impl.layer_stds(X, weights, activation)
        left.semilogy(range(1, depth + 1), stds, style, label=label)
    left.set(xlabel="layer", ylabel="deviation of activations", title="50 layers of width 256")
    left.legend(fontsize=8)

    kappas = np.geomspace(2, 1000, 10)
    for heavy_ball, style, label in ((False, "o-", "plain"), (True, "s--", "heavy ball")):
        steps = []
        for kappa in kappas:
            lr, momentum = impl.best_rates(kappa, 1.0, heavy_ball=heavy_ball)
            steps.append(impl.descent_steps(np.array([kappa, 1.0]), lr=lr, momentum=momentum))
        right.loglog(kappas, steps, style, ms=4, label=label)
    right.set(
        xlabel="condition number κ", ylabel="steps to 1e-6", title="Descent at its best rates"
    )
    right.legend(fontsize=8)
    return figure
