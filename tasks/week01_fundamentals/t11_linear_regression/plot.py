"""Distance to the least-squares weights over the steps, for learning rates around the limit."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure


def draw(impl: ModuleType) -> Figure:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2)) * [1.0, 2.0]
    y = X @ [1.0, -2.0] + 3 + 0.5 * rng.normal(size=50)
    best, limit = impl.fit_closed_form(X, y), impl.max_lr(X)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(0, 61, 2)
    for share in (0.1, 0.5, 0.9, 0.99, 1.02):
        weights = [impl.fit_gd(X, y, lr=share * limit, steps=int(n)) for n in steps]
        axes.semilogy(
            steps, [np.linalg.norm(w - best) for w in weights], label=f"{share} of the limit"
        )
    axes.set(
        xlabel="steps",
        ylabel="distance to the best weights",
        title="Gradient descent on squared error",
    )
    axes.legend(fontsize=8)
    return figure
