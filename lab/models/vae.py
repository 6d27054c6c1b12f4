"""Variational autoencoder: compression to a latent vector that can also be drawn at random.

Batch: x of shape (B, *input_shape) and whatever else, which is not looked at. The encoder maps x to mean and
log-variance of the codes, (B, 2 * latent_dim), the decoder codes to what the likelihood needs of each pixel.
All is in nats per image, of pixels in [0, 1], black to white.
Run:   python training/run_experiment.py --model VAE --model.latent_dim 2
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lab.errors import LabError, nearest
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
from lab.models.variational import (
    Bernoulli,
    Gaussian,
    gaussian_kl,
    log_mean_weight,
    log_ratio,
)
from lab.seeding import mixed_seed

Batch = tuple[Tensor, ...]
Likelihood = Literal["bernoulli", "gaussian"]
LIKELIHOODS: dict[str, type[Bernoulli | Gaussian]] = {"bernoulli": Bernoulli, "gaussian": Gaussian}


class VAE(pl.LightningModule):
    """A few random numbers from which a decoder draws images (Kingma & Welling 2014); ELBO, samples.

    The loss is reconstruction + beta KL: with beta 1 it is the negative ELBO, a bound on -log p(x). At the
    test the tighter importance-weighted bound (Burda et al. 2016) stands beside it.

    Args:
        input_shape: shape of one sample, from the data module.
        input_range: what black and white are in a batch, from the data module.
        encoder: builds the net that maps (B, *input_shape) to (B, 2 * latent_dim).
        decoder: builds the net that maps codes to samples, see `lab.models.decoders`.
        latent_dim: numbers in a code.
        beta: weight of the KL divergence in the loss (Higgins et al. 2017).
        likelihood: of a pixel given the code: bernoulli for black and white (grey is taken as a share of
            white), or gaussian with a variance that is learned.
        importance_samples: codes per image in the importance-weighted bound.
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
        beta: float = 1.0,
        likelihood: Likelihood = "bernoulli",
        importance_samples: int = 50,
        lr: float = 1e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
    ) -> None:
        super().__init__()
        for name, value in (("latent_dim", latent_dim), ("importance_samples", importance_samples)):
            if value < 1:
                raise LabError(f"--model.{name} {value}: choose 1 or more")
        if not beta >= 0:
            raise LabError(f"--model.beta {beta}: choose 0 or more; 1 is the ELBO")
        if likelihood not in LIKELIHOODS:
            close = nearest(likelihood, get_args(Likelihood))
            raise LabError(f"--model.likelihood {likelihood}: no such choice.\nNearest: {close}")
        if input_range is None and likelihood == "bernoulli":
            raise LabError(
                "--model.likelihood bernoulli is for pixels, and the data state no black and white: "
                "choose gaussian"
            )
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.input_shape, self.latent_dim = tuple(input_shape), latent_dim
        self.beta, self.importance_samples = beta, importance_samples
        self.scale = units(input_range)
        self.encoder = build_net(encoder, input_shape, 2 * latent_dim, option="encoder")
        self.decoder = build_decoder(decoder, latent_dim, input_shape)
        self.likelihood = LIKELIHOODS[likelihood]()
        self.metrics = nn.ModuleDict(
            {stage: self.build_metrics(stage) for stage in ("val", "test")}
        )

    def build_metrics(self, stage: str) -> nn.ModuleDict:
        """Metrics of one stage, exact over uneven batches and processes."""
        names = ["loss", "elbo", "kl", "reconstruction"] + ["iw_bound"] * (stage == "test")
        return nn.ModuleDict({name: MeanMetric() for name in names})

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def encode(self, x: Tensor) -> Tensor:
        """Mean codes (B, latent_dim) of a batch as the data give it."""
        return self.posterior(x)[0]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the codes, (B, latent_dim) each."""
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        return mean, log_var

    def decode(self, codes: Tensor) -> Tensor:
        """Expected images (B, *input_shape) in shares of white."""
        return self.likelihood.mean(self.decoder(codes))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        unit = self.scale.to_unit(batch[0])
        mean, log_var = self.posterior(batch[0])
        reconstruction, kl = self.terms(unit, mean, log_var, torch.randn_like(mean))
        loss = (reconstruction + self.beta * kl).mean()
        log_training_loss(self, loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.measure(batch, batch_idx, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean codes, for the figures."""
        return self.measure(batch, batch_idx, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean codes, (B, latent_dim)."""
        return self.encode(batch[0])

    def terms(
        self, unit: Tensor, mean: Tensor, log_var: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Reconstruction error -log p(x | z) of one code and KL divergence, (B,) each."""
        codes = mean + (log_var / 2).exp() * noise
        error = -self.likelihood.log_likelihood(unit, self.decoder(codes))
        return error, gaussian_kl(mean, log_var)

    def measure(self, batch: Batch, batch_idx: int, stage: str) -> Tensor:
        """Update the metrics of a stage; mean codes."""
        x = batch[0]
        metrics: Any = self.metrics[stage]
        unit = self.scale.to_unit(x)
        mean, log_var = self.posterior(x)
        # Noise of its own, so that the same weights always measure the same.
        random = torch.Generator(mean.device).manual_seed(mixed_seed(batch_idx, self.global_rank))
        noise = torch.empty_like(mean).normal_(generator=random)
        reconstruction, kl = self.terms(unit, mean, log_var, noise)
        values = {
            "loss": reconstruction + self.beta * kl,
            "elbo": -reconstruction - kl,
            "kl": kl,
            "reconstruction": reconstruction,
        }
        if stage == "test":
            values["iw_bound"] = self.importance_bound(unit, mean, log_var, random)
        for name, value in values.items():
            metrics[name].update(value)
        return mean

    def importance_bound(
        self, unit: Tensor, mean: Tensor, log_var: Tensor, random: torch.Generator
    ) -> Tensor:
        """The importance-weighted bound on log p(x), (B,); codes are drawn some at a time."""
        drawn = []
        at_once = max(1, 4096 // len(mean))
        for start in range(0, self.importance_samples, at_once):
            count = min(at_once, self.importance_samples - start)
            noise = mean.new_empty(count, *mean.shape).normal_(generator=random)
            codes = mean + (log_var / 2).exp() * noise
            outputs = self.decoder(codes.flatten(0, 1)).unflatten(0, (count, -1))
            drawn.append(
                self.likelihood.log_likelihood(unit, outputs) - log_ratio(codes, noise, log_var)
            )
        return log_mean_weight(torch.cat(drawn))

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="elbo")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="elbo")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        if not self.trainer.testing:
            return []
        return figures_of_codes(self.input_shape, self.latent_dim, prior=True)

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics without a code: every pixel for itself, as it was in training."""
        mean, covariance = pca.mean_and_covariance(pca.chunks(data.train_set, data, self.scale))
        likelihood, outputs = type(self.likelihood).constant(
            mean, covariance.diagonal(), len(data.train_set)
        )
        parts = pca.chunks(data.test_set, data, self.scale)
        with torch.no_grad():
            each = torch.cat(
                [likelihood.double().log_likelihood(x, outputs.expand_as(x)) for x in parts]
            )
        elbo = each.mean().item()
        bounds = {"test/elbo": elbo, "test/iw_bound": elbo, "test/kl": 0.0}
        return {"no code": {"test/loss": -elbo, "test/reconstruction": -elbo, **bounds}}
