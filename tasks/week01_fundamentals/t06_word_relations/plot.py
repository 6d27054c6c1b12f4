"""Pairs of words along the direction that tells the sexes apart, and the right answers by size of vectors."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

from tasks.labs import families


def draw(impl: ModuleType) -> Figure:
    size = len(families.WORDS)
    counts = impl.cooccurrence(families.sentences(10_000, seed=0), 4, size)
    information, asked = impl.ppmi(counts), families.questions()
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)

    people = impl.embed(information, 16)[: 2 * len(families.PAIRS)]
    people = people / np.linalg.norm(people, axis=1, keepdims=True)
    between = (people[1::2] - people[::2]).mean(0)
    between /= np.linalg.norm(between)
    middles = (people[1::2] + people[::2]) / 2
    middles = middles - np.outer(middles @ between, between)
    other = np.linalg.svd(middles - middles.mean(0))[2][0]
    # From the bottom up in equal steps, so that the names can be read.
    rows = np.argsort(np.argsort(middles @ other))
    for pair, row in enumerate(rows):
        ends = people[2 * pair : 2 * pair + 2] @ between
        left.annotate(
            "", (ends[1], row), (ends[0], row), arrowprops={"arrowstyle": "->", "color": "0.6"}
        )
        for x, word, side in zip(ends, families.PAIRS[pair], ("right", "left"), strict=True):
            space = -0.02 if side == "right" else 0.02
            left.text(x + space, row, word, ha=side, va="center", fontsize=8)
    left.set(
        xlabel="part along the mean step",
        ylabel="pairs, by their main direction",
        title="Pairs take similar steps",
        xlim=(-1.05, 1.05),
        ylim=(-0.7, len(rows) - 0.3),
        yticks=[],
    )

    sizes = [2, 4, 6, 8, 10, 12, 16, 20, 24, 32]
    tables = {"information (PPMI)": (information, "o-"), "counts": (counts, "s--")}
    for name, (table, style) in tables.items():
        shares = [impl.accuracy(impl.embed(table, dim), asked) for dim in sizes]
        right.plot(sizes, shares, style, markersize=4, label=name)
    right.set(xlabel="numbers a word", ylabel="share of 112 questions", title="Right answers")
    right.set_ylim(0, 1.03)
    right.legend(fontsize=8, loc="lower right")
    return figure
