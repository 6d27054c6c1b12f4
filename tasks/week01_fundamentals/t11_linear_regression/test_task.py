"""Public tests of w01.t11."""

import numpy as np
import pytest

from tasks.labs import checking


@pytest.fixture
def problem(rng):
    """A line with noise: X (40, 3), y (40,), and some weights (4,) that are not the answer."""
    X = rng.normal(size=(40, 3)) * [1.0, 3.0, 0.3]
    y = X @ [2.0, -1.0, 0.5] + 4.0 + rng.normal(size=40)
    return X, y, rng.normal(size=4)


def test_error_of_a_case_by_hand(impl):
    """Points (0, 4) and (2, 2) against the line y = x + 1: errors 3 and 1, mean of squares 5."""
    got = impl.mse(np.array([1.0, 1.0]), np.array([[0.0], [2.0]]), np.array([4.0, 2.0]))
    checking.that(
        not np.isclose(got, 8.0),
        concept="intercept",
        why="The last weight is the intercept: it counts in every prediction.",
        expected="5",
        got=got,
    )
    checking.close(
        got,
        5.0,
        concept="mean-of-squares",
        why="Square each error, then take the mean over the samples: no root, no half, no sum.",
    )


def test_gradient_is_the_slope_of_the_error(impl, problem):
    """The gradient against central differences of your own mse."""
    X, y, w = problem
    step = 1e-5
    slopes = [
        (impl.mse(w + step * e, X, y) - impl.mse(w - step * e, X, y)) / (2 * step)
        for e in np.eye(4)
    ]
    got = checking.array(impl.mse_grad(w, X, y))
    turned = np.allclose(got, -np.array(slopes), rtol=1e-5, atol=1e-6)
    checking.that(
        not turned,
        concept="gradient-sign",
        why="The gradient points uphill: its error is prediction minus y, in this order.",
        expected=f"{slopes[0]:.6g} as the first number",
        got=got,
    )
    ahead = np.roll(slopes, 1)
    checking.that(
        got.shape != (4,) or not np.allclose(got, ahead, rtol=1e-5, atol=1e-6),
        concept="intercept-last",
        why="The intercept is the last weight, so its slope is the last number of the gradient.",
        expected=f"{slopes[3]:.6g} as the last number",
        got=got,
    )
    checking.close(
        got,
        slopes,
        rtol=1e-5,
        atol=1e-6,
        concept="gradient-scale",
        why="The derivative of a mean of n squares is 2/n times A^T (A w - y): mind the 2 and the n.",
    )


def test_residual_is_orthogonal_to_every_column(impl, problem):
    """At the best weights A^T (A w - y) = 0, for the column of ones too."""
    X, y, _ = problem
    w = impl.fit_closed_form(X, y)
    checking.that(
        np.shape(w) == (4,),
        concept="intercept",
        why="There is one weight for each column and one more, the last, for the intercept.",
        expected="shape (4,)",
        got=f"shape {np.shape(w)}",
    )
    A = np.column_stack([X, np.ones(len(X))])
    checking.close(
        A.T @ (A @ w - y),
        np.zeros(4),
        atol=1e-8,
        concept="normal-equations",
        why="What is left over at the least-squares solution has no component along any column.",
    )


def test_doubled_column_still_has_a_solution(impl, problem):
    """Two equal columns share the weight: there A^T A has no inverse."""
    X, y, _ = problem
    doubled = np.column_stack([X, X[:, 0]])
    try:
        w = impl.fit_closed_form(doubled, y)
    except np.linalg.LinAlgError:
        w = np.full(5, np.nan)
    checking.close(
        np.asarray(w)[[0, 3]],
        np.full(2, impl.fit_closed_form(X, y)[0] / 2),
        rtol=1e-6,
        concept="singular-matrix",
        why="With equal columns A^T A is singular: solve the least-squares problem itself, do not invert.",
    )


