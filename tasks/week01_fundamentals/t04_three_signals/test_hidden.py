"""Hidden tests of w01.t04: other sizes, and what the gradients are for."""

import numpy as np

from tasks.labs import checking
from tasks.labs.bandit import Bandit


def test_expected_step_raises_the_expected_reward(impl, rng):
    """Over all names, chances times weighted gradients are the slope of the expected reward."""
    x, W, pays = rng.normal(size=(1, 3)), rng.normal(size=(4, 5)), rng.normal(size=5)
    share = checking.array(impl.chances(W, x))[0]
    total = sum(
        share[name] * checking.array(impl.named_grad(W, x, np.array([name]), pays[[name]]))
        for name in range(5)
    )
    slopes = np.zeros((4, 5))
    for place in np.ndindex(4, 5):
        step = np.zeros((4, 5))
        step[place] = 1e-5
        up, down = (checking.array(impl.chances(W + sign * step, x))[0] @ pays for sign in (1, -1))
        slopes[place] = (up - down) / 2e-5
    checking.close(
        total,
        -slopes,
        rtol=1e-5,
        atol=1e-8,
        concept="gradient",
        why="On average a step goes where the expected reward grows.",
    )


def test_three_names_from_rewards(impl, rng):
    """Groups around three points, another number of names and of columns."""
    y = rng.integers(0, 3, size=300)
    X = np.array([[4.0, 0], [0, 4], [-4, -4]])[y] + rng.normal(size=(300, 2))
    bandit = Bandit(X, y, seed=1, classes=3)
    W = impl.train_bandit(bandit, rewards=1500, rng=rng, batch=10, lr=0.3, explore=0.2)
    checking.equal(np.shape(W), (3, 3), concept="steps", why="(d + 1, k) of bandit.shape.")
    named = (np.column_stack([X, np.ones(300)]) @ checking.array(W)).argmax(1)
    checking.that(
        np.mean(named == y) > 0.93 and bandit.asked == 1500,
        concept="learn-from-reward",
        why="Sizes come from the bandit.",
        expected="more than 0.93 right after 1500 rewards",
        got=np.mean(named == y),
    )


def test_supervised_draws_all_samples(impl, rng):
    """Three samples that cannot be told from two of them alone."""
    X, y = np.tile(np.eye(3) * 4, (2, 1)), np.array([2, 0, 1, 2, 0, 1])
    W = checking.array(
        impl.train_supervised(X, y, samples=600, rng=rng, classes=3, batch=4, lr=0.5)
    )
    checking.equal(
        (np.column_stack([X, np.ones(6)]) @ W).argmax(1),
        y,
        concept="supervised",
        why="Each step draws from all samples, and each with its own name.",
    )
