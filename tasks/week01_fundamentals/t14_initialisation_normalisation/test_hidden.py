"""Hidden tests of w01.t14: against torch, and at other sizes."""

import numpy as np
import torch

from tasks.labs import checking


def test_norms_against_torch(impl, rng):
    """Three batches through both, in float64."""
    d, gamma, beta = 5, rng.normal(size=5), rng.normal(size=5)
    mean, var = rng.normal(size=d), rng.uniform(0.5, 2, size=d)
    running = impl.Running(mean, var)
    theirs = torch.tensor(mean), torch.tensor(var)
    g, b = torch.tensor(gamma), torch.tensor(beta)
    for training in (True, True, False):
        x = rng.normal(size=(7, d)) * 2 - 1
        want = torch.nn.functional.batch_norm(
            torch.tensor(x), *theirs, g, b, training, momentum=0.25, eps=1e-2
        )
        got, running = impl.batchnorm(
            x, gamma, beta, running, training=training, momentum=0.25, eps=1e-2
        )
        checking.close(got, want, concept="evaluation-mode", why="As torch's batch_norm.")
        checking.close(running[0], theirs[0], concept="running-mean", why="As torch's batch_norm.")
        checking.close(
            running[1], theirs[1], concept="running-variance", why="As torch's batch_norm."
        )
    x = rng.normal(size=(2, 3, 4, d))
    want = torch.nn.functional.layer_norm(torch.tensor(x), (d,), g, b, 1e-2)
    got = impl.layernorm(x, gamma, beta, eps=1e-2)
    checking.close(got, want, concept="per-sample", why="As torch's layer_norm.")


def test_steps_at_a_condition_of_a_thousand(impl):
    """3454 plain steps, 204 with the heavy ball."""
    for heavy_ball, steps in ((False, 3454), (True, 204)):
        lr, momentum = impl.best_rates(1000.0, 1.0, heavy_ball=heavy_ball)
        got = impl.descent_steps(np.array([1000.0, 1.0]), lr=lr, momentum=momentum)
        checking.that(
            abs(got - steps) <= 1,
            concept="steps-by-condition",
            why="Linear in the condition number, and in its root.",
            expected=str(steps),
            got=got,
        )


def test_standardizing_makes_the_bowl_round(impl, rng):
    """Columns of scales 1, 100 and 0.01, which hardly correlate: condition from above 10^6 to below 3."""
    X = rng.normal(size=(200, 3)) * [1.0, 100.0, 0.01]
    before, after = impl.condition_number(X), impl.condition_number(impl.standardize(X, X)[0])
    checking.that(
        before > 1e6 and after < 3,
        concept="curvature-ratio",
        why="Columns of the same scale have curvatures of the same size.",
        expected="more than 10^6, then less than 3",
        got=f"{before:.3g}, then {after:.3g}",
    )


def test_signal_of_tanh_and_of_too_small_weights(impl, rng):
    """30 layers of 256: tanh keeps 0.5 to 0.8; relu at half of He's variance loses a factor of thousands."""
    X = rng.normal(size=(32, 256))
    tanh = [impl.init_weights(256, 256, "tanh", rng) for _ in range(30)]
    small = [impl.init_weights(256, 256, "linear", rng) for _ in range(30)]
    got = impl.layer_stds(X, tanh, "tanh")[-1], impl.layer_stds(X, small, "relu")[-1]
    checking.that(
        0.5 < got[0] < 0.8 and 1e-6 < got[1] < 1e-3,
        concept="signal-survives",
        why="Each gain belongs to one activation.",
        expected="0.5 to 0.8, and 1e-6 to 1e-3",
        got=got,
    )
