"""The boundary after each pass over separable points, and the mistakes made so far."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE = "#0072b2", "#d55e00"


def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (40, 2), labels, and unit weights that separate them by at least 0.05."""
    rng = np.random.default_rng(21)
    w = np.array([0.8, 0.7, -0.15])
    w /= np.sqrt(w @ w)
    X = rng.uniform(-1, 1, size=(200, 2))
    scores = X @ w[:2] + w[2]
    kept = np.flatnonzero(np.abs(scores) >= 0.05)[:40]
    return X[kept], np.sign(scores[kept]).astype(int), w


def draw(impl: ModuleType) -> Figure:
    X, y, best = points()
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for label, mark, colour in ((1, "o", BLUE), (-1, "s", ORANGE)):
        chosen = X[y == label]
        axes.scatter(*chosen.T, marker=mark, color=colour, s=22, label=f"label {label:+d}")
    ends = np.array([-1.1, 1.1])
    number, converged, mistakes = 0, False, 0
    while not converged and number < 30:
        number += 1
        w, total, converged = impl.perceptron_fit(X, y, max_epochs=number)
        made, mistakes = total - mistakes, total
        shade = str(max(0.0, 0.8 - 0.16 * (number - 1)))
        name = f"pass {number}: {made} mistakes" if made else f"pass {number}: clean"
        style = {"linestyle": "-"} if made else {"linestyle": (0, (1, 2)), "linewidth": 3}
        axes.plot(ends, -(w[0] * ends + w[2]) / w[1], color=shade, label=name, **style)
    axes.set(
        xlim=(-1.1, 1.1),
        ylim=(-1.1, 1.1),
        xlabel="first input",
        ylabel="second input",
        title=f"{mistakes} mistakes; Novikoff allows {int(impl.mistake_bound(best, X, y))}",
    )
    figure.legend(loc="outside right center", fontsize=8)
    return figure
