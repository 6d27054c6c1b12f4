"""Hidden tests of w01.t01: other shapes, other numbers."""

import numpy as np
import pytest

from tasks.labs import checking


@pytest.mark.parametrize("columns", [1, 5])
def test_other_sizes(impl, rng, columns):
    """Two clouds, far apart, in one and in five dimensions."""
    y = rng.choice([-1, 1], size=40)
    X = 5 + y[:, None] * rng.uniform(1, 3, size=(40, columns))
    w, mistakes, converged = impl.perceptron_fit(X, y, max_epochs=20000)
    checking.that(
        np.shape(w) == (columns + 1,) and converged,
        concept="bias",
        why="Clouds away from zero need the bias.",
        expected=f"{columns + 1} weights, converged",
        got=f"shape {np.shape(w)}, converged: {converged}",
    )
    checking.equal(impl.predict(w, X), y, concept="labels", why="All samples are on their side.")
    checking.that(
        mistakes <= impl.mistake_bound(w, X, y) * (1 + 1e-9),
        concept="bound",
        why="The bound holds for any separating weights, those found among them.",
        expected="at most the bound",
        got=mistakes,
    )


def test_no_pass_at_all(impl):
    """With max_epochs 0 the weights are zero, and nothing is known."""
    w, mistakes, converged = impl.perceptron_fit(np.ones((3, 2)), np.ones(3, int), max_epochs=0)
    checking.close(w, np.zeros(3), concept="rule", why="Weights start at zero.")
    checking.equal(
        (int(mistakes), bool(converged)),
        (0, False),
        concept="clean-pass",
        why="No pass, no mistakes, and no clean pass either.",
    )


def test_bound_for_random_weights(impl, rng):
    """The bound against its definition, sample by sample."""
    X, w = rng.normal(size=(20, 3)), rng.normal(size=4)
    scores = np.array([sum(a * b for a, b in zip(x, w[:3], strict=True)) + w[3] for x in X])
    y = np.where(scores > 0, 1, -1)
    margin = np.abs(scores).min() / np.sqrt((w**2).sum())
    checking.close(
        impl.mistake_bound(w, X, y),
        max((x**2).sum() + 1 for x in X) / margin**2,
        concept="bound",
        why="(R / margin)^2, with the bias in both.",
    )


def test_integer_inputs_and_label_noise(impl):
    """Two equal points with different labels are not separable; without the second one they are."""
    X, y = np.array([[1, 2], [3, 4], [1, 2]]), np.array([-1.0, 1.0, 1.0])
    checking.equal(
        [bool(impl.linearly_separable(X[:n], y[:n], margin=0.1)) for n in (2, 3)],
        [True, False],
        concept="separable",
        why="One point cannot be on both sides.",
    )


def test_labels_away_from_one_are_refused(impl):
    """Labels 1 and 2 are refused too."""
    with checking.raises(ValueError, concept="labels", why="Labels are -1 and +1."):
        impl.perceptron_fit(np.eye(2), np.array([1, 2]), max_epochs=5)
