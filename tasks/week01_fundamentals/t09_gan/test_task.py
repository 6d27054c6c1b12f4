"""Public tests of w01.t09."""

import numpy as np
import pytest
import torch
from torch import nn

from tasks.labs import checking

LN2 = float(np.log(2))


def nets(seed):
    """A small generator and discriminator, and batches of real points (7, 2) and noise (5, 2)."""
    torch.manual_seed(seed % 2**31)
    generator = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    discriminator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    return generator, discriminator, torch.randn(7, 2), torch.randn(5, 2)


def weights(net):
    return torch.cat([one.detach().clone().flatten() for one in net.parameters()])


def slopes(loss, net):
    return torch.cat([one.flatten() for one in torch.autograd.grad(loss, list(net.parameters()))])


def cross_entropy(logits, label):
    return nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def one_step(net, before, slope):
    """The net has moved by half of its slope, downhill, after gradients of 1 had been left in it."""
    got = weights(net)
    why = "Nothing has moved: the gradient has to arrive (no detach on its way), and the optimizer to step."
    moved = not torch.equal(got, before)
    checking.that(moved, concept="step-made", why=why, expected="new weights", got="the old ones")
    for wrong, concept, why in (
        (
            slope + 1,
            "zero-grad",
            "Gradients of an earlier step were still there: clear them first.",
        ),
        (-slope, "downhill", "Each net lowers a loss of its own: mind the sign."),
    ):
        there = torch.allclose(got, before - 0.5 * wrong, rtol=1e-4, atol=1e-6)
        checking.that(not there, concept=concept, why=why, expected="one step downhill", got=got)
    why = "One step of the optimizer, by the gradient of this net's own loss on the points given."
    want = before - 0.5 * slope
    checking.close(got, want, rtol=1e-4, atol=1e-6, concept="own-loss", why=why)


@pytest.fixture(scope="module")
def game(impl, run_seed):
    """A whole training of 1500 steps."""
    return impl.train_gan(run_seed)


def test_discriminator_that_knows_nothing_loses_2_ln_2(impl):
    """Logits of zero: ln 2 for the real points and ln 2 for the generated ones."""
    why = "Add the two means; no half, and no mean over both batches at once."
    got = impl.discriminator_loss(torch.zeros(6, 1), torch.zeros(2, 1))
    checking.close(got, 2 * LN2, rtol=1e-6, concept="sum-of-two-means", why=why)


def test_discriminator_loss_of_a_case_by_hand(impl):
    """D says 3/4 of a real point and 1/4 of a fake one: both are right, and each costs ln 4/3."""
    odds = float(np.log(3))
    real, fake = torch.tensor([[odds]]), torch.tensor([[-odds]])
    why = "Real points carry the label 1, generated ones the label 0: being right has to be cheap."
    got = impl.discriminator_loss(real, fake)
    checking.close(got, 2 * np.log(4 / 3), rtol=1e-5, concept="labels", why=why)


def test_losses_agree_with_torch(impl, seed):
    """Random logits, batches of unlike length, and what comes from above passed on."""
    torch.manual_seed(seed % 2**31)
    real, fake = torch.randn(8, 1, requires_grad=True), (2 * torch.randn(3, 1)).requires_grad_()
    want = cross_entropy(real, 1.0) + cross_entropy(fake, 0.0)
    got = impl.discriminator_loss(real, fake)
    why = "A mean over each batch, then the sum."
    checking.close(got, want, rtol=1e-5, concept="sum-of-two-means", why=why)
    expected = torch.autograd.grad(-3 * want, [real, fake])
    why = "Stay with tensors: the gradient has to reach both batches of logits."
    flows = getattr(got, "requires_grad", False)
    checking.that(flows, concept="gradient-flows", why=why, expected="a gradient", got=got)
    reached = torch.autograd.grad(-3 * got, [real, fake], allow_unused=True)
    for found, wanted in zip(reached, expected, strict=True):
        expected_text = "a gradient for each of the two batches"
        arrived = found is not None
        checking.that(
            arrived, concept="gradient-flows", why=why, expected=expected_text, got="none for one"
        )
        checking.close(found, wanted, rtol=1e-4, concept="gradient-flows", why=why)
    got, want = impl.generator_loss(fake), cross_entropy(fake, 1.0)
    why = "The generator wants its points called real: the mean of -log D."
    checking.close(got, want, rtol=1e-5, concept="non-saturating", why=why)


