"""Public tests of w01.t13."""

from itertools import combinations, product

import numpy as np
import pytest

from tasks.labs import checking


class Recorder:
    """A loss that writes down what it was asked; y is the row's number, so that mixed-up rows show."""

    def __init__(self, grad):
        self.calls, self.grad = [], np.asarray(grad, dtype=float)

    def __call__(self, w, X, y):
        self.calls.append((np.array(w), np.array(X), np.array(y)))
        return float(np.mean(y)), self.grad * len(self.calls)


@pytest.fixture
def grads(rng):
    """Gradients of 6 samples, (6, 3), with a mean that is not zero."""
    return rng.normal(size=(6, 3)) * [1.0, 4.0, 0.2] + [3.0, -1.0, 0.5]


def test_every_sample_once(impl, rng):
    """23 samples in batches of 5: sizes 5, 5, 5, 5, 3, and every index exactly once."""
    batches = list(impl.minibatches(23, 5, rng))
    checking.equal(
        [len(batch) for batch in batches],
        [5, 5, 5, 5, 3],
        concept="partial-batch",
        why="Without drop_last the samples that are left over make one smaller batch.",
    )
    checking.equal(
        np.sort(np.concatenate(batches)),
        np.arange(23),
        concept="every-sample-once",
        why="Shuffle the indices once, then cut: independent draws would miss some and repeat others.",
    )
    checking.equal(
        [len(batch) for batch in impl.minibatches(20, 5, rng)],
        [5, 5, 5, 5],
        concept="partial-batch",
        why="Where nothing is left over there is no further batch, not even an empty one.",
    )


def test_order_is_new_in_each_epoch(impl, rng):
    """Two epochs with one generator differ, and batches are not stretches of the data."""
    first, second = (np.concatenate(list(impl.minibatches(60, 6, rng))) for _ in range(2))
    checking.that(
        not np.array_equal(first, second),
        concept="shuffle-each-epoch",
        why="Draw a new order in each call, from the generator that you are given.",
        expected="another order in the second epoch",
        got=second,
    )
    runs = np.count_nonzero(np.diff(first) == 1)
    checking.that(
        runs < 20,
        concept="shuffle-samples",
        why="Shuffle the samples before cutting: batches of neighbours are far from random samples.",
        expected="few neighbours i, i + 1 in a row (on average 1 of 59)",
        got=f"{runs} of 59",
    )
    near = [bool(np.ptp(part) < 10) for part in impl.minibatches(60, 6, rng)]
    checking.that(
        not any(near),
        concept="shuffle-samples",
        why="Which samples share a batch has to be random too, not the order within a batch alone.",
        expected="batches of 6 samples from all over the 60",
        got=f"{sum(near)} of 10 batches from a stretch of 10 samples",
    )


def test_order_comes_from_the_generator(impl, seed):
    """The same seed gives the same batches."""
    first, second = (
        np.concatenate(list(impl.minibatches(60, 6, np.random.default_rng(seed)))) for _ in range(2)
    )
    checking.equal(
        second,
        first,
        concept="generator-ignored",
        why="Draw with the rng argument alone: NumPy's global random state makes a run unrepeatable.",
    )


def test_drop_last(impl, rng):
    """With drop_last the incomplete batch goes, and only that one."""
    sizes = [
        [len(batch) for batch in impl.minibatches(n, 5, rng, drop_last=True)] for n in (23, 20, 4)
    ]
    checking.equal(
        sizes,
        [[5, 5, 5, 5], [5, 5, 5, 5], []],
        concept="drop-last",
        why="drop_last leaves out a batch only if it has fewer than batch_size samples.",
    )


