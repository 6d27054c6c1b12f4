"""Clustering without a net: mini-batch k-means, trained like every other model.

Batch: x of shape (B, *input_shape); labels (B,) serve the metrics alone.
Run:   python training/run_experiment.py -c training/experiments/digits_kmeans.yaml
"""

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, SumMetric

from lab.errors import LabError
from lab.figures.clusters import ClusterMap, ClusterTable
from lab.models.contingency import SCORES, ClusterScore
from lab.models.kmeans import KMeansStep, kmeans_plusplus, members, nearest
from lab.models.kmeans_baselines import baselines
from lab.models.logging import log_metrics, log_training_loss
from lab.models.pixels import InputRange, units
from lab.models.sampling import seeded_generator, training_sample

Batch = tuple[Tensor, Tensor]


def check_clusters(clusters: int | None, num_classes: int) -> int:
    """The number of clusters: as many as classes when none is given.

    Raises:
        LabError: fewer than one.
    """
    if clusters is not None and clusters < 1:
        raise LabError(f"--model.clusters {clusters}: choose 1 or more")
    return num_classes if clusters is None else clusters


class Clustering(pl.LightningModule):
    """K-means by mini-batches, seeded by k-means++; purity, NMI, ARI, clusters in 2-D, centres.

    The loss is the mean squared distance to the nearest centre, of images as shares of white. The Trainer
    moves all restarts at once, and the one with the least distance over the last epoch counts.

    Args:
        input_shape: shape of one sample, from the data module.
        num_classes: C, from the data module; labels are used by the metrics alone.
        input_range: what black and white are, from the data module, or None.
        clusters: K; C when not given.
        restarts: solutions from different seeds, of which the best counts.
        memory: epochs that a centre remembers. With 1 and all samples in one batch a step is Lloyd's
            algorithm; with `.inf` each sample ever seen counts alike, as Sculley (2010) has it.

    Raises:
        LabError: an option out of range, or fewer training samples than clusters.
    """

    # The training samples are what is to be summed up, and they have the last word.
    monitor = ("step", "max")
    counts: Tensor
    assigned: Tensor
    distance: Tensor
    batch: Tensor

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        input_range: InputRange | None,
        *,
        clusters: int | None = None,
        restarts: int = 10,
        memory: float = 1.0,
    ) -> None:
        super().__init__()
        clusters = check_clusters(clusters, num_classes)
        if restarts < 1:
            raise LabError(f"--model.restarts {restarts}: choose 1 or more")
        if not memory > 0:
            raise LabError(f"--model.memory {memory}: choose a number of epochs above 0")
        self.input_shape, self.num_classes = tuple(input_shape), num_classes
        self.clusters, self.memory = clusters, memory
        self.scale = units(input_range)
        self.shows_images = input_range is not None and len(self.input_shape) == 3
        shape = (restarts, clusters)
        self.centers = nn.Parameter(torch.zeros(*shape, math.prod(input_shape)))
        # Samples behind each centre: none before it is seeded.
        self.register_buffer("counts", torch.zeros(shape))
        # Over the present epoch: samples that each cluster won, and squared distances.
        self.register_buffer("assigned", torch.ones(shape, dtype=torch.long))
        self.register_buffer("distance", torch.zeros(restarts))
        # Samples that each cluster won since the last step.
        self.register_buffer("batch", torch.zeros(shape, dtype=torch.long), persistent=False)
        self.metrics = nn.ModuleDict({stage: self.build_metrics() for stage in ("val", "test")})

    def build_metrics(self) -> nn.ModuleDict:
        """Metrics of one stage, exact over uneven batches and processes."""
        sizes = {"clusters": self.clusters, "classes": self.num_classes}
        scores = {name: ClusterScore(score, **sizes) for name, score in SCORES.items()}
        return nn.ModuleDict({"loss": MeanMetric(), "inertia": SumMetric(), **scores})

    def points(self, x: Tensor) -> Tensor:
        """Samples as rows of numbers, (B, D): images as shares of white."""
        return self.scale.to_unit(x).flatten(1)

    def best_centers(self) -> Tensor:
        """Those of the restart with the least distance, (K, D)."""
        return self.centers[self.distance.argmin()]

    def center_images(self) -> Tensor | None:
        """The best centres as images (K, C, H, W) for the figures, if the samples are images."""
        if not self.shows_images:
            return None
        return self.best_centers().detach().view(-1, *self.input_shape)

    def forward(self, x: Tensor) -> Tensor:
        """The number of the cluster of each sample, (B,)."""
        return nearest(self.points(x), self.best_centers()[None])[1][:, 0]

    @torch.no_grad()
    def on_train_start(self) -> None:
        if self.counts.any():
            # A checkpoint's centres go on.
            return
        x = training_sample(self.trainer, self.points)
        if len(x) < self.clusters:
            raise LabError(f"{len(x)} training samples can't make {self.clusters} clusters")
        generator = seeded_generator(x.device)
        restarts = len(self.centers)
        found = kmeans_plusplus(x, self.clusters, restarts=restarts, generator=generator)
        self.centers.copy_(self.trainer.strategy.broadcast(found))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x = self.points(batch[0])
        if batch_idx == 0:
            self.begin_epoch(x)
        squared, cluster = nearest(x, self.centers)
        won = self.total(members(cluster, self.clusters))
        self.batch += won
        self.assigned += won
        self.distance += self.total(squared.detach().sum(0))
        loss = squared.mean(0)
        log_training_loss(self, loss[self.distance.argmin()])
        return loss.sum() / 2

    def total(self, values: Tensor) -> Tensor:
        """Sum over the processes."""
        return self.trainer.strategy.reduce(values, reduce_op="sum")

    @torch.no_grad()
    def begin_epoch(self, x: Tensor) -> None:
        """Count anew; clusters that won nothing in the last epoch start again at the farthest samples."""
        empty = self.assigned == 0
        if empty.any():
            farthest = nearest(x, self.centers)[0].argsort(0, descending=True)
            place = (empty.cumsum(1) - 1)[empty] % len(x)
            found = x[farthest[place, empty.nonzero()[:, 0]]]
            self.centers[empty] = self.trainer.strategy.broadcast(found)
            self.counts[empty] = 0
        self.assigned.zero_()
        self.distance.zero_()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.measure(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Samples as the figures place them, (B, D)."""
        return self.measure(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cluster numbers, (B,)."""
        return self(batch[0])

    def measure(self, batch: Batch, stage: str) -> Tensor:
        x, y = self.points(batch[0]), batch[1]
        squared, cluster = nearest(x, self.best_centers()[None])
        metrics: Any = self.metrics[stage]
        metrics["loss"].update(squared)
        metrics["inertia"].update(squared)
        for name in SCORES:
            metrics[name].update(cluster, y)
        return x

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="purity")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="purity")

    def configure_optimizers(self) -> KMeansStep:
        trainer = self.trainer
        trainer.fit_loop.setup_data()
        steps = max(trainer.num_training_batches / trainer.accumulate_grad_batches, 1)
        decay = max(0.0, 1 - 1 / (self.memory * steps))
        return KMeansStep(self.centers, self.counts, self.batch, decay=decay)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [ClusterMap(), ClusterTable()] if self.trainer.testing else []

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of one cluster for all, and of scikit-learn's k-means from ten seedings."""
        return baselines(self.points, data, clusters=self.clusters, classes=self.num_classes)