def test_generator_that_is_found_out_still_learns(impl):
    """At logits of -20 the discriminator is sure, and the slope of the loss is -1/n all the same."""
    logits = torch.full((4, 1), -20.0, requires_grad=True)
    impl.generator_loss(logits).backward()
    why = "log(1 - D) is flat where D is near 0, just where the generator is worst: use -log D instead."
    want = torch.full((4, 1), -0.25)
    checking.close(logits.grad, want, rtol=1e-5, concept="non-saturating", why=why)


def test_losses_of_extreme_logits(impl):
    """A confident error costs as much as its logit, and not infinity."""
    high, low = torch.tensor([[300.0]]), torch.tensor([[-300.0]])
    why = "A sigmoid rounds to 0 or 1 and its log is lost: compute from the logit itself."
    for got, want in (
        (impl.discriminator_loss(low, high), 600.0),
        (impl.discriminator_loss(high, low), 0.0),
        (impl.generator_loss(low), 300.0),
    ):
        checking.close(got, want, concept="log-of-zero", why=why)


def test_optimal_discriminator_by_hand(impl):
    """Where real points are three times as dense it says 3/4; where nothing ever comes, 1/2."""
    p, q = torch.tensor([0.3, 0.0, 0.2, 0.0]), torch.tensor([0.1, 0.5, 0.0, 0.0])
    why = "Of all points that come at a place, the share of real ones is p / (p + q)."
    with checking.untouched(p, q, why="Compute on copies."):
        got = impl.optimal_discriminator(p, q)
    checking.close(got, [0.75, 0.0, 1.0, 0.5], concept="optimal-discriminator", why=why)


def test_no_discriminator_does_better(impl, rng):
    """The lowest loss is that of the best of a thousand probabilities at each outcome."""
    p, q = (torch.tensor(rng.dirichlet(np.ones(5))) for _ in range(2))
    tried = torch.linspace(0.0005, 0.9995, 1000)[:, None].double()
    losses = -(p * tried.log() + q * (1 - tried).log())
    got = impl.lowest_loss(p, q)
    why = "An outcome costs -log D as often as it comes from p, and -log(1 - D) as often as from q."
    want = losses.min(0).values.sum()
    checking.close(got, want, rtol=0, atol=1e-4, concept="lowest-loss", why=why)


def test_lowest_loss_tells_how_alike_two_distributions_are(impl):
    """2 ln 2 = 1.3863 where they are equal, 0 where they share no outcome."""
    p = torch.tensor([0.5, 0.3, 0.2, 0.0])
    got = impl.lowest_loss(p, p.clone())
    why = "Between equal distributions D is 1/2 everywhere: ln 2 from each side."
    checking.close(got, 2 * LN2, rtol=1e-5, concept="lowest-loss", why=why)
    got = impl.lowest_loss(p, torch.tensor([0.0, 0.0, 0.0, 1.0]))
    why = "What never comes costs nothing, though its log is infinite: 0 log 0 counts as 0."
    checking.close(got, 0.0, atol=1e-6, concept="zero-times-infinity", why=why)


def test_each_optimizer_has_its_own_net(impl, seed):
    """The generator's at 2e-3, the discriminator's at 2e-2, both with betas 0.5 and 0.9."""
    generator, discriminator, _, _ = nets(seed)
    made = impl.optimizers(generator, discriminator)
    why = "An optimizer moves what it is given: one net each, generator first."
    for optimizer, net, rate in zip(made, (generator, discriminator), (2e-3, 2e-2), strict=True):
        held = [id(one) for group in optimizer.param_groups for one in group["params"]]
        right = sorted(held) == sorted(id(one) for one in net.parameters())
        checking.that(right, concept="whose-weights", why=why, got=f"{len(held)} parameters")
        settings = optimizer.param_groups[0]
        got = (settings["lr"], tuple(settings["betas"]))
        checking.equal(got, (rate, (0.5, 0.9)), concept="rates", why="Rates and betas as given.")


