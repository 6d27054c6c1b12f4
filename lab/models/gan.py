"""Generative adversarial net: a generator makes samples, a discriminator tells them from the data.

Batch: x of shape (B, *input_shape), points or images, and labels, which the nets never see. The generator
maps noise (B, latent_dim) to samples, the discriminator samples to one logit each. Inside, images are in
[-1, 1] and points are as they are.
Run:   python training/run_experiment.py -c training/experiments/gan_ring.yaml
"""

import copy
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lab.figures.gan import SamplesOverTime
from lab.models import adversarial
from lab.models.adversarial import Objective
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.decoders import DecoderBuilder, build_decoder
from lab.models.judge import baseline_samples, quality_of, unit_samples
from lab.models.logging import log_training_loss
from lab.models.pixels import InputRange, units
from lab.models.sample_quality import Rows
from lab.seeding import mixed_seed

Batch = tuple[Tensor, ...]


class GAN(pl.LightningModule):
    """Generator against discriminator; distance from the data, modes or classes covered.

    Each training step is one of the discriminator, then one of the generator on the same samples; the
    trainer counts it once. Samples are made by a moving average of the generator (Yaz et al. 2019).
    Several processes need `--trainer.strategy ddp_find_unused_parameters_true`: gradients are averaged,
    noise differs.

    Args:
        input_shape: shape of one sample, from the data module.
        input_range: what black and white are in a batch, from the data module; None for points.
        num_classes: number of classes or modes, from the data module; None for data without labels.
        generator: builds the net that maps (B, latent_dim) to samples, see `lab.models.decoders`.
        discriminator: builds the net that maps samples to logits (B, 1).
        objective: non_saturating or hinge, see `lab.models.adversarial`.
        latent_dim: numbers in the noise of a sample; 16 for images and 2 for points when not given.
        penalty: weight of the squared gradient at the data, without which modes are lost; 0 for none.
        discriminator_lr: of the discriminator, `lr` when not given.
        optimizer: of both nets; Adam with betas 0 and 0.99 when not given.
        warmup: share of all steps in which the learning rates rise.
        decay: share of the averaged generator that is kept at each step.
        num_samples: samples that are measured at each validation and in the test.

    Raises:
        LabError: an option out of range.
    """

    defaults = {"data": "Gaussians", "generator": "MLP", "discriminator": "MLP"}
    monitor = ("val/distance", "min")

    def __init__(
        self,
        input_shape: Sequence[int],
        input_range: InputRange | None,
        num_classes: int | None,
        generator: DecoderBuilder,
        discriminator: NetBuilder,
        *,
        objective: Objective = "non_saturating",
        latent_dim: int | None = None,
        penalty: float = 0.1,
        lr: float = 1e-3,
        discriminator_lr: float | None = None,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
        decay: float = 0.995,
        num_samples: int = 2000,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.bounded = input_range is not None
        if latent_dim is None:
            latent_dim = 16 if self.bounded else 2
        adversarial.check_options(objective, latent_dim, penalty, decay, num_samples)
        # Fused: one call for all weights in place of several for each.
        usual = partial(torch.optim.Adam, betas=(0.0, 0.99), fused=True)
        self.optimization = [
            optimization_options(
                optimizer=optimizer or usual, lr=rate, schedule=schedule, warmup=warmup
            )
            for rate in (lr, lr if discriminator_lr is None else discriminator_lr)
        ]
        self.objective, self.latent_dim, self.penalty = objective, latent_dim, penalty
        self.decay, self.num_samples = decay, num_samples
        self.scale = units(input_range)
        self.generator = build_decoder(generator, latent_dim, input_shape, option="generator")
        self.discriminator = build_net(discriminator, input_shape, 1, option="discriminator")
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.quality = quality_of(input_shape, num_classes, images=self.bounded)
        self.metrics = nn.ModuleDict(
            {
                stage: nn.ModuleDict({"loss_on_data": MeanMetric(), "data": Rows()})
                for stage in ("val", "test")
            }
        )

    def forward(self, noise: Tensor) -> Tensor:
        """Samples for noise (B, latent_dim) as shares of white, or points."""
        return self.to_unit(self.draw(self.average, noise))

    def draw(self, net: nn.Module, noise: Tensor) -> Tensor:
        made = net(noise)
        return made.tanh() if self.bounded else made

    def to_unit(self, inside: Tensor) -> Tensor:
        return (inside + 1) / 2 if self.bounded else inside

    def from_unit(self, unit: Tensor) -> Tensor:
        return 2 * unit - 1 if self.bounded else unit

    def logits(self, inside: Tensor) -> Tensor:
        """The discriminator's opinion, (B,): positive for data."""
        return self.discriminator(inside).flatten()

    def noise(self, count: int, *seeds: int) -> Tensor:
        """Noise (count, latent_dim) that depends on the seeds alone."""
        generator = torch.Generator().manual_seed(mixed_seed(*seeds))
        return torch.randn(count, self.latent_dim, generator=generator).to(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        real = self.from_unit(self.scale.to_unit(batch[0])).detach()
        noise = torch.randn(len(real), self.latent_dim, device=self.device, dtype=real.dtype)
        fake = self.draw(self.generator, noise)
        discriminating = self.step_discriminator(real, fake.detach())
        # Its weights need no gradient now, so none is computed.
        self.discriminator.requires_grad_(False)
        generating = adversarial.generator_loss(self.objective, self.logits(fake))
        self.discriminator.requires_grad_(True)
        log_training_loss(self, discriminating, "train/discriminator_loss")
        log_training_loss(self, generating.detach(), "train/generator_loss")
        self.step_generator(generating)
        return discriminating + generating.detach()

    def step_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """One step towards telling data (B, ...) from samples (B, ...); its loss without the penalty."""
        _, optimizer = self.optimizers(use_pl_optimizer=False)  # type: ignore[misc]
        real.requires_grad_(self.penalty > 0)
        logits, others = self.logits(real), self.logits(fake)
        loss = adversarial.loss_on_data(self.objective, logits)
        loss = loss + adversarial.loss_on_samples(self.objective, others)
        optimizer.zero_grad()
        if self.penalty > 0:
            self.manual_backward(
                loss + self.penalty / 2 * adversarial.gradient_penalty(logits, real)
            )
        else:
            self.manual_backward(loss)
        # By way of the strategy, so that the trainer counts the generator's steps alone.
        self.trainer.strategy.optimizer_step(optimizer, lambda: None)
        return loss.detach()

    def step_generator(self, loss: Tensor) -> None:
        """One step of the generator, its average and the learning rates."""
        optimizer, _ = self.optimizers()  # type: ignore[attr-defined,misc]
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        adversarial.update_average(
            self.average, self.generator, self.decay, self.trainer.global_step
        )
        for scheduler in self.lr_schedulers() or ():  # type: ignore[union-attr]
            scheduler.step()  # type: ignore[call-arg,union-attr]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "test")

    def _step(self, batch: Batch, stage: str) -> None:
        unit, metrics = self.scale.to_unit(batch[0]), self.metrics[stage]
        loss = adversarial.loss_on_data(self.objective, self.logits(self.from_unit(unit)))
        metrics["loss_on_data"].update(loss, len(unit))  # type: ignore[index,operator]
        metrics["data"].update(self.quality.features(unit))  # type: ignore[index,operator]

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """As many samples as the batch has, (B, *input_shape), in the range of the data's batches."""
        seed = int(os.environ.get("PL_GLOBAL_SEED", 0))
        noise = self.noise(len(batch[0]), seed, self.global_rank, batch_idx)
        return self.scale.from_unit(self(noise))

    def on_fit_start(self) -> None:
        self.quality.prepare(self.trainer.datamodule, self.scale)  # type: ignore[attr-defined]

    on_validation_start = on_test_start = on_fit_start

    def on_validation_epoch_end(self) -> None:
        self.log_quality("val")

    def on_test_epoch_end(self) -> None:
        self.log_quality("test")

    def log_quality(self, stage: str) -> None:
        """Log the metrics of samples from noise that is the same every time, the test's being its own."""
        metrics: Any = self.metrics[stage]
        samples = self(self.noise(self.num_samples, ("val", "test").index(stage)))
        found = self.quality.scores(samples, metrics["data"].compute())
        fake = adversarial.loss_on_samples(self.objective, self.logits(self.from_unit(samples)))
        found["discriminator_loss"] = (metrics["loss_on_data"].compute() + fake).item()
        for metric in metrics.values():
            metric.reset()
        for name, value in found.items():
            self.log(f"{stage}/{name}", value, prog_bar=name == "distance", sync_dist=True)

    def configure_optimizers(self) -> Any:
        nets = (self.generator, self.discriminator)
        return [
            build_optimizer(self, parameters=net.parameters(), **options)
            for net, options in zip(nets, self.optimization, strict=True)
        ]

    def configure_callbacks(self) -> list[pl.Callback]:
        if not self.trainer.training:
            return []
        # Before the trainer checks them itself, and refuses at greater length.
        adversarial.check_trainer(self.trainer)
        return [SamplesOverTime()]

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of validation data as if they were samples, and of noise with the data's moments."""
        self.quality.prepare(data, self.scale)
        sets = (data.train_set, data.val_set, data.test_set)
        train, val, test = (unit_samples(data, part, self.scale) for part in sets)
        real = self.quality.features(test)
        found = baseline_samples(train, val, self.num_samples, bounded=self.bounded)
        return {
            name: {f"test/{key}": value for key, value in self.quality.scores(x, real).items()}
            for name, x in found.items()
        }
