"""What clusterings are compared with: one cluster for all, and scikit-learn's k-means.

Shapes: samples are rows (N, D), labels (N,).
"""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lab.models.contingency import SCORES, contingency
from lab.models.kmeans import nearest

Points = Callable[[Tensor], Tensor]


def all_points(points: Points, data: Any, stage: str) -> tuple[Tensor, Tensor]:
    """A whole set as rows, by a model's own `points`, and its labels."""
    batch = getattr(data, f"{stage}_set").tensors
    if data.batch_transform is not None:
        batch = data.batch_transform(batch)
    return points(batch[0]), batch[1]


def baselines(
    points: Points, data: Any, *, clusters: int, classes: int
) -> dict[str, dict[str, float]]:
    """Test metrics of one cluster for all and of scikit-learn's k-means, both of the training samples."""
    train, _ = all_points(points, data, "train")
    x, y = all_points(points, data, "test")
    centers = {
        "one_cluster": train.mean(0, keepdim=True),
        "scikit_learn": scikit_learn(train, clusters),
    }
    return {name: measured(x, y, found, classes=classes) for name, found in centers.items()}


def scikit_learn(x: Tensor, clusters: int) -> Tensor:
    """Centres (K, D) of scikit-learn's k-means, the best of ten runs; of three when samples are many."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Fewer different samples than clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        runs = 10 if len(x) <= 10_000 else 3
        found = KMeans(clusters, n_init=runs, random_state=0).fit(x.numpy())
    return torch.from_numpy(found.cluster_centers_).to(x)


def measured(x: Tensor, y: Tensor, centers: Tensor, *, classes: int) -> dict[str, float]:
    """Test metrics of centres (K, D)."""
    squared, cluster = nearest(x, centers[None])
    table = contingency(cluster, y, clusters=len(centers), classes=classes)
    found = {"test/loss": squared.mean().item(), "test/inertia": squared.sum().item()}
    return found | {f"test/{name}": score(table).item() for name, score in SCORES.items()}
