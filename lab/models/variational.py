"""The mathematics of variational autoencoders: densities, KL divergence, bounds; all in nats per sample.

Source: Kingma & Welling, "Auto-encoding variational Bayes", 2014; Burda, Grosse, Salakhutdinov,
"Importance weighted autoencoders", 2016.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOG_TWO_PI = math.log(2 * math.pi)


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL divergence from N(mean, exp(log_var)) to N(0, 1), summed over the last axis."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)


def gaussian_log_density(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(x; mean, exp(log_var)) of each number."""
    return -0.5 * (LOG_TWO_PI + log_var + (x - mean).square() * (-log_var).exp())


def bernoulli_log_mass(x: Tensor, logits: Tensor) -> Tensor:
    """Log-probability of each number x in {0, 1}; between them it is interpolated."""
    return x * logits - F.softplus(logits)


def log_ratio(codes: Tensor, noise: Tensor, log_var: Tensor) -> Tensor:
    """log q(z | x) - log p(z) of codes z = mean + exp(log_var / 2) noise, summed over the last axis."""
    return 0.5 * (codes.square() - noise.square() - log_var).sum(-1)


def log_mean_weight(log_weights: Tensor) -> Tensor:
    """The importance-weighted bound (B,) on log p(x), from log p(x, z) - log q(z | x) of K codes (K, B).

    It is the ELBO for one code, and never falls in expectation as they become more.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


class Bernoulli(nn.Module):
    """Each pixel is white with a probability of its own; outputs of the decoder are its log-odds.

    For grey pixels this is the cross entropy, which is no logarithm of a density.
    """

    def log_likelihood(self, unit: Tensor, outputs: Tensor) -> Tensor:
        """Of samples (B, ...) in [0, 1] given outputs of their shape, or of K such, (K, B, ...)."""
        return bernoulli_log_mass(unit, outputs).flatten(1 - unit.dim()).sum(-1)

    def mean(self, outputs: Tensor) -> Tensor:
        """The expected sample."""
        return outputs.sigmoid()

    @classmethod
    def constant(cls, mean: Tensor, variance: Tensor, count: int) -> tuple["Bernoulli", Tensor]:
        """The likelihood and the outputs, the same for every sample, that suit `count` samples best.

        One white and one black sample are added (Laplace), so that what never occurs is merely unlikely.
        """
        return cls(), ((mean * count + 1) / (count + 2)).logit()


class Gaussian(nn.Module):
    """Normal around the decoder's outputs, with one variance for all, learned (Rybkin et al. 2021)."""

    def __init__(self, log_var: float = -2.0) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.tensor(log_var))

    def log_likelihood(self, unit: Tensor, outputs: Tensor) -> Tensor:
        """Of samples (B, ...) given outputs of their shape, or of K such, (K, B, ...)."""
        density = gaussian_log_density(unit, outputs, self.log_var)
        return density.flatten(1 - unit.dim()).sum(-1)

    def mean(self, outputs: Tensor) -> Tensor:
        """The expected sample."""
        return outputs

    @classmethod
    def constant(cls, mean: Tensor, variance: Tensor, count: int) -> tuple["Gaussian", Tensor]:
        """The likelihood and the outputs, the same for every sample, that suit samples best."""
        return cls(variance.mean().log().item()), mean
