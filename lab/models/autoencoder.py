"""Compression to a latent vector: an autoencoder with any two nets.

Batch: x of shape (B, *input_shape) and whatever else, which is not looked at. The encoder maps x to codes
(B, latent_dim), the decoder codes to x in [0, 1], black to white.
Run:   python training/run_experiment.py --model Autoencoder --model.latent_dim 2
"""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from lab.errors import LabError
from lab.figures.latent import figures_of_codes
from lab.models import pca
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.decoders import DecoderBuilder, build_decoder
from lab.models.logging import log_metrics, log_training_loss
from lab.models.pixels import InputRange, units

Batch = tuple[Tensor, ...]


class Autoencoder(pl.LightningModule):
    """A few numbers from which a decoder can draw the image again, by squared error; beside PCA.

    With linear nets it finds the plane of PCA (Baldi & Hornik 1989). Data without bounds, such as points,
    are measured in their own units.

    Args:
        input_shape: shape of one sample, from the data module.
        input_range: what black and white are in a batch, from the data module.
        encoder: builds the net that maps (B, *input_shape) to codes (B, latent_dim).
        decoder: builds the net that maps codes to samples, see `lab.models.decoders`.
        latent_dim: numbers in a code.
        noise: standard deviation of what is added to the encoder's input in training, in the units of the
            batch; the decoder is still to give the clean sample (Vincent et al. 2008).
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: an option out of range.
    """

    defaults = {"data": "Digits", "encoder": "MLP", "decoder": "MLP"}

    def __init__(
        self,
        input_shape: Sequence[int],
        input_range: InputRange | None,
        encoder: NetBuilder,
        decoder: DecoderBuilder,
        *,
        latent_dim: int = 2,
        noise: float = 0.0,
        lr: float = 1e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
    ) -> None:
        super().__init__()
        if latent_dim < 1:
            raise LabError(f"--model.latent_dim {latent_dim}: choose 1 or more")
        if not noise >= 0:
            raise LabError(f"--model.noise {noise}: choose 0 or more")
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.input_shape, self.latent_dim = tuple(input_shape), latent_dim
        self.noise = noise
        self.scale = units(input_range)
        self.encoder = build_net(encoder, input_shape, latent_dim, option="encoder")
        self.decoder = build_decoder(decoder, latent_dim, input_shape)
        self.metrics = nn.ModuleDict(
            {stage: nn.ModuleDict({"loss": MeanMetric()}) for stage in ("val", "test")}
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def encode(self, x: Tensor) -> Tensor:
        """Codes (B, latent_dim) of a batch as the data give it."""
        return self.encoder(x)

    def decode(self, codes: Tensor) -> Tensor:
        """Images (B, *input_shape) in shares of white."""
        return self.decoder(codes)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "train")[0]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Codes, for the figures."""
        return self._step(batch, "test")[1]

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Codes, (B, latent_dim)."""
        return self.encode(batch[0])

    def _step(self, batch: Batch, stage: str) -> tuple[Tensor, Tensor]:
        x = batch[0]
        noisy = stage == "train" and self.noise > 0
        codes = self.encode(x + self.noise * torch.randn_like(x) if noisy else x)
        loss = F.mse_loss(self.decode(codes), self.scale.to_unit(x))
        if stage == "train":
            log_training_loss(self, loss)
        else:
            metrics: Any = self.metrics[stage]
            metrics["loss"].update(loss, len(x))
        return loss, codes

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="loss")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="loss")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        return figures_of_codes(self.input_shape, self.latent_dim) if self.trainer.testing else []

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test errors of PCA with as many numbers, and of the mean image; both know the training part."""
        mean, covariance = pca.mean_and_covariance(pca.chunks(data.train_set, data, self.scale))
        axes = pca.principal_axes(covariance, self.latent_dim)
        return {
            name: {
                "test/loss": pca.projection_error(
                    pca.chunks(data.test_set, data, self.scale), mean, kept
                )
            }
            for name, kept in (("pca", axes), ("mean", axes[:0]))
        }
