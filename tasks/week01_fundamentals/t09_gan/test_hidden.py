"""Hidden tests of w01.t09: other shapes, the theorem, and a short game."""

import numpy as np
import torch

from tasks.labs import checking


def test_lowest_loss_is_the_jensen_shannon_divergence(impl, rng):
    """2 ln 2 minus twice the divergence, for random distributions over 9 outcomes."""
    p, q = rng.dirichlet(np.ones(9)), rng.dirichlet(np.full(9, 0.3))
    middle = (p + q) / 2
    divergence = (np.sum(p * np.log(p / middle)) + np.sum(q * np.log(q / middle))) / 2
    got = impl.lowest_loss(torch.tensor(p), torch.tensor(q))
    why = "Put p / (p + q) into the loss and compare with the definition of the divergence."
    want = 2 * np.log(2) - 2 * divergence
    checking.close(got, want, rtol=1e-6, concept="lowest-loss", why=why)


def test_optimal_discriminator_of_two_gaussians(impl):
    """Densities of N(0, 1) and N(2, 1): the log odds are the line 2 - 2x."""
    x = torch.linspace(-3, 5, 17).double()
    p, q = torch.exp(-(x**2) / 2), torch.exp(-((x - 2) ** 2) / 2)
    got = impl.optimal_discriminator(p, q)
    why = "The share of real points among all that come there."
    want = torch.sigmoid(2 - 2 * x)
    checking.close(got, want, rtol=1e-6, concept="optimal-discriminator", why=why)
    checking.alike(got, want, concept="optimal-discriminator", why="Keep shape and dtype.")


def test_losses_are_scalars_for_any_shape(impl, seed):
    """Logits of shape (n,), (n, 1) and (n, 1, 4, 4), float64."""
    torch.manual_seed(seed % 2**31)
    for shape in ((6,), (6, 1), (6, 1, 4, 4)):
        real, fake = (torch.randn(shape, dtype=torch.float64) for _ in range(2))
        want = torch.log1p(torch.exp(-real)).mean() + torch.log1p(torch.exp(fake)).mean()
        got = impl.discriminator_loss(real, fake)
        why = "One mean over all logits of a batch."
        checking.close(got, want, rtol=1e-6, concept="sum-of-two-means", why=why)
        checking.alike(got, want, concept="sum-of-two-means", why="A scalar in the logits' dtype.")


def test_short_game_moves_towards_the_mean(impl, run_seed):
    """300 steps bring the generator's mean nearer."""
    game = impl.train_gan(run_seed + 50, steps=300)
    far = [(mean - impl.MEAN).norm().item() for mean in game.means[[0, -1]]]
    why = "Each step of the generator goes where the discriminator says real."
    words = f"below {0.9 * far[0]:.3f}"
    checking.that(far[1] < 0.9 * far[0], concept="same-mean", why=why, expected=words, got=far[1])