def test_step_of_the_discriminator(impl, seed):
    """It moves down its own slope alone, whatever gradients were left, and the generator hears nothing."""
    generator, discriminator, real, noise = nets(seed)
    loss = cross_entropy(discriminator(real), 1.0) + cross_entropy(
        discriminator(generator(noise)), 0.0
    )
    start, slope = weights(discriminator), slopes(loss, discriminator)
    before = weights(generator)
    for one in discriminator.parameters():
        one.grad = torch.ones_like(one)
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.5)
    value = impl.discriminator_step(generator, discriminator, optimizer, real, noise)
    one_step(discriminator, start, slope)
    quiet = all(one.grad is None for one in generator.parameters())
    why = "Generated points are data here: cut them from the graph before the discriminator sees them."
    checking.that(quiet, concept="detach", why=why, expected="no gradient in the generator")
    checking.equal(weights(generator), before, concept="detach", why=why)
    why = "Give the loss before the step, as a plain number."
    checking.equal(type(value).__name__, "float", concept="loss-value", why=why)
    checking.close(value, loss.item(), rtol=1e-5, concept="loss-value", why=why)


def test_step_of_the_generator(impl, seed):
    """It moves down its own slope, through a discriminator that keeps its weights."""
    generator, discriminator, _, noise = nets(seed)
    loss = cross_entropy(discriminator(generator(noise)), 1.0)
    start, slope = weights(generator), slopes(loss, generator)
    before = weights(discriminator)
    for one in generator.parameters():
        one.grad = torch.ones_like(one)
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.5)
    value = impl.generator_step(generator, discriminator, optimizer, noise)
    one_step(generator, start, slope)
    why = "The generator's step moves the generator only."
    checking.equal(weights(discriminator), before, concept="whose-weights", why=why)
    ready = all(one.requires_grad for one in discriminator.parameters())
    why = "The discriminator learns again in the next step: leave it as it was, not frozen."
    checking.that(ready, concept="left-as-it-was", why=why, expected="a net that can train")
    why = "Give the loss before the step, as a plain number."
    checking.equal(type(value).__name__, "float", concept="loss-value", why=why)
    checking.close(value, loss.item(), rtol=1e-5, concept="loss-value", why=why)


def test_generator_matches_mean_and_covariance(impl, game):
    """After 1500 steps the generated Gaussian is the real one, up to a tenth or so."""
    with torch.no_grad():
        corner, steps = game.generator(torch.zeros(1, 2)), game.generator(torch.eye(2))
    error = (corner[0] - impl.MEAN).norm().item()
    why = "A mean that stays away: does the generator lower its loss, against a discriminator that learns?"
    checking.that(error < 0.15, concept="same-mean", why=why, expected="below 0.15", got=error)
    root = (steps - corner).T
    real = impl.ROOT @ impl.ROOT.T
    error = ((root @ root.T - real).norm() / real.norm()).item()
    why = "Means alike are not enough: the discriminator sees shape too, if both nets learn."
    checking.that(error < 0.15, concept="same-shape", why=why, expected="below 0.15", got=error)


def test_discriminator_ends_where_it_knows_nothing(game):
    """It wins at first, and its loss ends at 2 ln 2: real and generated points cannot be told apart."""
    early, late = min(game.losses[:100]), float(np.mean(game.losses[-200:]))
    why = "At first the points are far apart, and a discriminator that learns tells them with ease."
    checking.that(early < 0.9, concept="learns-to-judge", why=why, expected="below 0.9", got=early)
    why = "Where both distributions are equal the best loss is 2 ln 2."
    checking.close(late, 2 * LN2, rtol=0, atol=0.02, concept="equilibrium", why=why)
