"""Hidden tests of w01.t13: other sizes, and a fit from start to end."""

import numpy as np

from tasks.labs import checking


def test_one_batch_larger_than_the_data(impl, rng):
    """9 samples in a batch of 32 are one batch of 9."""
    batches = list(impl.minibatches(9, 32, rng))
    checking.equal(
        [len(batch) for batch in batches],
        [9],
        concept="partial-batch",
        why="Fewer samples than batch_size still make a batch.",
    )


def test_batches_of_one(impl, rng):
    """Every index by itself."""
    batches = list(impl.minibatches(40, 1, rng, drop_last=True))
    checking.equal(
        np.sort(np.concatenate(batches)),
        np.arange(40),
        concept="every-sample-once",
        why="Batches of one leave nothing over.",
    )


def test_full_batch_is_gradient_descent(impl, rng):
    """One batch of all samples: the weights of plain descent, and the loss before the step."""
    X, y, w = rng.normal(size=(30, 4)), rng.normal(size=30), rng.normal(size=4)
    got, velocity, loss = impl.train_epoch(
        impl.squared_error, w, np.zeros(4), X, y, batch_size=30, lr=0.05, rng=rng
    )
    slope = 2 * np.mean((X @ w - y)[:, None] * X, axis=0)
    checking.close(got, w - 0.05 * slope, concept="step-per-batch", why="One batch, one step.")
    checking.close(
        velocity, slope, concept="momentum-rule", why="The first velocity is the gradient."
    )
    checking.close(
        loss,
        np.mean((X @ w - y) ** 2),
        concept="weighted-mean",
        why="The loss is the one at the weights before the step.",
    )


def test_a_line_without_noise_is_found(impl, rng):
    """Where all samples agree, small batches reach the answer itself."""
    X = rng.normal(size=(50, 3))
    truth = np.array([1.0, -2.0, 0.5])
    w, v = np.zeros(3), np.zeros(3)
    for _ in range(60):
        w, v, _ = impl.train_epoch(
            impl.squared_error, w, v, X, X @ truth, batch_size=8, lr=0.02, momentum=0.8, rng=rng
        )
    checking.close(
        w,
        truth,
        rtol=1e-4,
        concept="step-per-batch",
        why="Without noise in y the gradient of every batch is zero at the answer.",
    )


def test_noise_of_a_case_by_hand(impl):
    """Gradients 0 and 2: variance 1; two with replacement 1/2, both without 0."""
    grads = np.array([[0.0], [2.0]])
    got = [
        impl.noise_variance(grads, 1, replace=True),
        impl.noise_variance(grads, 2, replace=True),
        impl.noise_variance(grads, 1, replace=False),
        impl.noise_variance(grads, 2, replace=False),
    ]
    checking.close(
        got,
        [1.0, 0.5, 1.0, 0.0],
        concept="finite-population",
        why="A batch of one is the same either way; a batch of all without repetition is the full gradient.",
    )
