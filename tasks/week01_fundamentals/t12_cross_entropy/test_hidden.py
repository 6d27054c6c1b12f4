"""Hidden tests of w01.t12: other shapes, other numbers."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tasks.labs import checking


def normal(rng, *shape: int) -> torch.Tensor:
    return torch.from_numpy(4 * rng.normal(size=shape))


def test_adding_a_number_changes_nothing(impl, rng):
    """Only differences of logits count."""
    x = normal(rng, 6, 7)
    checking.close(
        impl.log_softmax(x + 1234.5),
        impl.log_softmax(x),
        rtol=1e-8,
        concept="per-slice-max",
        why="exp(c) stands above and below the fraction line.",
    )


@pytest.mark.parametrize("dim", [0, 1, 2, 3, -4])
def test_four_axes(impl, rng, dim):
    """(2, 3, 4, 2) along each axis, a permuted view."""
    x = normal(rng, 4, 2, 2, 3).permute(1, 3, 0, 2)
    checking.close(
        impl.log_softmax(x, dim=dim), F.log_softmax(x, dim=dim), concept="dim", why="Along `dim`."
    )
    checking.close(
        impl.temperature_scale(x, 0.3, dim=dim),
        F.softmax(x / 0.3, dim=dim),
        concept="dim",
        why="Along `dim`.",
    )


def test_single_precision(impl, rng):
    """float32, 300 rows of 50 classes."""
    logits, targets = normal(rng, 300, 50).float(), torch.from_numpy(rng.integers(50, size=300))
    for smoothing in (0.0, 0.2):
        checking.close(
            impl.cross_entropy(logits, targets, smoothing=smoothing),
            F.cross_entropy(logits, targets, label_smoothing=smoothing),
            rtol=1e-4,
            concept="cross-entropy",
            why="As torch does it.",
        )
    leaf = logits.clone().requires_grad_()
    F.cross_entropy(leaf, targets).backward()
    checking.close(
        impl.cross_entropy_grad(logits, targets),
        leaf.grad,
        rtol=1e-4,
        atol=1e-7,
        concept="p-minus-q",
        why="(p - q) / B.",
    )


def test_loss_falls_along_its_gradient(impl, rng):
    """100 steps of descent on the logits of 6 rows learn them by heart."""
    logits, targets = normal(rng, 6, 4) / 4, torch.from_numpy(rng.integers(4, size=6))
    for _ in range(100):
        logits = logits - 6 * impl.cross_entropy_grad(logits, targets)
    checking.that(
        float(impl.cross_entropy(logits, targets)) < 0.05,
        concept="p-minus-q",
        why="Against the gradient the loss falls.",
        expected="below 0.05",
        got=float(impl.cross_entropy(logits, targets)),
    )


def test_smallest_loss_of_ten_classes(impl):
    """0.1 of smoothing over ten classes costs 0.5003 at least; all of it costs ln C."""
    checking.close(
        impl.smallest_loss(10, 0.1),
        -0.91 * math.log(0.91) - 0.09 * math.log(0.01),
        concept="smallest-loss",
        why="Nine classes have 0.01, one has 0.91.",
    )
    checking.close(
        impl.smallest_loss(4, 1.0), math.log(4), concept="smallest-loss", why="q is 1 / C."
    )


def test_no_temperature_is_better(impl, rng):
    """Neither 5 % more nor 5 % less has a smaller loss, for unsure and for far too sure logits."""
    x = normal(rng, 400, 6)
    targets = torch.from_numpy(np.argmax(x.numpy() / 3 + rng.gumbel(size=(400, 6)), axis=1))
    for scale in (0.05, 8.0):
        best = impl.fit_temperature(scale * x, targets)
        losses = [float(F.cross_entropy(scale * x / (best * f), targets)) for f in (0.95, 1, 1.05)]
        checking.that(
            losses[1] <= min(losses),
            concept="best-temperature",
            why="The best temperature has the smallest loss.",
            expected=f"a loss of at most {min(losses):.9f}",
            got=losses[1],
        )


def test_best_temperature_goes_with_the_logits(impl, rng):
    """Four times the logits, four times the temperature."""
    logits = normal(rng, 200, 5)
    chance = rng.gumbel(size=(200, 5))
    targets = torch.from_numpy(np.argmax(logits.numpy() / 2 + chance, axis=1))
    ratio = impl.fit_temperature(4 * logits, targets) / impl.fit_temperature(logits, targets)
    checking.close(
        ratio, 4.0, rtol=0.02, concept="best-temperature", why="Only logits / temperature counts."
    )
