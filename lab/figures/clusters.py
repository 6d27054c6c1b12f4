"""Figures of clusterings: samples in the plane, clusters against classes, centres as images.

The model gives its samples as places (B, D) from `test_step`, has the centres among them as `best_centers()`
(K, D), and knows them as images by `center_images()`, (K, C, H, W), or None.
"""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lab.figures.base import Columns, TestFigure, class_names, highest, save_figure

# So many places and images are shown at most.
SAMPLES, IMAGES = 2_000, 64


class ClusterMap(TestFigure):
    """Test samples in the plane with their clusters' centres; of more numbers, the principal components.

    Beside it the same by class. In two dimensions the regions of the clusters are shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(0)

    def on_test_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_test_start(trainer, pl_module)
        self.centers = pl_module.best_centers().detach().float().cpu()
        self.classes = pl_module.num_classes

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        return torch.rand(len(y), generator=self.random), output, y

    def merge(self, parts: list[Columns]) -> Columns:
        return highest(parts, most=SAMPLES)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        _, places, y = columns
        cluster = torch.cdist(places, self.centers).argmin(1)
        flat, centers, names = in_plane(places, self.centers)
        figure = Figure(figsize=(12, 5.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        scatter(left, flat, cluster, len(centers))
        scatter(right, flat, y, self.classes)
        if places.shape[1] == 2:
            draw_regions(left, centers)
        for number, (x, height) in enumerate(centers.tolist()):
            left.plot(x, height, "X", ms=11, mfc="white", mec="black")
            left.annotate(str(number), (x, height), (5, 5), textcoords="offset points", fontsize=9)
        labels = class_names(trainer, self.classes)
        for label in range(min(self.classes, 20)):
            if (y == label).any():
                x, height = flat[y == label].median(0).values.tolist()
                box = {"fc": "white", "ec": "none", "alpha": 0.7, "pad": 1}
                right.text(x, height, labels[label], ha="center", va="center", bbox=box)
        left.set(title=f"{len(places)} test samples by cluster", xlabel=names[0], ylabel=names[1])
        right.set(title="the same by class", xlabel=names[0])
        save_figure(trainer, figure, "clusters")


def in_plane(places: Tensor, centers: Tensor) -> tuple[Tensor, Tensor, tuple[str, str]]:
    """Places (N, D) and centres (K, D) in two dimensions, and the names of the axes."""
    if places.shape[1] == 2:
        return places, centers, ("$x_1$", "$x_2$")
    middle = places.mean(0)
    # Of one number the second axis is empty.
    axes = torch.linalg.svd(places - middle, full_matrices=False).Vh[:2]
    axes = torch.cat([axes, torch.zeros(2 - len(axes), places.shape[1])])
    # The sign is arbitrary; the largest weight is to be positive.
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    names = ("first principal component", "second principal component")
    return (places - middle) @ axes.T, (centers - middle) @ axes.T, names


def palette(count: int) -> str:
    """A colour map for so many kinds."""
    return "tab10" if count <= 10 else "tab20" if count <= 20 else "gist_ncar"


def scatter(axes: Axes, flat: Tensor, kinds: Tensor, count: int) -> None:
    """Points coloured by kind."""
    top = {"tab10": 10, "tab20": 20}.get(palette(count), count)
    axes.scatter(
        flat[:, 0], flat[:, 1], c=kinds, s=10, cmap=palette(count), vmin=-0.5, vmax=top - 0.5
    )
    axes.set_aspect("equal")


def draw_regions(axes: Axes, centers: Tensor) -> None:
    """The borders between the parts of the plane that are nearest to each centre."""
    if len(centers) == 1:
        return
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    x, y = torch.linspace(left, right, 400), torch.linspace(low, high, 400)
    grid = torch.cartesian_prod(y, x).flip(1)
    owner = torch.cdist(grid, centers).argmin(1).view(400, 400)
    for number in range(len(centers)):
        inside = (owner == number).float()
        if 0 < inside.mean() < 1:
            axes.contour(x, y, inside, levels=[0.5], colors="0.5", linewidths=0.8)


class ClusterTable(TestFigure):
    """How many samples of each class are in each cluster; and the centres as images, if they are some."""

    def on_test_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_test_start(trainer, pl_module)
        self.centers = pl_module.best_centers().detach().float()
        self.images = pl_module.center_images()
        self.classes = pl_module.num_classes

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        cluster = torch.cdist(output, self.centers).argmin(1)
        count = len(self.centers) * self.classes
        pairs = torch.bincount(cluster * self.classes + y, minlength=count)
        return (pairs.view(-1, self.classes),)

    def merge(self, parts: list[Columns]) -> Columns:
        return (torch.stack([table for (table,) in parts]).sum(0),)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        (table,) = columns
        names = class_names(trainer, self.classes)
        save_figure(trainer, contingency_figure(table, names), "contingency")
        if self.images is not None:
            save_figure(trainer, center_figure(self.images, table, names), "centers")


def contingency_figure(table: Tensor, names: list[str]) -> Figure:
    """Clusters as rows, sorted by their most frequent class; the colour is the share of the row."""
    order = table.argmax(1).argsort(stable=True)
    table = table[order]
    share = table / table.sum(1, keepdim=True).clamp(min=1)
    rows, columns = table.shape
    numbers = max(rows, columns) <= 30
    cell = 0.45 if numbers else 0.2
    size = (3.5 + min(cell * columns, 20), 2.5 + min(cell * rows, 20))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot(xlabel="class", ylabel="cluster")
    pure, samples = int(table.max(1).values.sum()), int(table.sum())
    axes.set_title(f"Test clusters\n{pure} of {samples} in their\ncluster's most frequent class")
    image = axes.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of the cluster")
    named, listed = (
        range(0, columns, math.ceil(columns / 100)),
        range(0, rows, math.ceil(rows / 100)),
    )
    axes.set_xticks(named, [names[place] for place in named])
    axes.tick_params(axis="x", rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(listed, [str(int(order[place])) for place in listed])
    for row, column in table.nonzero().tolist() if numbers else ():
        color = "white" if share[row, column] > 0.5 else "black"
        text = str(int(table[row, column]))
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    return figure


def center_figure(images: Tensor, table: Tensor, names: list[str]) -> Figure:
    """Each centre as an image, titled by its most frequent class and the class's share."""
    images = images.detach().float().clamp(0, 1).cpu()[:IMAGES]
    across = min(len(images), 5 if len(images) <= 25 else 8)
    down = math.ceil(len(images) / across)
    figure = Figure(figsize=(1.7 * across, 0.6 + 2.1 * down), layout="constrained")
    figure.suptitle("Centres, most frequent class and its share")
    panels = figure.subplots(down, across, squeeze=False).flatten()
    for axes in panels:
        axes.axis("off")
    for number, (axes, image) in enumerate(zip(panels, images, strict=False)):
        axes.imshow(image.movedim(0, -1).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
        counts = table[number]
        if counts.sum() == 0:
            title = "empty"
        else:
            title = f"{names[int(counts.argmax())]} ({counts.max() / counts.sum():.0%})"
        axes.set_title(f"{number}: {title}", fontsize=9)
    return figure
