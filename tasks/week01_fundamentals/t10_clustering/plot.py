"""A start that gets stuck, and how low the best of several starts comes, from random rows and k-means++."""

import itertools
from types import ModuleType

import numpy as np
from matplotlib.figure import Figure


def draw(impl: ModuleType) -> Figure:
    rng = np.random.default_rng(3)
    places = np.array(list(itertools.product(range(4), repeat=2)), dtype=float)
    X = np.repeat(places, 15, axis=0) + 0.12 * rng.normal(size=(240, 2))
    starts = {
        "random rows": lambda: X[rng.choice(len(X), 16, replace=False)],
        "k-means++": lambda: impl.plus_plus(X, 16, rng),
    }
    runs = {name: [impl.kmeans(X, start()) for _ in range(40)] for name, start in starts.items()}
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    stuck, labels, _ = max(runs["random rows"], key=lambda run: run[2][-1])
    left.scatter(*X.T, c=labels, cmap="cividis", s=8)
    left.plot(*stuck.T, "x", color="tab:red", markersize=9, markeredgewidth=2.5)
    left.set(title="A run that got stuck", xlabel="first column", ylabel="second column")
    for (name, ended), style in zip(runs.items(), ("s--", "o-"), strict=True):
        right.plot(sorted(run[2][-1] for run in ended), style, markersize=3, label=name)
    every = X.reshape(16, 15, 2)
    least = ((every - every.mean(axis=1, keepdims=True)) ** 2).sum()
    right.axhline(least, color="grey", linestyle=":", label="16 true groups")
    right.set(title="40 runs each", xlabel="run, in order of inertia", ylabel="inertia at the end")
    right.set_ylim(bottom=0)
    right.legend(fontsize=8, loc="upper left")
    return figure
