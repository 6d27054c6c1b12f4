"""K-means: distances, seeding by k-means++, and Lloyd's step as gradient descent with a rate per centre.

Shapes: N samples of D numbers, K clusters, R restarts, which are solutions side by side; samples (N, D),
centres (R, K, D).
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def nearest(x: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance to the nearest centre, and which one it is: both (N, R)."""
    restarts, clusters, _ = centers.shape
    # About their middle, so that no digits are lost where all lie far from zero.
    middle = centers.detach().mean((0, 1))
    x, flat = x - middle, (centers - middle).flatten(0, 1)
    # In half precision the nearest centre would often be another one.
    with torch.autocast(x.device.type, enabled=False):
        scores = torch.addmm(flat.square().sum(1), x, flat.T, alpha=-2)
    least, cluster = scores.view(-1, restarts, clusters).min(-1)
    return (least + x.square().sum(1, keepdim=True)).clamp(min=0), cluster


def members(cluster: Tensor, clusters: int) -> Tensor:
    """How many of the samples (N, R) are in each cluster, (R, K)."""
    table = cluster.new_zeros(clusters, cluster.shape[1])
    return table.scatter_add_(0, cluster, torch.ones_like(cluster)).T


def kmeans_plusplus(
    x: Tensor, clusters: int, *, restarts: int, generator: torch.Generator
) -> Tensor:
    """Centres (R, K, D) among the samples, drawn far apart by k-means++ (Arthur & Vassilvitskii 2007).

    A sample becomes the next centre with a probability that grows as its squared distance to those before.
    It is the greedy variant, as in scikit-learn: of a few draws the one is kept that leaves least distance.
    """
    trials = 2 + int(math.log(clusters))
    middle = x.mean(0)
    x = x - middle
    norms, rows = x.square().sum(1), torch.arange(restarts, device=x.device)

    def distances(places: Tensor) -> Tensor:
        """From the samples numbered (R, T) to all, (R, T, N)."""
        chosen = x[places.flatten()]
        squared = torch.addmm(norms, chosen, x.T, alpha=-2) + norms[places.flatten(), None]
        return squared.clamp(min=0).view(*places.shape, -1)

    first = torch.randint(len(x), (restarts, 1), generator=generator, device=x.device)
    places, closest = [first[:, 0]], distances(first)[:, 0]
    for _ in range(clusters - 1):
        # When all samples lie on centres, any will do.
        weights = closest.clamp(min=torch.finfo(x.dtype).tiny)
        drawn = torch.multinomial(weights, trials, replacement=True, generator=generator)
        left = torch.minimum(closest[:, None], distances(drawn))
        best = left.sum(-1).argmin(1)
        places.append(drawn[rows, best])
        closest = left[rows, best]
    return x[torch.stack(places, 1)] + middle


def kmeans(
    x: Tensor, clusters: int, *, restarts: int, generator: torch.Generator, steps: int = 100
) -> Tensor:
    """The best centres (K, D) of Lloyd's algorithm on all samples at once, from several seedings."""
    centers = kmeans_plusplus(x, clusters, restarts=restarts, generator=generator)
    for _ in range(steps):
        _, cluster = nearest(x, centers)
        before, won = centers, members(cluster, clusters).unsqueeze(-1)
        sums = F.one_hot(cluster, clusters).to(x).permute(1, 2, 0) @ x
        # A centre that won nothing stays.
        centers = torch.where(won > 0, sums / won.clamp(min=1), centers)
        if torch.equal(centers, before):
            break
    return centers[nearest(x, centers)[0].sum(0).argmin()]


class KMeansStep(torch.optim.Optimizer):
    """Moves each centre to the mean of the samples it has won (MacQueen 1967, Sculley 2010).

    When n of B samples are nearest to a centre, half their mean squared distance has the gradient
    n/B (centre - mean of the n). Against it a step of B/count, the rate of that centre alone, makes the
    centre the mean of all `count` samples so far. It is Newton's method (Bottou & Bengio 1995).

    Args:
        centers: (R, K, D).
        counts: samples behind each centre, (R, K); updated in place.
        batch: of the samples behind the gradient, how many each centre won, (R, K); emptied by a step.
        decay: what older samples count for at each step: with 1 all count alike, with 0 only the batch
            does, which is Lloyd's algorithm when it holds all samples.
    """

    def __init__(
        self, centers: nn.Parameter, counts: Tensor, batch: Tensor, *, decay: float
    ) -> None:
        super().__init__([centers], {})
        self.counts, self.batch, self.decay = counts, batch, decay

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        (centers,) = self.param_groups[0]["params"]
        self.counts.mul_(self.decay).add_(self.batch)
        # A centre that won nothing has no gradient either.
        rate = self.batch.sum(1, keepdim=True) / self.counts.clamp(min=1)
        centers.sub_(rate.unsqueeze(-1) * centers.grad)
        self.batch.zero_()
        return loss
