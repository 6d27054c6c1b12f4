"""Clustering in the codes of an autoencoder, by soft assignment.

Batch: x of shape (B, *input_shape); labels (B,) serve the metrics alone.
Run:   python training/run_experiment.py -c training/experiments/digits_deep_clusters.yaml
"""

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from lab.errors import LabError
from lab.figures.clusters import ClusterMap, ClusterTable
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.clustering import check_clusters
from lab.models.contingency import SCORES, ClusterScore
from lab.models.decoders import DecoderBuilder, build_decoder
from lab.models.kmeans import kmeans
from lab.models.kmeans_baselines import baselines
from lab.models.logging import log_metrics, log_training_loss
from lab.models.pixels import InputRange, units
from lab.models.sampling import seeded_generator, training_sample
from lab.models.views import random_warp

Batch = tuple[Tensor, Tensor]


def soft_assignment(codes: Tensor, centers: Tensor) -> Tensor:
    """Probabilities (B, K) of clusters by Student's t with one degree of freedom, as in t-SNE.

    Shapes: codes (B, L), centres (K, L).
    """
    squared = (codes[:, None] - centers).square().sum(-1)
    q = 1 / (1 + squared)
    return q / q.sum(1, keepdim=True)


def sharpened(q: Tensor, mass: Tensor) -> Tensor:
    """Targets (B, K): assignments made surer, and large clusters smaller (Xie et al. 2016, equation 3).

    Args:
        mass: how much is assigned to each cluster over all samples, (K,).
    """
    p = q.square() / mass
    return p / p.sum(1, keepdim=True)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(P || Q) of each row, (B,), in nats."""
    return (torch.xlogy(p, p) - p * q.log()).sum(1)


class DeepClustering(pl.LightningModule):
    """An autoencoder whose codes form clusters, by soft assignment; purity, NMI, ARI, clusters in 2-D.

    At first it learns to reconstruct. Then k-means on the codes finds centres, and from there on the
    assignments are also drawn to surer versions of themselves (DEC: Xie et al. 2016), while reconstruction
    goes on (IDEC: Guo et al. 2017). Of an image the encoder sees a random warp, and is to tell how the image
    looks and where it belongs without (after DEC-DA: Guo et al. 2018). Nothing but labels could tell which
    epoch is best, so it is the last one.

    Loss: mean squared error of the pixels (as shares of white), and `weight` times the KL divergence of the
    assignments from their targets, in nats.

    Args:
        input_shape: shape of one sample, from the data module.
        num_classes: C, from the data module; labels are used by the metrics alone.
        input_range: what black and white are, from the data module, or None.
        encoder: builds the net that maps (B, *input_shape) to codes (B, latent_dim).
        decoder: builds the net that maps codes back.
        clusters: K; C when not given.
        latent_dim: numbers in a code.
        pretrain: epochs before the centres are found.
        weight: of the assignments beside the reconstruction.
        warp: strength of the random warps; 0 for none.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: an option out of range, or fewer training samples than clusters.
    """

    defaults = {"encoder": "MLP", "decoder": "MLP"}
    monitor = ("step", "max")
    mass: Tensor
    running: Tensor

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        input_range: InputRange | None,
        encoder: NetBuilder,
        decoder: DecoderBuilder,
        *,
        clusters: int | None = None,
        latent_dim: int = 10,
        pretrain: int = 10,
        weight: float = 0.1,
        warp: float = 1.0,
        lr: float = 1e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
    ) -> None:
        super().__init__()
        self.clusters = check_clusters(clusters, num_classes)
        if latent_dim < 1:
            raise LabError(f"--model.latent_dim {latent_dim}: choose 1 or more")
        for name, value in {"pretrain": pretrain, "weight": weight, "warp": warp}.items():
            if not 0 <= value < math.inf:
                raise LabError(f"--model.{name} {value}: choose 0 or more")
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.input_shape, self.num_classes = tuple(input_shape), num_classes
        self.pretrain, self.weight = pretrain, weight
        self.warp = warp if len(input_shape) == 3 else 0.0
        self.scale = units(input_range)
        self.shows_images = input_range is not None and len(self.input_shape) == 3
        self.encoder = build_net(encoder, input_shape, latent_dim, option="encoder")
        self.decoder = build_decoder(decoder, latent_dim, self.input_shape)
        self.centers = nn.Parameter(torch.zeros(self.clusters, latent_dim))
        # What was assigned to each cluster in the last epoch, nothing before there are any; and in this one.
        self.register_buffer("mass", torch.zeros(self.clusters))
        self.register_buffer("running", torch.zeros(self.clusters))
        self.metrics = nn.ModuleDict({stage: self.build_metrics() for stage in ("val", "test")})

    def build_metrics(self) -> nn.ModuleDict:
        """Metrics of one stage, exact over uneven batches and processes."""
        sizes = {"clusters": self.clusters, "classes": self.num_classes}
        scores = {name: ClusterScore(score, **sizes) for name, score in SCORES.items()}
        return nn.ModuleDict({"loss": MeanMetric(), "reconstruction": MeanMetric(), **scores})

    def encode(self, x: Tensor) -> Tensor:
        """Codes of a batch, (B, latent_dim)."""
        return self.encoder(self.scale.to_unit(x))

    def best_centers(self) -> Tensor:
        """(K, latent_dim)."""
        return self.centers

    def center_images(self) -> Tensor | None:
        """What the decoder makes of the centres (K, C, H, W), for the figures, if the samples are images."""
        return self.decoder(self.centers).detach() if self.shows_images else None

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of the clusters, (B, K)."""
        return soft_assignment(self.encode(x), self.centers)

    def on_train_epoch_start(self) -> None:
        if self.trainer.current_epoch >= self.pretrain and not self.mass.any():
            self.find_centers()

    @torch.no_grad()
    def find_centers(self) -> None:
        """K-means on the codes of training samples."""
        self.eval()
        codes = training_sample(self.trainer, self.encode).float()
        self.train()
        if len(codes) < self.clusters:
            raise LabError(f"{len(codes)} training samples can't make {self.clusters} clusters")
        generator = seeded_generator(codes.device)
        centers = kmeans(codes, self.clusters, restarts=10, generator=generator)
        self.centers.copy_(self.trainer.strategy.broadcast(centers))
        mass = soft_assignment(codes, self.centers).sum(0)
        self.running.copy_(self.trainer.strategy.broadcast(mass))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if batch_idx == 0:
            self.begin_epoch()
        x = self.scale.to_unit(batch[0])
        code = self.encoder(random_warp(x, self.warp) if self.warp else x)
        loss = F.mse_loss(self.decoder(code), x)
        if self.trainer.current_epoch >= self.pretrain:
            with torch.no_grad():
                plain = soft_assignment(self.encoder(x), self.centers)
                self.running += plain.sum(0)
                target = sharpened(plain, self.mass)
            loss = (
                loss + self.weight * divergence(target, soft_assignment(code, self.centers)).mean()
            )
        else:
            # Several processes expect a gradient of every weight.
            loss = loss + 0 * self.centers.sum()
        log_training_loss(self, loss)
        return loss

    def begin_epoch(self) -> None:
        """Targets look at how much each cluster was assigned in the last epoch, by all processes."""
        self.mass.copy_(self.trainer.strategy.reduce(self.running, reduce_op="sum"))
        self.running.zero_()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.measure(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Codes, (B, latent_dim)."""
        return self.measure(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cluster numbers, (B,)."""
        return self(batch[0]).argmax(1)

    def measure(self, batch: Batch, stage: str) -> Tensor:
        x, y = self.scale.to_unit(batch[0]), batch[1]
        code = self.encoder(x)
        q = soft_assignment(code, self.centers)
        error = (self.decoder(code) - x).square().flatten(1).mean(1)
        # Before there are clusters nothing is to be sharpened.
        pull = (
            divergence(sharpened(q, self.mass), q) if self.mass.any() else torch.zeros_like(error)
        )
        metrics: Any = self.metrics[stage]
        metrics["loss"].update(error + self.weight * pull)
        metrics["reconstruction"].update(error)
        for name in SCORES:
            metrics[name].update(q.argmax(1), y)
        return code

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="purity")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="purity")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [ClusterMap(), ClusterTable()] if self.trainer.testing else []

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test scores of one cluster for all, and of scikit-learn's k-means on the samples themselves."""
        sizes = {"clusters": self.clusters, "classes": self.num_classes}
        found = baselines(lambda x: self.scale.to_unit(x).flatten(1), data, **sizes)
        names = [f"test/{name}" for name in SCORES]
        return {key: {name: values[name] for name in names} for key, values in found.items()}
