"""Hidden tests of w01.t11: other shapes, other numbers."""

import numpy as np

from tasks.labs import checking


def test_one_column_and_many_rows(impl, rng):
    """A line through 500 points."""
    X = rng.uniform(-5, 5, size=(500, 1))
    y = 3 * X[:, 0] - 2
    checking.close(
        impl.fit_closed_form(X, y),
        [3.0, -2.0],
        rtol=1e-8,
        concept="normal-equations",
        why="Without noise the line itself is the answer.",
    )


def test_gradient_for_other_sizes(impl, rng):
    """The gradient against its formula, for 7 samples of 5 columns."""
    X, y, w = rng.normal(size=(7, 5)), rng.normal(size=7), rng.normal(size=6)
    A = np.column_stack([X, np.ones(7)])
    slopes = [2 * np.mean((A @ w - y) * column) for column in A.T]
    checking.close(
        impl.mse_grad(w, X, y), slopes, concept="gradient-scale", why="2/n times A^T (A w - y)."
    )


def test_contraction_at_the_best_rate(impl, rng):
    """At lr = 2 / (L + m) the distance to the answer shrinks by (L - m) / (L + m) in each step, at worst."""
    X, y = rng.normal(size=(60, 2)) * [1.0, 4.0], rng.normal(size=60)
    A = np.column_stack([X, np.ones(60)])
    values = np.linalg.eigvalsh(2 / 60 * A.T @ A)
    lr, rate = 2 / (values[0] + values[-1]), (values[-1] - values[0]) / (values[-1] + values[0])
    best = impl.fit_closed_form(X, y)
    distances = [np.linalg.norm(impl.fit_gd(X, y, lr=lr, steps=n) - best) for n in range(6)]
    ratios = np.divide(distances[1:], distances[:-1])
    checking.that(
        bool((ratios <= rate + 1e-9).all()),
        concept="descent-direction",
        why="Gradient descent on a quadratic contracts by at most (L - m) / (L + m) per step.",
        expected=f"ratios of at most {rate:.6f}",
        got=ratios,
    )


def test_largest_learning_rate_by_its_eigenvalue(impl, rng):
    """2 / L for 3 columns."""
    X = rng.normal(size=(30, 3))
    A = np.column_stack([X, np.ones(30)])
    checking.close(
        impl.max_lr(X),
        30 / np.linalg.norm(A, 2) ** 2,
        concept="largest-learning-rate",
        why="L is 2/n times the largest squared singular value of A.",
    )
