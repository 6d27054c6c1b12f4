"""Public tests of w01.t14."""

import numpy as np
import pytest

from tasks.labs import checking


def plain(impl, x, eps=1e-5):
    """Batch normalisation in training without gamma, beta and a past."""
    d = x.shape[1]
    start = impl.Running(np.zeros(d), np.ones(d))
    return impl.batchnorm(x, np.ones(d), np.zeros(d), start, training=True, eps=eps)[0]


def test_standardized_columns(impl, rng):
    """Of the training set: mean 0 and mean square 1 in each column; a constant column becomes zeros."""
    train = rng.normal(size=(40, 3)) * [1.0, 100.0, 1e-5] + [5.0, -300.0, 0.0]
    train = np.column_stack([train, np.full(40, 7.0)])
    test = train[:2].copy()
    with checking.untouched(train, test, why="Standardize copies: no -= and no /= on an argument."):
        got, _ = impl.standardize(train, test)
    checking.close(
        got.mean(0),
        np.zeros(4),
        concept="zero-mean",
        why="Take off the mean of each column; a constant column is all zeros then, without a division by 0.",
    )
    checking.close(
        (got**2).mean(0),
        [1.0, 1.0, 1.0, 0.0],
        concept="unit-variance",
        why="Divide each column by its own deviation, the root of the mean square (n in the denominator).",
    )


def test_test_set_is_measured_by_the_training_set(impl, rng):
    """A test sample is moved and scaled as a training sample of the same values would be."""
    train = np.column_stack([rng.normal(size=(30, 2)) * [2.0, 0.1], np.full(30, 7.0)])
    got_train, got_test = impl.standardize(train, train[3:6] + [10.0, 0.0, 2.0])
    checking.close(
        got_test[:, :2],
        got_train[3:6, :2] + [10.0 / train[:, 0].std(), 0.0],
        concept="training-statistics",
        why="The test set is not known in training: use the mean and deviation of the training set for both.",
    )
    checking.close(
        got_test[:, 2],
        np.full(3, 2.0),
        concept="constant-column",
        why="Constant in the training set is constant there alone: a test sample keeps its distance from it.",
    )


def test_condition_number_by_hand(impl, rng):
    """Orthogonal columns of lengths 1, 3 and 5: curvatures 1, 9 and 25, ratio 25."""
    Q = np.linalg.qr(rng.normal(size=(20, 3)))[0]
    checking.close(
        impl.condition_number(Q * [3.0, 1.0, 5.0]),
        25.0,
        concept="curvature-ratio",
        why="Curvatures are the eigenvalues of X^T X / n, the squares of the singular values of X.",
    )


def test_best_rates_by_hand(impl):
    """Curvatures from 1 to 9: plain 1/5; the heavy ball's roots are 3 and 1, so 1/4 and 1/4."""
    checking.close(
        impl.best_rates(9.0, 1.0, heavy_ball=False),
        [0.2, 0.0],
        concept="plain-rate",
        why="The best plain rate contracts steepest and flattest direction alike, and has no momentum.",
    )
    checking.close(
        impl.best_rates(9.0, 1.0, heavy_ball=True),
        [0.25, 0.25],
        concept="heavy-ball-rates",
        why="Roots first, then sums and quotients of them, then the square, for rate and momentum both.",
    )


def test_count_of_steps(impl):
    """Curvature 1, lr 0.5: f falls to a quarter in each step, and rate 2.5 never arrives."""
    got = impl.descent_steps(np.array([1.0, 100.0]), lr=0.01, tolerance=0.1)
    why = "f weighs each square with its curvature, and `tolerance` is a share of the first f."
    checking.equal(got, 1, concept="relative-to-first", why=why)
    why = "Count the steps until f, not x, has fallen to tolerance times its first value, at most `limit`."
    for tolerance, steps in ((1.0, 0), (0.2, 2), (0.01, 4)):
        got = impl.descent_steps(np.array([1.0]), lr=0.5, tolerance=tolerance)
        checking.equal(got, steps, concept="count-of-steps", why=why)
    got = impl.descent_steps(np.array([1.0]), lr=2.5, limit=30)
    checking.equal(got, 30, concept="count-of-steps", why=why)


@pytest.mark.parametrize("kappa, plain_steps, heavy_steps", [(10, 35, 16), (100, 346, 58)])
def test_steps_by_condition(impl, kappa, plain_steps, heavy_steps):
    """At the best rates: steps grow like the condition number, with momentum like its root."""
    curvatures = np.array([2.0, 2.0 * kappa])
    for heavy_ball, steps in ((False, plain_steps), (True, heavy_steps)):
        lr, momentum = impl.best_rates(2.0 * kappa, 2.0, heavy_ball=heavy_ball)
        got = impl.descent_steps(curvatures, lr=lr, momentum=momentum)
        checking.that(
            abs(got - steps) <= 1,
            concept="steps-by-condition",
            why="The best plain rate contracts steepest and flattest direction alike: 2 / (L + m). "
            "The velocity is kept from step to step.",
            expected=f"{steps} steps",
            got=got,
        )


