"""Loss on new text by the letters that a model sees: tables from two texts, nets from the short one."""

from types import ModuleType

import numpy as np
import torch
from matplotlib.figure import Figure

from tasks.labs import markov


def draw(impl: ModuleType) -> Figure:
    language, rng = markov.language(6), np.random.default_rng(0)
    long, test = language.text(40_000, rng), language.text(40_000, rng)
    short = long[:4_000]
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for text, style in ((short, "s--"), (long, "o-")):
        tables = [
            impl.probabilities(impl.count(text, order, 6), smoothing=1.0) for order in range(5)
        ]
        losses = [impl.loss(table, test) for table in tables]
        axes.plot(range(5), losses, style, markersize=5, label=f"table, {len(text)} letters")
    losses = []
    for block in range(1, 5):
        torch.manual_seed(0)
        net = impl.Net(6, block)
        impl.train(net, short, block, steps=150, batch=256, lr=2e-2)
        with torch.no_grad():
            losses.append(float(impl.net_loss(net, *impl.windows(test, block))))
    axes.plot(range(1, 5), losses, "^:", markersize=6, label=f"net, {len(short)} letters")
    axes.axhline(language.entropy(2), color="grey", label="entropy of the language")
    axes.set(
        xlabel="letters to go by",
        ylabel="loss on new text, nats per letter",
        title="No model gets below the entropy",
        xticks=range(5),
    )
    axes.legend(fontsize=8, loc="upper right")
    return figure