def test_two_steps_by_hand(impl):
    """From w = 1, velocity 2, gradient 3, lr 0.1, momentum 0.5: velocity 4, w 0.6; then gradient -1."""
    start = np.array([1.0]), np.array([2.0]), np.array([3.0])
    why = "Make new arrays: `w -= ...` and `velocity *= ...` on an argument change the caller's."
    with checking.untouched(*start, why=why):
        w, v = impl.sgd_step(*start, lr=0.1, momentum=0.5)
    checking.close(
        [w, v],
        [[0.6], [4.0]],
        concept="momentum-rule",
        why="velocity = momentum * velocity + gradient; then the weights move by -lr times the new velocity.",
    )
    w, v = impl.sgd_step(w, v, np.array([-1.0]), lr=0.1, momentum=0.5)
    checking.close(
        [w, v],
        [[0.5], [1.0]],
        concept="momentum-rule",
        why="The velocity of the last step is decayed and goes on; it is not started anew.",
    )


def test_constant_gradient_ends_at_a_longer_step(impl, rng):
    """With a constant gradient the step grows to lr / (1 - momentum) times it."""
    grad = rng.normal(size=4)
    w, v = rng.normal(size=4), np.zeros(4)
    for _ in range(200):
        before = w
        w, v = impl.sgd_step(w, v, grad, lr=0.03, momentum=0.8)
    checking.close(
        w - before,
        -0.03 / (1 - 0.8) * grad,
        concept="momentum-rule",
        why="Velocities sum to a geometric series, 1 / (1 - momentum): the gradient is added unscaled.",
    )


def test_an_epoch_shows_every_pair_once(impl, rng):
    """Each row of X comes once, together with its own y."""
    X, loss = rng.normal(size=(11, 2)), Recorder([0.0, 0.0])
    impl.train_epoch(
        loss, np.zeros(2), np.zeros(2), X, np.arange(11.0), batch_size=4, lr=0.1, rng=rng
    )
    checking.equal(
        [len(call[2]) for call in loss.calls],
        [4, 4, 3],
        concept="batch-alone",
        why="Ask for loss and gradient once for each batch, with the samples of that batch alone.",
    )
    rows = np.concatenate([call[1] for call in loss.calls])
    labels = np.concatenate([call[2] for call in loss.calls])
    checking.equal(
        np.sort(labels),
        np.arange(11.0),
        concept="every-sample-once",
        why="Go through all batches of the epoch, the smaller last one too.",
    )
    checking.equal(
        rows,
        X[labels.astype(int)],
        concept="x-and-y-together",
        why="The same indices pick the rows of X and of y, or the net learns from wrong labels.",
    )


def test_each_batch_moves_the_weights(impl, rng):
    """The weights that the loss sees are those after all steps so far, with momentum."""
    g, loss = np.array([1.0, -2.0]), Recorder([1.0, -2.0])
    w0, v0 = rng.normal(size=2), rng.normal(size=2)
    X, y = rng.normal(size=(10, 2)), np.arange(10.0)
    w, v, _ = impl.train_epoch(loss, w0, v0, X, y, batch_size=5, lr=0.1, momentum=0.5, rng=rng)
    first = 0.5 * v0 + g
    second = 0.5 * first + 2 * g
    checking.close(
        [call[0] for call in loss.calls],
        [w0, w0 - 0.1 * first],
        concept="step-per-batch",
        why="Take a step after each batch, by the velocity and momentum that are handed in; the next one is "
        "judged at the new weights.",
    )
    checking.close(
        [w, v],
        [w0 - 0.1 * (first + second), second],
        concept="fresh-gradient",
        why="A step uses its own batch's gradient; the past comes in through the velocity and nothing else.",
    )


def test_epoch_loss_weighs_samples_alike(impl, rng):
    """11 samples with losses 0 to 10 in batches of 4, 4 and 3: the mean is 5, however they are cut."""
    *_, got = impl.train_epoch(
        Recorder([0.0]),
        np.zeros(1),
        np.zeros(1),
        np.zeros((11, 1)),
        np.arange(11.0),
        batch_size=4,
        lr=0.1,
        rng=rng,
    )
    checking.close(
        got,
        5.0,
        concept="weighted-mean",
        why="A batch's loss is a mean over its samples: a smaller batch has to count less in the epoch's.",
    )


