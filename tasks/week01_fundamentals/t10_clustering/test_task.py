"""Public tests of w01.t10."""

import itertools

import numpy as np
import pytest

from tasks.labs import checking
from tasks.labs.data import digits


@pytest.fixture
def cloud(rng):
    """Samples (60, 3) without groups, and five of them, a little moved, as centres."""
    X = rng.normal(size=(60, 3)) * [3.0, 1.0, 0.5]
    return X, X[rng.choice(60, 5, replace=False)] + 0.1


@pytest.fixture(scope="module")
def handwriting(impl, run_seed):
    """Digits, their classes, and the best of ten runs on them."""
    X, y, _, _ = digits()
    return X, y, impl.best_of(X, 10, np.random.default_rng(run_seed), restarts=10)


def test_nearest_centre_of_a_case_by_hand(impl):
    """Points 0, 2, 3 and 9 of a line, centres at 4 and 0; the point 2 is as near to one as to the other."""
    X, centres = np.array([[0.0], [2.0], [3.0], [9.0]]), np.array([[4.0], [0.0]])
    checking.equal(
        impl.assign(X, centres),
        np.array([1, 0, 0, 0]),
        concept="nearest-centre",
        why="Each sample belongs to the centre of least distance, the first one of equals.",
    )
    checking.close(
        impl.inertia(X, centres),
        0 + 4 + 1 + 25,
        concept="squared-distance",
        why="Inertia adds up squared distances, each to the nearest centre: no root, no mean.",
    )


def test_every_other_centre_is_farther(impl, cloud):
    """Labels against all distances, one by one."""
    X, centres = cloud
    labels = checking.array(impl.assign(X, centres))
    checking.equal(
        labels.shape,
        (60,),
        concept="nearest-centre",
        why="There is one label for each row of X.",
    )
    for row, label in zip(X, labels, strict=True):
        distances = [np.linalg.norm(row - centre) for centre in centres]
        checking.close(
            distances[int(label)],
            min(distances),
            concept="nearest-centre",
            why="The distance of a sample to a centre runs over all columns.",
        )


def test_centres_move_to_the_means(impl):
    """Whole-number data, so that a mean lies between the samples; a centre given in whole numbers too."""
    X, centres = np.array([[0, 0], [3, 0], [3, 2], [9, 9]]), np.array([[1, 1], [8, 8]])
    with checking.untouched(centres, why="Put the new centres into an array of their own."):
        got = impl.move(X, np.array([0, 0, 0, 1]), centres)
    checking.close(
        got,
        [[2, 2 / 3], [9, 9]],
        concept="centre-is-mean",
        why="A centre is the mean of its samples: a point of its own, with fractions, not one of the rows.",
    )


def test_centre_without_samples_stays(impl):
    """The second of three centres has no sample."""
    X = np.array([[1.0, 2.0], [3.0, 2.0]])
    centres = np.array([[0.0, 0.0], [50.0, 50.0], [9.0, 9.0]])
    checking.close(
        impl.move(X, np.array([0, 2]), centres),
        [[1, 2], [50, 50], [3, 2]],
        concept="empty-cluster",
        why="The mean of no samples is 0/0: a centre that nobody chose has to be treated on its own.",
    )


def test_inertia_never_grows(impl, cloud):
    """Both halves of a round can only lower the inertia, and the list tells each round's."""
    X, centres = cloud
    found, _, history = impl.kmeans(X, centres)
    checking.that(
        bool((np.diff(history) <= 1e-9).all()),
        concept="inertia-falls",
        why="New labels lower the inertia at given centres, means lower it at given labels.",
        expected="a list that never grows",
        got=np.array(history),
    )
    checking.close(
        [history[0], history[-1]],
        [impl.inertia(X, centres), impl.inertia(X, found)],
        concept="history",
        why="The list begins with the inertia at the given centres and ends with that at the returned ones.",
    )


def test_end_is_a_fixed_point(impl, cloud):
    """At the end each centre is the mean of the samples that are nearest to it."""
    X, centres = cloud
    found, labels, _ = impl.kmeans(X, centres)
    distances = np.linalg.norm(X[:, None] - checking.array(found), axis=2)
    checking.equal(
        labels,
        distances.argmin(axis=1),
        concept="labels-of-the-end",
        why="The returned labels belong to the returned centres: assign once more after the last move.",
    )
    for label in range(5):
        mine = X[checking.array(labels) == label]
        if len(mine):
            checking.close(
                found[label],
                np.mean(mine, axis=0),
                concept="centre-is-mean",
                why="It is only over when no label changes; then every centre is the mean of its samples.",
            )


