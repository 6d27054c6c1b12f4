"""Figures of models that read: lines with what was read, error rates by length and by writer.

A batch is (images, sizes, targets, writers); `test_step` returns `read` and `truth`, lists of texts.
"""
# from week 3

import csv
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lab.edit_distance import edits, side_by_side
from lab.figures.base import Columns, TestFigure, figure_path, save_figure

# A row of text in a figure has at most so many characters; width of each and height of a row in inches.
ROW, LETTER, ROW_HEIGHT = 90, 0.095, 0.17


class Line(NamedTuple):
    """A line that is shown: `rank` decides whether, ink (h, w) is dark at 1."""

    rank: float
    ink: Tensor
    read: str
    truth: str


def highest_places(ranks: Sequence[float], most: int) -> list[int]:
    """The places of the highest ranks."""
    return sorted(range(len(ranks)), key=lambda place: -ranks[place])[:most]


def line_of(batch: Any, outputs: Any, row: int, rank: float) -> Line:
    """One line of a batch, without padding."""
    height, width = batch[1][row].tolist()
    ink = batch[0][row, 0, :height, :width].detach().float().cpu().clone()
    return Line(rank, ink, outputs["read"][row], outputs["truth"][row])


class ReadLines(TestFigure):
    """The test lines with the highest error rates, and random ones; errors are red."""

    COUNT = 10

    def __init__(self) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(0)

    def collect(self, batch: Any, outputs: Any) -> Columns:
        truth = outputs["truth"]
        counted = zip(edits(outputs["read"], truth).tolist(), truth, strict=True)
        rates = [count / max(len(true), 1) for count, true in counted]
        chances = torch.rand(len(truth), generator=self.random).tolist()
        return tuple(
            [line_of(batch, outputs, row, ranks[row]) for row in highest_places(ranks, self.COUNT)]
            for ranks in (rates, chances)
        )

    def merge(self, parts: list[Columns]) -> Columns:
        columns = [[*chain.from_iterable(column)] for column in zip(*parts, strict=True)]
        return tuple(
            [lines[place] for place in highest_places([line.rank for line in lines], self.COUNT)]
            for lines in columns
        )

    def draw(self, trainer: pl.Trainer, *columns: Any) -> None:
        worst, random = columns
        for name, lines in (
            ("worst", [line for line in worst if line.rank > 0]),
            ("random", random),
        ):
            if lines:
                title = f"Test lines, {name} ones: image, truth, what was read"
                save_figure(trainer, draw_lines(lines, title), f"{name}_lines")


def draw_lines(lines: Sequence[Line], title: str) -> Figure:
    """Each line's image, truth, and what was read below it, with the errors in red."""
    texts = [side_by_side(visible(line.read), visible(line.truth)) for line in lines]
    longest = max(len(read) for read, _ in texts)
    width = max(min(longest, ROW) * LETTER, 5.0) + 0.2
    shapes = [line.ink.shape for line in lines]
    # Inches; no image is magnified so that it fills more than it needs.
    images = [min((width - 0.2) * high / wide, high / 40) for high, wide in shapes]
    below = [(2 * rows_of(read) + 0.8) * ROW_HEIGHT for read, _ in texts]
    height = sum(images) + sum(below) + 0.4
    figure = Figure(figsize=(width, height))
    figure.text(0.1 / width, 1 - 0.1 / height, title, va="top", fontsize=10)
    top = height - 0.4
    for line, pair, image, text in zip(lines, texts, images, below, strict=True):
        top -= image
        wide = image * line.ink.shape[1] / line.ink.shape[0]
        box = (0.1 / width, top / height, wide / width, image / height)
        axes = figure.add_axes(box, xticks=[], yticks=[])
        axes.imshow(line.ink.numpy(), cmap="gray_r", vmin=0, vmax=1, aspect="auto")
        write(figure, *pair, top=top - 0.04)
        top -= text
    return figure