def test_weights_of_least_norm(impl, problem):
    """A column of twos: it shares the intercept's part of y = 10 + 3x as 4 to 2, that of least norm."""
    x = problem[0][:, 0]
    X = np.column_stack([x, np.full(len(x), 2.0)])
    try:
        w = impl.fit_closed_form(X, 3 * x + 10)
    except np.linalg.LinAlgError:
        w = np.full(3, np.nan)
    checking.close(
        w,
        [3.0, 4.0, 2.0],
        rtol=1e-6,
        concept="least-norm",
        why="Of equally good weights those of least norm are asked for, and the intercept is one of them.",
    )


def test_two_steps_of_descent(impl, problem):
    """Exactly `steps` steps, from zeros."""
    X, y, _ = problem
    first = -0.01 * impl.mse_grad(np.zeros(4), X, y)
    checking.close(
        impl.fit_gd(X, y, lr=0.01, steps=2),
        first - 0.01 * impl.mse_grad(first, X, y),
        concept="steps-from-zero",
        why="Start from zeros, and take the gradient anew at the weights of each step.",
    )


def test_largest_learning_rate(impl, problem):
    """Just below max_lr descent goes down, just above it explodes."""
    X, y, _ = problem
    limit = impl.max_lr(X)
    best = impl.mse(impl.fit_closed_form(X, y), X, y)
    at_zero = impl.mse(np.zeros(4), X, y)
    below = impl.mse(impl.fit_gd(X, y, lr=0.98 * limit, steps=400), X, y)
    checking.that(
        below < at_zero,
        concept="largest-learning-rate",
        why="Below 2 / L every direction contracts; L belongs to the second derivatives of mse itself.",
        expected=f"an error below {at_zero:.4g}, which zero weights have",
        got=below,
    )
    above = impl.mse(impl.fit_gd(X, y, lr=1.02 * limit, steps=400), X, y)
    checking.that(
        above > 10 * (at_zero + best),
        concept="largest-learning-rate",
        why="Above 2 / L the steepest direction grows with each step; is your limit too small?",
        expected="an error that explodes",
        got=above,
    )


def test_largest_learning_rate_far_from_zero(impl, problem):
    """L of columns that are far from zero, where the column of ones counts for much."""
    X = problem[0] / 3 + [0.0, 5.0, 0.0]
    A = np.column_stack([X, np.ones(len(X))])
    checking.close(
        2 / impl.max_lr(X),
        np.linalg.eigvalsh(A.T @ A * 2 / len(X)).max(),
        rtol=1e-6,
        concept="intercept",
        why="The intercept is a weight too: its column of ones belongs to the second derivatives.",
    )


def test_descent_reaches_the_closed_form(impl, problem):
    """Many small steps end where the closed form is."""
    X, y, _ = problem
    A = np.column_stack([X, np.ones(len(X))])
    values = np.linalg.eigvalsh(2 / len(y) * A.T @ A)
    w = impl.fit_gd(X, y, lr=2 / (values[0] + values[-1]), steps=3000)
    checking.close(
        w,
        impl.fit_closed_form(X, y),
        rtol=1e-6,
        atol=1e-8,
        concept="descent-direction",
        why="Each step takes lr times the gradient away from the weights, all weights at once.",
    )


def test_noise_variance_is_the_mean_squared_residual(impl, problem):
    """The variance that makes y most likely: n in the denominator, not n - 1."""
    X, y, w = problem
    A = np.column_stack([X, np.ones(len(X))])
    checking.close(
        impl.noise_variance(w, X, y),
        np.mean((y - A @ w) ** 2),
        concept="maximum-likelihood",
        why="Set the derivative of the log likelihood by the variance to zero: the mean squared residual.",
    )


def test_inputs_stay_as_they_are(impl, problem):
    """No function changes what it is given."""
    X, y, w = problem
    with checking.untouched(
        X, y, w, why="Compute on copies: `w -= ...` on an argument changes the caller's."
    ):
        impl.mse(w, X, y)
        impl.mse_grad(w, X, y)
        impl.fit_closed_form(X, y)
        impl.fit_gd(X, y, lr=0.01, steps=3)