def test_rounds_go_on_until_nothing_changes(impl, rng):
    """400 points without any groups take many rounds, and the last ones gain little."""
    X = rng.random((400, 2))
    found, labels, history = impl.kmeans(X, X[:8])
    distances = np.linalg.norm(X[:, None] - checking.array(found), axis=2)
    for label in np.unique(distances.argmin(axis=1)):
        checking.close(
            found[label],
            X[checking.array(labels) == label].mean(axis=0),
            concept="until-nothing-changes",
            why="Go on while any label changes, however little a round gains.",
        )
    checking.that(
        len(history) < 300,
        concept="until-nothing-changes",
        why="Stop when no label has changed: from there on every round would be the same.",
        expected="fewer than 300 inertias",
        got=f"{len(history)}",
    )


def test_rounds_are_counted(impl, cloud):
    """One round, and none."""
    X, centres = cloud
    found, labels, history = impl.kmeans(X, centres, max_rounds=1)
    checking.equal(
        len(history),
        2,
        concept="rounds",
        why="One round, so two inertias: the one at the start and the one after it.",
    )
    checking.close(
        found,
        impl.move(X, impl.assign(X, centres), centres),
        concept="rounds",
        why="A round assigns, then moves.",
    )
    checking.equal(
        labels,
        np.linalg.norm(X[:, None] - checking.array(found), axis=2).argmin(axis=1),
        concept="labels-of-the-end",
        why="The returned labels belong to the returned centres: assign once more after the last move.",
    )
    checking.equal(
        len(impl.kmeans(X, centres, max_rounds=0)[2]),
        1,
        concept="rounds",
        why="Without a round there is only the inertia at the given centres.",
    )


def test_first_centres_follow_the_squared_distance(impl, rng):
    """Of the points 0, 1 and 3, the pair 0 and 1 comes up in (1/10 + 1/5) / 3 = 10 % of the draws."""
    X = np.array([[0.0], [1.0], [3.0]])
    draws = [impl.plus_plus(X, 2, rng) for _ in range(2000)]
    share = np.mean([np.max(draw) < 2 for draw in draws])
    checking.that(
        abs(share - 0.1) < 0.035,
        concept="squared-distance",
        why="The chance of a row is in proportion to the square of its distance to the nearest centre.",
        expected="0.1, within 0.035",
        got=share,
    )


def test_first_centre_is_any_row(impl, rng, seed):
    """Of five rows each comes first in a fifth of the draws; the same generator gives the same rows."""
    X = np.arange(5.0)[:, None]
    draws = [float(np.ravel(impl.plus_plus(X, 1, rng))[0]) for _ in range(500)]
    shares = np.bincount(np.array(draws, dtype=int), minlength=5) / 500
    checking.that(
        shares.min() > 0.1 and shares.max() < 0.3,
        concept="first-row-random",
        why="The first centre is any row, all with the same chance.",
        expected="shares around 0.2",
        got=shares,
    )
    many = rng.random((60, 2))
    one, same = (impl.plus_plus(many, 20, np.random.default_rng(seed)) for _ in range(2))
    checking.equal(
        same,
        checking.array(one),
        concept="generator-ignored",
        why="Draw with the rng argument alone, so that a run can be repeated.",
    )


def test_first_centres_are_apart_from_all_before(impl, rng):
    """Three distinct rows, each many times: three centres have to be those three."""
    X = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 7.0]], 20, axis=0)
    for _ in range(10):
        draw = checking.array(impl.plus_plus(X, 3, rng))
        checking.close(
            draw[np.lexsort(draw.T[::-1])],
            [[0, 0], [0, 7], [5, 0]],
            concept="distance-to-nearest",
            why="A row equal to any centre drawn before has distance 0 to the nearest one, so no chance.",
        )


