"""How much samples of a generator are like the data: distances, moments, modes, a classifier's verdict."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

# A sample this many standard deviations from a centre still belongs to its mode.
NEAR = 3.0
# A mode or class is there when it has at least this part of an even share of the samples.
PRESENT = 0.25
# Probability from which a class counts as certain.
CERTAIN = 0.9


class Rows(Metric):
    """All rows (N, F) of a data set, over batches and processes."""

    full_state_update = False
    rows: Any

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, rows: Tensor) -> None:
        self.rows.append(rows.float())

    def compute(self) -> Tensor:
        return dim_zero_cat(self.rows)


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Fréchet distance of the Gaussians with the moments of rows x (N, F) and y (M, F).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), which is the squared Wasserstein distance (Dowson & Landau
    1982; Heusel et al. 2017).
    """
    x, y = x.double().cpu(), y.double().cpu()
    first, second = torch.cov(x.T), torch.cov(y.T)
    # The trace of the root, from a symmetric matrix with the same eigenvalues as the product.
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    means = (x.mean(0) - y.mean(0)).square().sum()
    return (means + first.trace() + second.trace() - 2 * shared).clamp(min=0).item()


def energy_distance(x: Tensor, y: Tensor, *, most: int = 2000) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| over pairs of rows; 0 for equal distributions, and only for them.

    Source: Szekely & Rizzo 2013. Rows beyond `most` are left out. Pairs of a row with itself do not count,
    so the estimate is unbiased and may be a little below 0.
    """
    x, y = x[:most].double(), y[:most].double()

    def within(rows: Tensor) -> Tensor:
        return torch.cdist(rows, rows).sum() / (len(rows) * max(len(rows) - 1, 1))

    return (2 * torch.cdist(x, y).mean() - within(x) - within(y)).item()


def moment_errors(x: Tensor, y: Tensor) -> dict[str, float]:
    """How far mean and covariance of x (N, F) are from those of y (M, F).

    The mean in standard deviations of y, the covariance as a share of y's (Frobenius norms).
    """
    x, y = x.double(), y.double()
    spread = torch.cov(y.T)
    return {
        "mean_error": ((x.mean(0) - y.mean(0)).norm() / spread.trace().sqrt()).item(),
        "covariance_error": ((torch.cov(x.T) - spread).norm() / spread.norm()).item(),
    }


def mode_scores(x: Tensor, centres: Tensor, std: float) -> dict[str, float]:
    """Modes covered and share of high-quality samples, of points (N, 2) and centres (K, 2).

    A point is of high quality near a centre; a mode is covered by a fair share of such points.
    """
    distance, mode = torch.cdist(x.double(), centres.to(x).double()).min(1)
    near = distance <= NEAR * std
    counts = torch.bincount(mode[near], minlength=len(centres))
    covered = counts >= PRESENT * len(x) / len(centres)
    return {"modes": float(covered.sum()), "high_quality": near.double().mean().item()}


def verdict(probabilities: Tensor) -> dict[str, float]:
    """What a classifier says of samples, from its probabilities (N, K).

    confident: share of samples with a certain class. classes: how many of the K appear among them.
    entropy: of the mean probabilities, in nats; log K when all classes are equally frequent.
    """
    sureness, found = probabilities.max(1)
    classes = probabilities.shape[1]
    certain = sureness > CERTAIN
    counts = torch.bincount(found[certain], minlength=classes)
    present = counts >= PRESENT * len(probabilities) / classes
    mean = probabilities.double().mean(0)
    return {
        "confident": certain.double().mean().item(),
        "classes": float(present.sum()),
        "entropy": torch.special.entr(mean).sum().item(),
    }


class PointQuality(nn.Module):
    """Metrics of points in the plane: distance and moments beside the data, modes where they are known."""

    centres: Tensor | None = None
    std = 0.0

    def prepare(self, data: Any, scale: nn.Module) -> None:
        """Take the centres and the deviation of the modes from data that state them."""
        self.centres = getattr(data, "centres", None)
        self.std = getattr(data, "std", 0.0)

    def features(self, points: Tensor) -> Tensor:
        """(B, ...) -> (B, F)."""
        return points.flatten(1)

    def scores(self, points: Tensor, data_points: Tensor) -> dict[str, float]:
        """All metrics of points (N, F) beside those of the data (M, F)."""
        found = {"distance": energy_distance(points, data_points)}
        found |= moment_errors(points, data_points)
        return found | ({} if self.centres is None else mode_scores(points, self.centres, self.std))
