"""The loss of one sample with and without label smoothing, and the loss of a net over the temperature."""

from types import ModuleType

import numpy as np
import torch
from matplotlib.figure import Figure

COLOURS = {0.0: ("#000000", "-"), 0.1: ("#0072b2", "--"), 0.3: ("#d55e00", "-.")}


def draw(impl: ModuleType) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    leads = torch.linspace(-4, 10, 141, dtype=torch.float64)
    target = torch.tensor([0])
    for smoothing, (colour, line) in COLOURS.items():
        losses = []
        for lead in leads:
            logits = torch.zeros(1, 10, dtype=torch.float64)
            logits[0, 0] = lead
            losses.append(float(impl.cross_entropy(logits, target, smoothing=smoothing)))
        left.plot(leads, losses, color=colour, linestyle=line, label=f"smoothing {smoothing}")
        left.axhline(impl.smallest_loss(10, smoothing), color=colour, linewidth=0.8, alpha=0.5)
    left.plot(0, np.log(10), "ko", markersize=6)
    left.annotate("ln 10", (0, np.log(10)), textcoords="offset points", xytext=(8, 4))
    left.set(xlabel="lead of the right logit", ylabel="loss", title="One sample, ten classes")
    left.legend(fontsize=8)

    rng = np.random.default_rng(0)
    honest = 2 * rng.normal(size=(1000, 10))
    targets = torch.from_numpy(np.argmax(honest + rng.gumbel(size=honest.shape), axis=1))
    logits = torch.from_numpy(3 * honest)
    temperatures = np.geomspace(0.7, 20, 60)
    losses = [float(impl.cross_entropy(logits / t, targets)) for t in temperatures]
    right.semilogx(temperatures, losses, color="#009e73")
    best = impl.fit_temperature(logits, targets)
    loss = float(impl.cross_entropy(logits / best, targets))
    right.plot(best, loss, "o", color="#d55e00", label=f"best: {best:.2f}")
    right.set_xticks([1, 2, 3, 5, 10, 20], ["1", "2", "3", "5", "10", "20"])
    right.minorticks_off()
    right.set(xlabel="temperature", ylabel="loss", title="A net three times too sure")
    right.legend(fontsize=8)
    return figure