def rows_of(text: str) -> int:
    """How many rows of `ROW` characters a text fills."""
    return -(-max(len(text), 1) // ROW)


def visible(text: str) -> str:
    """Ends of lines as a sign."""
    return text.replace("\n", "\u21b5")


def write(figure: Figure, read: str, truth: str, *, top: float) -> None:
    """Truth and what was read, one below the other, in rows of `ROW` characters, from so many inches up."""
    width, height = figure.get_size_inches()
    wrong = [a != b for a, b in zip(read, truth, strict=True)]
    right = "".join(" " if bad else a for a, bad in zip(read, wrong, strict=True))
    errors = "".join(a if bad else " " for a, bad in zip(read, wrong, strict=True))
    for row in range(rows_of(read)):
        part = slice(row * ROW, (row + 1) * ROW)
        for text, color, down in ((truth, "0.5", 0), (right, "black", 1), (errors, "red", 1)):
            figure.text(
                0.1 / width,
                (top - (2 * row + down) * ROW_HEIGHT) / height,
                text[part],
                color=color,
                family="monospace",
                fontsize=LETTER * 72 / 0.602,
                va="top",
                parse_math=False,
            )


Counts = dict[int, Counter[str]]


def count_errors(groups: Sequence[int], outputs: Any) -> Counts:
    """Edits, characters and lines of each group; `groups` names that of every text."""
    found: Counts = {}
    truth = outputs["truth"]
    for group, text, wrong in zip(groups, truth, edits(outputs["read"], truth), strict=True):
        counts = found.setdefault(group, Counter())
        counts.update(edits=int(wrong), characters=len(text), lines=1)
    return found


def add_up(parts: Sequence[Counts]) -> Counts:
    """Counts of several batches or processes."""
    found: Counts = {}
    for part in parts:
        for group, counts in part.items():
            found.setdefault(group, Counter()).update(counts)
    return found


def error_rate(counts: Counter[str]) -> float:
    return counts["edits"] / max(counts["characters"], 1)


class ErrorsByLength(TestFigure):
    """Character error rate of the test's lines by how many characters they have."""

    BARS = 12

    def collect(self, batch: Any, outputs: Any) -> Columns:
        return (count_errors([len(text) for text in outputs["truth"]], outputs),)

    def merge(self, parts: list[Columns]) -> Columns:
        return (add_up([counts for (counts,) in parts]),)

    def draw(self, trainer: pl.Trainer, *columns: Any) -> None:
        (counts,) = columns
        step = -(-(max(counts) + 1) // self.BARS)
        bins = add_up([{length // step: found} for length, found in counts.items()])
        names = [f"{b * step} to {b * step + step - 1}" if step > 1 else str(b) for b in bins]
        save_bars(trainer, bins, dict(zip(bins, names, strict=True)), "characters", "length")


class ErrorsByWriter(TestFigure):
    """Character error rate of the test's lines by writer: a figure of the worst, a table of all."""

    BARS = 30

    def collect(self, batch: Any, outputs: Any) -> Columns:
        return (count_errors(batch[3].tolist(), outputs),)

    def merge(self, parts: list[Columns]) -> Columns:
        return (add_up([counts for (counts,) in parts]),)

    def draw(self, trainer: pl.Trainer, *columns: Any) -> None:
        (counts,) = columns
        known = trainer.datamodule.writers  # type: ignore[attr-defined]
        names = {number: known[number] for number in counts}
        worst = sorted(counts, key=lambda number: (-error_rate(counts[number]), names[number]))
        with figure_path(trainer, "cer_by_writer.csv").open("w", newline="", encoding="utf-8") as f:
            table = csv.writer(f)
            table.writerow(["writer", "lines", "characters", "edits", "cer"])
            for number in worst:
                found = counts[number]
                numbers = [found[key] for key in ("lines", "characters", "edits")]
                table.writerow([names[number], *numbers, f"{error_rate(found):.4f}"])
        shown = {place: counts[number] for place, number in enumerate(worst[: self.BARS])}
        labels = {place: names[worst[place]] for place in shown}
        save_bars(trainer, shown, labels, f"writer, {len(shown)} of {len(counts)}", "writer")


def save_bars(
    trainer: pl.Trainer, counts: Counts, names: dict[int, str], label: str, what: str
) -> None:
    """A bar for each group, with the number of its lines."""
    figure = Figure(figsize=(2.5 + 0.3 * max(len(counts), 10), 4), layout="constrained")
    axes = figure.add_subplot(xlabel=label, ylabel="character error rate, %")
    axes.set_title(f"Test errors by {what}; numbers are lines")
    groups = sorted(counts)
    rates = [100 * error_rate(counts[group]) for group in groups]
    bars = axes.bar(range(len(groups)), rates)
    axes.bar_label(bars, [str(counts[group]["lines"]) for group in groups], fontsize=7)
    axes.set_xticks(range(len(groups)), [names[group] for group in groups], rotation=90)
    save_figure(trainer, figure, f"cer_by_{what}")
