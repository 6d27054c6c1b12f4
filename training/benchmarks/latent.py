"""A VAE of MLPs on MNIST by the script / the same by hand over tensors in memory."""

import copy
import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import SLOW, Clock, alternate, compare, last_epoch
from lab.data.mnist import MNIST

BATCH, LATENTS = 128, 20
OPTIONS = ["--model=VAE", f"--model.latent_dim={LATENTS}", "--trainer.accelerator=cpu"]
OPTIONS += ["--data=MNIST", f"--data.batch_size={BATCH}", "--trainer.limit_test_batches=2"]


def negative_elbo(encoder: nn.Module, decoder: nn.Module, x: Tensor, unit: Tensor) -> Tensor:
    """The loss of standardised images `x`, the same in [0, 1] being `unit`."""
    mean, log_var = encoder(x).chunk(2, dim=1)
    logits = decoder(mean + torch.randn_like(mean) * (log_var / 2).exp())
    error = F.binary_cross_entropy_with_logits(logits, unit, reduction="sum")
    kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum()
    return (error + kl) / len(x)


def by_hand(nets: Any, optimizer: torch.optim.Optimizer, *tensors: Tensor) -> float:
    """Train for an epoch on (x, unit), then the loss summed over the validation (x, unit)."""
    encoder, decoder = nets["encoder"], nets["decoder"]
    x, unit, val_x, val_unit = tensors
    for rows in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        negative_elbo(encoder, decoder, x[rows], unit[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        pairs = zip(val_x.split(BATCH), val_unit.split(BATCH), strict=True)
        return sum(negative_elbo(encoder, decoder, *pair).item() * len(pair[0]) for pair in pairs)


def rows(repeats: int) -> Iterator[dict]:
    """CPU seconds of the second epoch with its validation, from the same start."""
    data: Any = MNIST()
    data.setup("fit")
    tensors = []
    for part in (data.train_set, data.val_set):
        (x, _), (low, high) = data.batch_transform(part.tensors), data.input_range
        tensors += [x, (x - low[0]) / (high[0] - low[0])]

    def theirs() -> float:
        os.environ.pop(SLOW, None)
        nets, optimizer = copy.deepcopy(Clock.start)
        for _ in range(2):
            started = time.process_time()
            by_hand(nets, optimizer, *tensors)
        return time.process_time() - started

    ours = partial(last_epoch, time.process_time, 2, *OPTIONS)
    yield compare("VAE epoch / by hand", "CPU s", *alternate(repeats, ours, theirs))
