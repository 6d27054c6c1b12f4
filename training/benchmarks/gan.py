"""A GAN of MLPs on a ring of Gaussians by the script / the same by hand over tensors in memory, no average.

The script also validates, logs, keeps checkpoints and an averaged generator.
"""

import copy
import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import SLOW, alternate, compare, last_epoch
from lab.data.gaussians import Gaussians

BATCH, NOISE, PENALTY = 128, 2, 0.1
OPTIONS = ["--data=Gaussians", "--data.points=20000", "--model=GAN", "--trainer.accelerator=cpu"]
OPTIONS += [f"--data.batch_size={BATCH}", f"--model.latent_dim={NOISE}"]
OPTIONS += [f"--model.penalty={PENALTY}", f"--trainer.callbacks+={__name__}.Start"]


class Start(pl.Callback):
    """The two nets and their optimizers before training."""

    nets: tuple[nn.Module, nn.Module]
    optimizers: list[torch.optim.Optimizer]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        both = (pl_module.generator, pl_module.discriminator)
        Start.nets, Start.optimizers = copy.deepcopy((both, trainer.optimizers))


def by_hand(nets: Any, optimizers: Any, x: Tensor) -> tuple[float, float]:
    """Train for an epoch on points (N, 2); the losses of discriminator and generator at its last step."""
    generator, discriminator = nets
    for rows in torch.randperm(len(x)).split(BATCH):
        real = x[rows].requires_grad_()
        fake = generator(torch.randn(len(rows), NOISE))
        logits = discriminator(real)
        loss = F.softplus(-logits).mean() + F.softplus(discriminator(fake.detach())).mean()
        (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        optimizers[1].zero_grad()
        (loss + PENALTY / 2 * slope.square().sum(1).mean()).backward()
        optimizers[1].step()
        discriminator.requires_grad_(False)
        own_loss = F.softplus(-discriminator(fake)).mean()
        optimizers[0].zero_grad()
        own_loss.backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)
    return loss.item(), own_loss.item()


def rows(repeats: int) -> Iterator[dict]:
    """CPU seconds of the second epoch, from the same start."""
    data = Gaussians(points=20_000)
    data.setup("fit")
    (x, _) = data.train_set.tensors

    def theirs() -> float:
        os.environ.pop(SLOW, None)
        nets, optimizers = copy.deepcopy((Start.nets, Start.optimizers))
        for _ in range(2):
            started = time.process_time()
            by_hand(nets, optimizers, x)
        return time.process_time() - started

    ours = partial(last_epoch, time.process_time, 2, *OPTIONS)
    yield compare("GAN epoch / by hand", "CPU s", *alternate(repeats, ours, theirs))