@pytest.mark.parametrize("replace", [True, False])
def test_noise_against_all_batches(impl, grads, replace):
    """The formula against the list of all batches of 1 to 6 out of 6 samples."""
    for size in range(1, 5 if replace else 7):
        chosen = product(range(6), repeat=size) if replace else combinations(range(6), size)
        means = grads[np.array(list(chosen))].mean(1)
        checking.close(
            impl.noise_variance(grads, size, replace=replace),
            np.mean(np.sum((means - grads.mean(0)) ** 2, 1)),
            concept="noise-with-replacement" if replace else "finite-population",
            why="One sample's variance (divided by n, summed over the weights) over B; a batch without "
            "repetition also shrinks by (n - B) / (n - 1): the batch of all samples has no noise.",
        )


def test_noise_falls_as_one_over_the_batch_size(impl, rng):
    """Measured with replacement, the slope on a log-log scale is -1."""
    grads = rng.normal(size=(300, 8))
    sizes = np.array([1, 4, 16, 64])
    noise = [impl.measured_noise(grads, int(B), replace=True, draws=800, rng=rng) for B in sizes]
    slope = np.polyfit(np.log(sizes), np.log(noise), 1)[0]
    checking.that(
        abs(slope + 1) < 0.12,
        concept="one-over-batch",
        why="Average the gradients of the batch, then square the distance to the full one.",
        expected="a slope between -1.12 and -0.88",
        got=slope,
    )


@pytest.mark.parametrize("replace", [True, False])
def test_experiment_agrees_with_the_formula(impl, rng, replace):
    """24 of 32 samples: within 12 % of the formula, which is about four times less without replacement."""
    grads = rng.normal(size=(32, 8)) + 2.0
    got = impl.measured_noise(grads, 24, replace=replace, draws=1500, rng=rng)
    checking.close(
        got,
        impl.noise_variance(grads, 24, replace=replace),
        rtol=0.12,
        concept="experiment-agrees",
        why="Draw a new batch each time, as `replace` says, and average over all draws.",
    )


def test_the_experiment_draws_as_often_as_told(impl, seed):
    """One draw of one sample gives the squared distance of a sample, two draws the mean of two."""
    grads = np.array([[0.0], [1.0], [3.0], [10.0]])
    single = (grads[:, 0] - 3.5) ** 2
    for draws, possible in ((1, single), (2, (single[:, None] + single).ravel() / 2)):
        got, again = (
            impl.measured_noise(
                grads, 1, replace=True, draws=draws, rng=np.random.default_rng(seed)
            )
            for _ in range(2)
        )
        checking.that(
            np.isclose(got, possible).any(),
            concept="draws",
            why="Average over `draws` batches, as many as the caller asks for, by the full mean gradient.",
            expected=f"one of {sorted(set(possible.tolist()))}",
            got=got,
        )
        checking.equal(
            again,
            got,
            concept="generator-ignored",
            why="Draw batches with the rng argument alone, so that a run can be repeated.",
        )


def test_inputs_stay_as_they_are(impl, rng, grads):
    """No function changes what it is given."""
    w, v, X, y = rng.normal(size=2), rng.normal(size=2), rng.normal(size=(7, 2)), np.arange(7.0)
    g = rng.normal(size=2)
    why = "Make new arrays: `w -= ...` on an argument changes the caller's."
    with checking.untouched(w, v, X, y, g, grads, why=why):
        impl.sgd_step(w, v, g, lr=0.1, momentum=0.9)
        impl.train_epoch(Recorder(g), w, v, X, y, batch_size=3, lr=0.1, momentum=0.9, rng=rng)
        impl.noise_variance(grads, 2, replace=False)
        impl.measured_noise(grads, 2, replace=False, draws=3, rng=rng)
