"""Figures of codes: map, reconstructions, interpolations, samples, and all images of a plane.

The test step returns the codes (B, L) of its batch. The model's `decode` makes images of codes in shares of
white, and its `scale.to_unit` of a batch.
"""

from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from lab.figures.base import Columns, TestFigure, class_names, highest, save_figure
from lab.figures.images import image_grid


def figures_of_codes(
    input_shape: tuple[int, ...], latent_dim: int, *, prior: bool = False
) -> list[pl.Callback]:
    """What can be drawn of codes of so many numbers.

    Args:
        prior: the model makes codes normal, so that images can be drawn at random.
    """
    figures: list[pl.Callback] = [LatentMap()]
    if len(input_shape) != 3 or input_shape[0] not in (1, 3):
        return figures
    figures += [Reconstructions(), Interpolations()]
    if prior:
        figures.append(PriorSamples(latent_dim))
    if latent_dim == 2:
        figures.append(Manifold(prior=prior))
    return figures


def decoded(trainer: pl.Trainer, codes: Tensor) -> Tensor:
    """Images (N, C, H, W) of codes (N, L), by the model that is tested."""
    model: Any = trainer.lightning_module
    weight = next(model.parameters())
    with torch.no_grad():
        return model.decode(codes.to(weight)).float().cpu()


def in_unit(trainer: pl.Trainer, x: Tensor) -> Tensor:
    """Images of a test batch in shares of white."""
    model: Any = trainer.lightning_module
    return model.scale.to_unit(x)


def first(parts: list[Columns], most: int) -> Columns:
    """The first rows of all parts."""
    return tuple(torch.cat(column)[:most] for column in zip(*parts, strict=True))


def size_of(codes: Tensor) -> str:
    count = codes.shape[1]
    return f"{count} number{'s' * (count > 1)}"


class Reconstructions(TestFigure):
    """Test images, and what the decoder makes of their codes."""

    most = 12

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        return x[: self.most].float(), output[: self.most]

    def merge(self, parts: list[Columns]) -> Columns:
        return first(parts, self.most)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        x, codes = columns
        figure = image_grid(
            torch.cat([in_unit(trainer, x), decoded(trainer, codes)]),
            columns=len(x),
            title=f"Test images, and what is left of them in {size_of(codes)}",
            row_labels=("image", "decoded"),
        )
        save_figure(trainer, figure, "reconstructions")


class Interpolations(TestFigure):
    """On a straight line from the code of one test image to that of another; none of a single image."""

    most, steps = 12, 9

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        return x[: self.most].float(), output[: self.most]

    def merge(self, parts: list[Columns]) -> Columns:
        return first(parts, self.most)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        x, codes = columns
        images = in_unit(trainer, x)
        share = torch.linspace(0, 1, self.steps)[:, None]
        rows = []
        for start in range(0, len(x) - 1, 2):
            between = decoded(trainer, codes[start].lerp(codes[start + 1], share))
            rows += [images[start, None], between, images[start + 1, None]]
        if not rows:
            return
        title = "From one test image (left) to another (right):\ndecoded on the line between their codes"
        figure = image_grid(torch.cat(rows), columns=self.steps + 2, title=title)
        save_figure(trainer, figure, "interpolations")


class PriorSamples(TestFigure):
    """Images of codes that are drawn at random.

    Args:
        latent_dim: numbers in a code.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        return ()

    def merge(self, parts: list[Columns]) -> Columns:
        return ()

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        random = torch.Generator().manual_seed(0)
        codes = torch.randn(100, self.latent_dim, generator=random)
        title = f"Samples: what is decoded from {size_of(codes)} at random"
        save_figure(
            trainer, image_grid(decoded(trainer, codes), columns=10, title=title), "samples"
        )


class Manifold(TestFigure):
    """What is decoded from all over the plane of two latents.

    Args:
        prior: codes are normal, and steps are even in probability (Kingma & Welling 2014). Otherwise they
            are even in space, over the middle 96 % of the test codes both ways.
    """

    side = 18

    def __init__(self, *, prior: bool = False) -> None:
        super().__init__()
        self.prior = prior
        self.random = torch.Generator().manual_seed(0)

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        return torch.rand(len(x), generator=self.random), output

    def merge(self, parts: list[Columns]) -> Columns:
        return highest(parts, most=5_000)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        _, codes = columns
        share = torch.linspace(0.02, 0.98, self.side)
        if self.prior:
            across = down = torch.special.ndtri(share)
        else:
            low, high = codes.quantile(torch.tensor([0.02, 0.98]), dim=0)
            steps = torch.linspace(0, 1, self.side)[:, None]
            across, down = low.lerp(high, steps).T
        # Upwards is more, as in the map.
        grid = torch.cartesian_prod(down.flip(0), across).flip(1)
        title = "Decoded from all over the plane of codes"
        figure = image_grid(decoded(trainer, grid), columns=self.side, title=title)
        axes = figure.axes[0]
        axes.set(xlabel=f"latent 1, {across[0]:.2g} to {across[-1]:.2g}")
        axes.set(ylabel=f"latent 2, {down[0]:.2g} to {down[-1]:.2g}")
        save_figure(trainer, figure, "manifold")


class LatentMap(TestFigure):
    """Where the test samples lie, coloured by their class, which the model has never seen.

    Codes of more than two numbers are shown along their two principal axes. Of a large test set a random
    part is shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(0)

    def select(self, x: Tensor, y: Tensor, output: Tensor) -> Columns:
        return torch.rand(len(x), generator=self.random), output, y

    def merge(self, parts: list[Columns]) -> Columns:
        return highest(parts, most=5_000)

    def draw(self, trainer: pl.Trainer, *columns: Tensor) -> None:
        _, codes, labels = columns
        places, (across, up) = on_a_plane(codes)
        figure = Figure(figsize=(7.5, 6), layout="constrained")
        axes = figure.add_subplot(xlabel=across, ylabel=up)
        axes.set_title(f"Codes of {len(codes)} test samples; classes were not used in training")
        count = int(labels.max()) + 1
        names = class_names(trainer, count)
        colors = colormaps["tab10" if count <= 10 else "gist_rainbow"]
        for label in labels.unique().tolist():
            color = colors(label if count <= 10 else label / (count - 1))
            x, y = places[labels == label].T
            axes.plot(x, y, ".", ms=4, color=color, label=names[label])
        figure.legend(loc="outside right upper", markerscale=2.5, ncols=-(-count // 30))
        save_figure(trainer, figure, "latent_map")


def on_a_plane(codes: Tensor) -> tuple[Tensor, tuple[str, str]]:
    """Two numbers (N, 2) for codes (N, L), and what they are."""
    if codes.shape[1] == 2:
        return codes, ("latent 1", "latent 2")
    if codes.shape[1] == 1:
        # Spread out, so that points do not hide each other.
        return torch.cat([codes, torch.linspace(0, 1, len(codes))[:, None]], 1), ("latent", "")
    centred = codes - codes.mean(0)
    _, lengths, axes = torch.linalg.svd(centred, full_matrices=False)
    share = lengths.square()[:2] / lengths.square().sum().clamp(min=1e-30)
    texts = [f"principal axis {n} of the codes, {part:.0%} of their variance" for n, part in
             enumerate(share.tolist(), 1)]  # fmt: skip
    return centred @ axes[:2].T, (texts[0], texts[1])
