"""Clusters against classes: purity, mutual information and the adjusted Rand index from one table.

A table (K, C) counts the samples of each class in each cluster. It is all that these scores need, it adds
up exactly over batches and processes, and it does not grow with the samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric


def contingency(cluster: Tensor, label: Tensor, *, clusters: int, classes: int) -> Tensor:
    """The table (K, C) of samples with cluster numbers and labels (N,)."""
    pairs = cluster.flatten() * classes + label.flatten()
    table = pairs.new_zeros(clusters * classes)
    return table.scatter_add_(0, pairs, torch.ones_like(pairs)).view(clusters, classes)


def purity(table: Tensor) -> Tensor:
    """Share of the samples that are of the most frequent class of their cluster."""
    return table.max(1).values.sum() / table.sum()


def normalized_mutual_information(table: Tensor) -> Tensor:
    """What clusters and classes tell about each other, over the mean of both entropies: 0 to 1.

    When there is but one cluster and one class, they agree, and it is 1 (as in scikit-learn).
    """
    joint = table / table.sum()
    by_cluster, by_class = entropy(joint.sum(1)), entropy(joint.sum(0))
    if by_cluster + by_class == 0:
        return torch.ones_like(by_cluster)
    # Rounding must not make it negative.
    shared = (by_cluster + by_class - entropy(joint.flatten())).clamp(min=0)
    return shared / ((by_cluster + by_class) / 2)


def entropy(p: Tensor) -> Tensor:
    """Of probabilities (N,), in nats."""
    return -torch.xlogy(p, p).sum()


def adjusted_rand_index(table: Tensor) -> Tensor:
    """Agreement over all pairs of samples, less that of a random clustering (Hubert & Arabie 1985).

    A random clustering has 0 on average, the classes themselves 1.
    """
    every = pairs(table.sum()).clamp(min=1)
    both, by_cluster, by_class = (
        pairs(counts).sum() / every for counts in (table, table.sum(1), table.sum(0))
    )
    expected = by_cluster * by_class
    most = (by_cluster + by_class) / 2
    if most == expected:
        return torch.ones_like(most)
    return (both - expected) / (most - expected)


def pairs(counts: Tensor) -> Tensor:
    """Number of pairs among so many; whole numbers stay exact."""
    return counts * (counts - 1) // 2


SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "purity": purity,
    "nmi": normalized_mutual_information,
    "ari": adjusted_rand_index,
}


class ClusterScore(Metric):
    """One of SCORES over all batches and processes.

    Shapes: cluster numbers and labels (N,).
    """

    full_state_update = False
    table: Tensor

    def __init__(self, score: Callable[[Tensor], Tensor], *, clusters: int, classes: int) -> None:
        super().__init__()
        self.score, self.clusters, self.classes = score, clusters, classes
        empty = torch.zeros(clusters, classes, dtype=torch.long)
        self.add_state("table", empty, dist_reduce_fx="sum")

    def update(self, cluster: Tensor, label: Tensor) -> None:
        self.table += contingency(cluster, label, clusters=self.clusters, classes=self.classes)

    def compute(self) -> Tensor:
        return self.score(self.table)
