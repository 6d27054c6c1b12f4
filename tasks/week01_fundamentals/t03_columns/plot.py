"""The target with its columns and its straight pieces, and the largest error of both by their number."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE = "#0072b2", "#d55e00"
SIZES = np.array([10, 20, 40, 80, 160])


def draw(impl: ModuleType) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    f, x = impl.target, np.linspace(0, 1, 1001)

    def columns(n: int) -> object:
        return impl.fit_columns(f, n, steepness=200.0 * n)

    left.plot(x, f(x), color="black", linewidth=3, alpha=0.35, label="target")
    left.plot(x, impl.evaluate(columns(20), x), color=BLUE, linewidth=1, label="20 columns")
    hats = impl.evaluate(impl.fit_relu_hats(f, 20), x)
    left.plot(x, hats, color=ORANGE, linewidth=1.2, linestyle="--", label="20 ReLUs")
    left.set(xlabel="x", ylabel="y", title="Built by hand, not trained")
    left.legend(fontsize=8, loc="upper left")
    for name, fit, colour, mark in (
        ("columns, slope -1", columns, BLUE, "o"),
        ("ReLUs, slope -2", lambda n: impl.fit_relu_hats(f, n), ORANGE, "s"),
    ):
        errors = [impl.max_error(fit(int(n)), f) for n in SIZES]
        right.loglog(SIZES, errors, color=colour, marker=mark, label=name)
    right.set(
        xlabel="columns, or ReLUs", ylabel="largest error", title="Largest error by their number"
    )
    right.set_xticks(SIZES, [str(n) for n in SIZES])
    right.minorticks_off()
    right.legend(fontsize=8, loc="lower left")
    return figure