def test_size_of_initial_weights(impl):
    """Variances 1/n, 2/n and 25/9/n for 7 and 256 inputs."""
    for n in (7, 256):
        got = [n * impl.init_std(n, name) ** 2 for name in ("linear", "relu", "tanh")]
        checking.close(
            got,
            [1.0, 2.0, 25 / 9],
            concept="gain",
            why="The variance is gain² / fan_in and its root the deviation: relu loses half the mean square.",
        )
    with checking.raises(
        ValueError,
        concept="unknown-activation",
        why="A name that is not known must not silently get some gain.",
    ):
        impl.init_std(7, "rleu")


def test_weights_by_fan_in(impl, rng):
    """400 inputs, 50 outputs: 400 weights add up in each output."""
    W = impl.init_weights(400, 50, "relu", rng)
    checking.equal(
        list(np.shape(W)),
        [400, 50],
        concept="weight-shape",
        why="In `x @ W` the inputs are the rows of W.",
    )
    W = np.asarray(W)
    far, negative = np.mean(np.abs(W) > 2 * W.std()), np.mean(W < 0)
    checking.that(
        0.03 < far < 0.06 and 0.45 < negative < 0.55,
        concept="normal-weights",
        why="Weights are normal with mean 0: one in 22 is more than two deviations away, half are negative.",
        expected="a share of 0.046 beyond two deviations, of 0.5 below 0",
        got=f"{far:.3f} and {negative:.3f}",
    )
    one, same = (impl.init_weights(6, 5, "relu", np.random.default_rng(8)) for _ in range(2))
    checking.equal(
        same,
        one,
        concept="generator-ignored",
        why="Draw with the rng argument alone: the same generator gives the same weights.",
    )
    checking.close(
        W.std() * 20,
        np.sqrt(2),
        rtol=0.05,
        concept="fan-in",
        why="What counts going forward is how many terms each output sums: the inputs, not the outputs.",
    )


def test_layers_by_hand(impl):
    """Two layers on (1, -2): negatives are cut before the next layer, not only at the end."""
    got = impl.layer_stds(
        np.array([[1.0, -2.0]]), [np.eye(2), np.array([[3.0, 1.0], [1.0, 1.0]])], "relu"
    )
    checking.close(
        got,
        [0.5, 1.0],
        concept="layer-by-layer",
        why="Each layer gets what the activation of the last one let through; one number for each layer.",
    )


def test_layers_know_their_activation(impl):
    """(1, -2) through one layer: deviation 1.5 without an activation, another one through a tanh."""
    got = [
        impl.layer_stds(np.array([[1.0, -2.0]]), [np.eye(2)], name)[0]
        for name in ("linear", "tanh")
    ]
    checking.close(
        got,
        [1.5, (np.tanh(1) + np.tanh(2)) / 2],
        concept="activation-argument",
        why="The activation is the one whose name is handed in.",
    )


def test_signal_survives_thirty_layers(impl, rng):
    """Width 256, relu: the scale stays within a factor of 20 of the input's, at He's size."""
    weights = [impl.init_weights(256, 256, "relu", rng) for _ in range(30)]
    last = impl.layer_stds(rng.normal(size=(32, 256)), weights, "relu")[-1]
    checking.that(
        1 / 20 < last < 20,
        concept="signal-survives",
        why="A factor a little off 1 in one layer is a factor of thousands after thirty.",
        expected="between 0.05 and 20",
        got=last,
    )


def test_batchnorm_by_hand(impl):
    """Column 0, 2 with gamma 3, beta 1 and eps 0.5: plus and minus 3 / sqrt(1.5), plus 1."""
    x, past = np.array([[0.0], [2.0]]), impl.Running(np.array([9.0]), np.array([9.0]))
    one, three, zero = np.array([1.0]), np.array([3.0]), np.array([0.0])
    checking.close(
        impl.batchnorm(x, one, zero, past, training=True, eps=1e-9)[0],
        x - 1,
        rtol=1e-4,
        concept="batch-statistics",
        why="In training by the mean and variance of this batch alone, the variance with n below.",
    )
    checking.close(
        impl.batchnorm(x, three, one, past, training=True, eps=1e-9)[0],
        [[-2.0], [4.0]],
        rtol=1e-4,
        concept="gamma-and-beta",
        why="Normalise first; the result is multiplied by gamma, and beta is added at the very end.",
    )
    got, _ = impl.batchnorm(x, three, one, past, training=True, eps=0.5)
    checking.close(
        got,
        np.array([[-1.0], [1.0]]) * 3 / np.sqrt(1.5) + 1,
        concept="eps-in-root",
        why="Add eps to the variance, then take the root of the sum; and eps is the argument.",
    )


