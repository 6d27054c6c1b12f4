"""The noise of a batch's gradient by experiment and formula, and training with three batch sizes."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure


def draw(impl: ModuleType) -> Figure:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(256, 8))
    y = X @ rng.normal(size=8) + rng.normal(size=256)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    grads = 2 * (X * (X @ np.zeros(8) - y)[:, None])
    sizes = 2 ** np.arange(9)
    for replace, colour, mark in ((True, "C0", "o"), (False, "C1", "s")):
        name = "with" if replace else "without"
        measured = [
            impl.measured_noise(grads, int(size), replace=replace, draws=500, rng=rng)
            for size in sizes
        ]
        fine = np.unique(np.geomspace(1, 255, 80).astype(int))
        left.loglog(
            fine, [impl.noise_variance(grads, int(B), replace=replace) for B in fine], colour, lw=1
        )
        kept = sizes if replace else sizes[:-1]
        left.loglog(
            kept, measured[: len(kept)], mark, color=colour, ms=4, label=f"{name} replacement"
        )
    left.set(xlabel="batch size B", ylabel="mean squared noise", title="Noise, n = 256")
    left.legend(fontsize=8)

    best = impl.squared_error(np.linalg.lstsq(X, y, rcond=None)[0], X, y)[0]
    for size, style in ((4, "-"), (32, "--"), (256, ":")):
        w, velocity = np.zeros(8), np.zeros(8)
        excess = [impl.squared_error(w, X, y)[0] - best]
        for _ in range(40):
            w, velocity, _ = impl.train_epoch(
                impl.squared_error, w, velocity, X, y, batch_size=size, lr=0.02, rng=rng
            )
            excess.append(impl.squared_error(w, X, y)[0] - best)
        right.semilogy(excess, style, label=f"B = {size}")
    right.set(xlabel="epochs", ylabel="loss above the least", title="Training, lr 0.02")
    right.legend(fontsize=8)
    return figure
