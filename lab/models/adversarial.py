"""The mathematics of a generator against a discriminator, and what such training asks of a trainer."""

import math
from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn import functional as F

from lab.errors import LabError, nearest

Objective = Literal["non_saturating", "hinge"]


def loss_on_data(objective: Objective, logits: Tensor) -> Tensor:
    """The discriminator's loss of its logits (B,) on data, -ln D or hinge (Lim & Ye 2017)."""
    return (F.relu(1 - logits) if objective == "hinge" else F.softplus(-logits)).mean()


def loss_on_samples(objective: Objective, logits: Tensor) -> Tensor:
    """The discriminator's loss of its logits (B,) on samples, -ln (1 - D) or hinge.

    With that on data it is 2 ln 2 (hinge: 2) for a discriminator that can't tell one from the other.
    """
    return (F.relu(1 + logits) if objective == "hinge" else F.softplus(logits)).mean()


def generator_loss(objective: Objective, logits: Tensor) -> Tensor:
    """The generator's loss of the discriminator's logits (B,) on its samples.

    Non-saturating is -ln D instead of ln (1 - D), whose gradient vanishes when samples are easily told from
    data (Goodfellow et al. 2014).
    """
    return -logits.mean() if objective == "hinge" else F.softplus(-logits).mean()


def gradient_penalty(logits: Tensor, real: Tensor) -> Tensor:
    """Mean squared length of the gradient of logits (B,) at the data (B, ...), R1 (Mescheder et al. 2018)."""
    (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return slope.flatten(1).square().sum(1).mean()


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """Move the weights of `average` towards those of `net`, faster in the first steps."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), share)
    for mean, value in zip(average.buffers(), net.buffers(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, share)
        else:
            mean.copy_(value)


def check_trainer(trainer: pl.Trainer) -> None:
    """Raise LabError when the trainer is asked for what two optimizers in turn do not allow."""
    settings: dict[str, Any] = {
        "gradient_clip_val": trainer.gradient_clip_val,
        "accumulate_grad_batches": trainer.accumulate_grad_batches not in (None, 1),
    }
    for name, value in settings.items():
        if value:
            raise LabError(
                f"--trainer.{name} is not for a GAN, whose two nets take their steps in turn.\n"
                "Lower --model.lr, raise --model.penalty or --data.batch_size instead."
            )
    if trainer.world_size == 1:
        return
    strategy = trainer.strategy
    told = isinstance(strategy, DDPStrategy) and strategy._ddp_kwargs.get("find_unused_parameters")
    if not told:
        raise LabError(
            "several processes train a GAN only with "
            "--trainer.strategy ddp_find_unused_parameters_true:\n"
            "each of its two nets takes its step without the other."
        )


def check_options(
    objective: str, latent_dim: int, penalty: float, decay: float, num_samples: int
) -> None:
    """Raise LabError when one of the options is out of range."""
    if objective not in get_args(Objective):
        close = nearest(objective, get_args(Objective))
        raise LabError(f"--model.objective {objective}: no such objective.\nNearest: {close}")
    if latent_dim < 1:
        raise LabError(f"--model.latent_dim {latent_dim}: choose 1 or more")
    if not 0 <= penalty < math.inf:
        raise LabError(f"--model.penalty {penalty}: choose 0 (none) or more")
    if not 0 <= decay < 1:
        raise LabError(f"--model.decay {decay}: choose 0 (no average) to below 1")
    if num_samples < 2:
        raise LabError(f"--model.num_samples {num_samples}: choose 2 or more")
