"""A generative adversarial net on one Gaussian in the plane, where success can be measured.

Points are (n, 2). The generator maps noise (n, 2) to points; the discriminator maps points to one logit each,
(n, 1), the log odds that a point is real.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

MEAN = torch.tensor([1.0, -2.0])
ROOT = torch.tensor([[1.5, 0.0], [0.8, 0.6]])


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross entropy of "real" for real points plus that of "fake" for generated ones, each a mean: a scalar.

    Finite for logits of any size; the two batches may differ in length.
    """
    # >>> solution: return the sum of the two mean cross entropies, a scalar tensor
    real = nn.functional.softplus(-real_logits).mean()
    fake = nn.functional.softplus(fake_logits).mean()
    return real + fake
    # <<< solution


def generator_loss(fake_logits: Tensor) -> Tensor:
    """The non-saturating loss: the mean of -log D(fake), where D is the sigmoid of the logit; a scalar."""
    # >>> solution: return the mean non-saturating loss, a scalar tensor
    return nn.functional.softplus(-fake_logits).mean()
    # <<< solution


def optimal_discriminator(p: Tensor, q: Tensor) -> Tensor:
    """The best probability "real" where real points have density p and generated ones q: same shape.

    Where both densities are 0 nothing ever comes; say 1/2 there.
    """
    # >>> solution: return the probability of "real" at each place, same shape as p
    return torch.where(p + q > 0, p / (p + q), 0.5)
    # <<< solution


def lowest_loss(p: Tensor, q: Tensor) -> float:
    """The loss of the best discriminator where k outcomes have probabilities p (k,) and q (k,)."""
    # >>> solution: return the lowest discriminator loss, a float; outcomes of probability 0 cost nothing
    best = optimal_discriminator(p, q)
    return float(-(torch.xlogy(p, best) + torch.xlogy(q, 1 - best)).sum())
    # <<< solution


def optimizers(generator: nn.Module, discriminator: nn.Module) -> tuple[Optimizer, Optimizer]:
    """Adam with betas 0.5 and 0.9 for each net: for the generator at rate 2e-3, the discriminator at 2e-2."""
    # >>> solution: return the optimizer of the generator and that of the discriminator
    betas = (0.5, 0.9)
    return (
        torch.optim.Adam(generator.parameters(), lr=2e-3, betas=betas),
        torch.optim.Adam(discriminator.parameters(), lr=2e-2, betas=betas),
    )
    # <<< solution


def discriminator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: Optimizer,
    real: Tensor,
    noise: Tensor,
) -> float:
    """One step of the discriminator; the generator gets neither a new weight nor a gradient.

    Gradients that an earlier step has left behind play no part. Gives the loss before the step.
    """
    # >>> solution: make one step of the discriminator and return its loss, a float
    fake = generator(noise).detach()
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    # <<< solution


def generator_step(
    generator: nn.Module, discriminator: nn.Module, optimizer: Optimizer, noise: Tensor
) -> float:
    """One step of the generator; the discriminator keeps its weights. Gives the loss before the step."""
    # >>> solution: make one step of the generator and return its loss, a float
    fake = generator(noise)
    loss = generator_loss(discriminator(fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    # <<< solution


@dataclass(frozen=True)
class Game:
    """The nets after training; at each step the discriminator's loss and the generator's mean (2,)."""

    generator: nn.Module
    discriminator: nn.Module
    losses: list[float]
    means: Tensor


def real_points(n: int) -> Tensor:
    """n points of the Gaussian of mean MEAN and covariance ROOT ROOT^T, from torch's global generator."""
    return torch.randn(n, 2) @ ROOT.T + MEAN


def train_gan(seed: int, *, steps: int = 1500, batch: int = 128) -> Game:
    """A linear generator against a discriminator of two hidden layers, in turns."""
    torch.manual_seed(seed)
    generator = nn.Linear(2, 2)
    discriminator = nn.Sequential(
        nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
    )
    for_generator, for_discriminator = optimizers(generator, discriminator)
    losses, means = [], []
    for _ in range(steps):
        real, noise = real_points(batch), torch.randn(batch, 2)
        loss = discriminator_step(generator, discriminator, for_discriminator, real, noise)
        generator_step(generator, discriminator, for_generator, torch.randn(batch, 2))
        losses.append(loss)
        means.append(generator.bias.detach().clone())
    return Game(generator, discriminator, losses, torch.stack(means))
