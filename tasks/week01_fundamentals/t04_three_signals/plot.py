"""Share of right test images by what was told: names, rewards with and without exploring, and nothing."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

from tasks.labs.bandit import Bandit
from tasks.labs.data import digits


def draw(impl: ModuleType) -> Figure:
    X, y, test, right = digits()
    counts = [320, 1_000, 3_200, 10_000, 20_000]

    def shares(W: np.ndarray, names: np.ndarray) -> float:
        return float(np.mean(names[(impl.with_ones(test) @ W).argmax(1)] == right))

    def supervised(count: int, rng: np.random.Generator) -> np.ndarray:
        return impl.train_supervised(X, y, samples=count, rng=rng)

    def exploring(count: int, rng: np.random.Generator) -> np.ndarray:
        return impl.train_bandit(Bandit(X, y, seed=count), rewards=count, rng=rng)

    def never(count: int, rng: np.random.Generator) -> np.ndarray:
        return impl.train_bandit(Bandit(X, y, seed=count), rewards=count, rng=rng, explore=0.0)

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    signals = {
        "right names": (supervised, "o-"),
        "rewards, exploring 10 %": (exploring, "s-"),
        "rewards, never exploring": (never, "^--"),
    }
    for name, (train, style) in signals.items():
        found = [
            [shares(train(count, np.random.default_rng(seed)), np.arange(10)) for count in counts]
            for seed in range(2)
        ]
        axes.fill_between(counts, np.min(found, axis=0), np.max(found, axis=0), alpha=0.15)
        axes.semilogx(counts, np.mean(found, axis=0), style, markersize=5, label=name)
    W = impl.cluster(X, k=10, rounds=30, rng=np.random.default_rng(0))
    axes.axhline(
        shares(W, impl.name_clusters(W, X, y)),
        color="0.4",
        linestyle=":",
        label="nothing: ten clusters, named afterwards",
    )
    axes.set(
        xlabel="names or rewards told",
        ylabel="share of test images right",
        title="One linear model, three signals",
        ylim=(0, 1.02),
    )
    axes.legend(fontsize=8, loc="lower right")
    return figure