def test_batchnorm_forgets_scale_and_offset(impl, rng):
    """Each column scaled and moved on its own gives the same output, with mean 0 and variance 1."""
    x = rng.normal(size=(25, 3))
    got = plain(impl, x * [5.0, 0.2, 1.0] + [3.0, 0.0, -40.0], eps=1e-14)
    why = "Mean and variance are taken over the batch, for each feature on its own."
    checking.close(got.mean(0), np.zeros(3), atol=1e-8, concept="per-feature", why=why)
    checking.close(got, plain(impl, x, eps=1e-14), rtol=1e-5, concept="per-feature", why=why)


def test_running_statistics(impl, rng):
    """After two batches with momentum 0.3: old ones decay, and the variance has n - 1 below."""
    d, gamma, beta = 4, rng.normal(size=4), rng.normal(size=4)
    running, mean, var = impl.Running(np.zeros(d), np.ones(d)), np.zeros(d), np.ones(d)
    for n in (5, 9):
        x = rng.normal(size=(n, d)) * 3 + 2
        _, running = impl.batchnorm(x, gamma, beta, running, training=True, momentum=0.3)
        mean, var = mean + 0.3 * (x.mean(0) - mean), var + 0.3 * (np.cov(x.T).diagonal() - var)
    checking.close(
        running[0],
        mean,
        concept="running-mean",
        why="momentum is the share of the new batch here, 1 - momentum that of the past.",
    )
    checking.close(
        running[1],
        var,
        concept="running-variance",
        why="What is kept estimates the variance of all data: divide by n - 1, unlike in the output.",
    )


def test_evaluation_uses_what_was_kept(impl, rng):
    """A single sample is normalised by the running statistics, which stay as they are."""
    x, gamma, beta = rng.normal(size=(1, 3)), rng.normal(size=3), rng.normal(size=3)
    mean, var = rng.normal(size=3), rng.uniform(1, 2, size=3)
    got, after = impl.batchnorm(
        x, gamma, beta, impl.Running(mean, var), training=False, momentum=0.5, eps=0.2
    )
    checking.close(
        (got - beta) * np.sqrt(var + 0.2),
        gamma * (x - mean),
        concept="evaluation-mode",
        why="A prediction must not depend on which other samples are in the batch.",
    )
    checking.equal(
        np.stack(after),
        np.stack([mean, var]),
        concept="evaluation-mode",
        why="Only training learns.",
    )


def test_layernorm_of_each_vector(impl, rng):
    """Shape (2, 3, 8): each vector has mean 0, variance 1, and depends on no other."""
    x = rng.normal(size=(2, 3, 8)) * 5 + 2
    got = impl.layernorm(x, np.ones(8), np.zeros(8), eps=1e-14)
    why = "Mean and variance of a vector's own d entries: the last axis, kept for the subtraction."
    checking.close(got.mean(-1), np.zeros((2, 3)), atol=1e-8, concept="per-sample", why=why)
    checking.close((got**2).mean(-1), np.ones((2, 3)), concept="per-sample", why=why)
    alone = impl.layernorm(x[1, 2], np.ones(8), np.zeros(8), eps=1e-14)
    checking.close(got[1, 2], alone, concept="per-sample", why=why)


def test_layernorm_by_hand(impl):
    """(0, 2) with gamma (1, 3), beta (5, 0) and eps 0.5."""
    checking.close(
        impl.layernorm(np.array([[0.0, 2.0]]), np.array([1.0, 3.0]), np.array([5.0, 0.0]), eps=0.5),
        [[5 - 1 / np.sqrt(1.5), 3 / np.sqrt(1.5)]],
        concept="eps-in-root",
        why="eps joins the variance (d in the denominator) before the root; gamma and beta act per feature.",
    )


def test_inputs_and_types_stay(impl, rng):
    """Nothing that comes in is changed, and float32 stays float32."""
    x, ones = rng.normal(size=(6, 4)).astype(np.float32), np.ones(4, dtype=np.float32)
    weights = [np.ones((4, 4))]
    mean, var = np.zeros(4, dtype=np.float32), np.ones(4, dtype=np.float32)
    why = "Write results to new arrays; the caller still needs the old ones."
    with checking.untouched(x, ones, mean, var, *weights, why=why):
        impl.standardize(x, x)
        impl.layer_stds(x, weights, "relu")
        out, running = impl.batchnorm(x, ones, ones, impl.Running(mean, var), training=True)
        layer = impl.layernorm(x, ones, ones)
    for got, like in ((out, x), (layer, x), (running[0], mean), (running[1], var)):
        checking.alike(got, like, concept="dtype", why="Results have the precision of the inputs.")