def test_best_run_is_kept(impl, rng):
    """Sixteen groups: most runs get stuck, the best of 60 finds all of them."""
    places = np.array(list(itertools.product(range(4), repeat=2)), dtype=float)
    X = np.repeat(places, 8, axis=0) + rng.uniform(-0.25, 0.25, size=(128, 2))
    groups = X.reshape(16, 8, 2)
    best = ((groups - groups.mean(axis=1, keepdims=True)) ** 2).sum()
    checking.that(
        impl.best_of(X, 16, rng, restarts=1) is not None,
        concept="restarts",
        why="One restart is one run, and that is the best one then.",
        expected="centres, labels and inertias of one run",
        got="None",
    )
    for _ in range(3):
        checking.close(
            impl.best_of(X, 16, rng, restarts=60)[2][-1],
            best,
            concept="restarts",
            why="Lloyd's algorithm stops at the nearest low point: keep the run that ended lowest of all.",
        )


def test_purity_of_a_case_by_hand(impl):
    """Cluster 7 has classes 1, 1, 2 and cluster 3 has 2, 2, 2, 1: 2 + 3 of 7 samples are in the majority."""
    labels, y = np.array([7, 3, 7, 3, 3, 7, 3]), np.array([1, 2, 1, 2, 2, 2, 1])
    checking.close(
        impl.purity(labels, y),
        5 / 7,
        concept="purity",
        why="Count the most frequent class of each cluster, add up, divide by the number of samples.",
    )
    checking.close(
        impl.purity(np.array([0, 0, 0, 0, 1]), np.array([3, 3, 4, 4, 3])),
        3 / 5,
        concept="purity",
        why="Look for the majority class of each cluster, not for the largest cluster of each class.",
    )


def test_agreement_of_pairs(impl, rng):
    """Against all pairs of samples one by one; one cluster for each sample is pure but agrees in nothing."""
    labels, y = rng.integers(0, 4, size=25), rng.integers(0, 3, size=25)
    together = [
        (labels[i] == labels[j], y[i] == y[j]) for i, j in itertools.combinations(range(25), 2)
    ]
    both, first, second = (
        sum(a and b for a, b in together),
        sum(a for a, _ in together),
        sum(b for _, b in together),
    )
    chance = first * second / len(together)
    checking.close(
        impl.adjusted_rand(labels, y),
        (both - chance) / ((first + second) / 2 - chance),
        concept="adjusted-for-chance",
        why="Count pairs of samples, n (n - 1) / 2 of n, and take off what chance would give.",
    )
    checking.close(
        impl.adjusted_rand(np.arange(25), y),
        0.0,
        atol=1e-12,
        concept="adjusted-for-chance",
        why="No pair is together in singletons, so the agreement is what chance gives: 0.",
    )
    checking.close(
        impl.adjusted_rand(y, y), 1.0, concept="adjusted-for-chance", why="Equal partitions agree."
    )
    for same in (np.zeros(25, dtype=int), np.arange(25)):
        checking.close(
            impl.adjusted_rand(same, same),
            1.0,
            concept="all-or-nothing",
            why="Both put everything together, or both nothing: 0/0 in the formula, and they agree.",
        )


def test_digits_are_found_without_labels(handwriting, impl):
    """Ten clusters of digits: inertia as low as ten runs get it, and clusters that are mostly one digit."""
    _, y, (centres, labels, history) = handwriting
    checking.equal(
        np.shape(centres), (10, 64), concept="centre-is-mean", why="Ten centres, each an image."
    )
    checking.that(
        history[-1] < 3680,
        concept="restarts",
        why="Ten runs from k-means++, each until nothing changes, end lower than this.",
        expected="an inertia below 3680",
        got=history[-1],
    )
    checking.that(
        impl.purity(labels, y) > 0.68 and impl.adjusted_rand(labels, y) > 0.5,
        concept="clusters-and-classes",
        why="If the inertia is right, then labels or the two scores are not.",
        expected="a purity above 0.68 and an adjusted Rand index above 0.5",
        got=(round(impl.purity(labels, y), 3), round(impl.adjusted_rand(labels, y), 3)),
    )


def test_inputs_stay_as_they_are(impl, cloud, rng):
    """No function changes what it is given, not the first centres either."""
    X, centres = cloud
    labels = np.arange(60) % 4
    with checking.untouched(
        X,
        centres,
        labels,
        why="Move a copy of the centres: the caller may want the first ones again.",
    ):
        impl.move(X, labels, centres)
        impl.kmeans(X, centres)
        impl.plus_plus(X, 3, rng)
        impl.purity(labels, labels)
