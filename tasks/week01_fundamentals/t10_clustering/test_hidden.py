"""Hidden tests of w01.t10: other sizes, other partitions."""

import numpy as np

from tasks.labs import checking


def test_scores_do_not_depend_on_names(impl, rng):
    """Clusters and classes under other names have the same scores."""
    labels, y = rng.integers(0, 6, size=80), rng.integers(0, 4, size=80)
    other, renamed = rng.permutation(6)[labels] * 10 - 7, rng.permutation(4)[y] + 3
    for score in (impl.purity, impl.adjusted_rand):
        checking.close(
            score(other, renamed),
            score(labels, y),
            concept="names-do-not-matter",
            why="Which number a cluster has says nothing.",
        )


def test_agreement_is_symmetric(impl, rng):
    """Which of the two partitions is called the true one does not matter to the Rand index."""
    labels, y = rng.integers(0, 5, size=50), rng.integers(0, 3, size=50)
    checking.close(
        impl.adjusted_rand(labels, y),
        impl.adjusted_rand(y, labels),
        concept="adjusted-for-chance",
        why="Both partitions play the same part in the formula.",
    )
    checking.close(
        impl.adjusted_rand(np.zeros(9), np.zeros(9)),
        1.0,
        concept="adjusted-for-chance",
        why="Everything together twice is the same partition, and the formula says 0/0.",
    )


def test_one_cluster_is_the_mean(impl, rng):
    """k = 1: the centre is the mean, the inertia n times the variance."""
    X = rng.normal(size=(30, 4)) * 2 + 5
    centres, labels, history = impl.best_of(X, 1, rng, restarts=2)
    checking.close(centres, X.mean(axis=0)[None], concept="centre-is-mean", why="The mean of all.")
    checking.close(
        history[-1], 30 * X.var(axis=0).sum(), concept="squared-distance", why="n times variance."
    )
    checking.equal(labels, np.zeros(30), concept="nearest-centre", why="There is one centre.")


def test_as_many_centres_as_samples(impl, rng):
    """Then every sample is a centre, and nothing is left over."""
    X = rng.normal(size=(8, 2))
    draw = checking.array(impl.plus_plus(X, 8, rng))
    checking.close(
        np.sort(draw[:, 0]),
        np.sort(X[:, 0]),
        concept="distance-to-nearest",
        why="Rows that have been drawn have no chance any more.",
    )
    checking.close(
        impl.inertia(X, draw),
        0.0,
        atol=1e-12,
        concept="squared-distance",
        why="All distances are 0.",
    )


def test_a_lost_centre_does_no_harm(impl, rng):
    """A centre far from everything: the others go on, and nothing is nan."""
    X = rng.normal(size=(40, 2))
    far = np.array([[1e3, 1e3]])
    centres, labels, history = impl.kmeans(X, np.concatenate([X[:2], far]))
    checking.that(
        np.isfinite(history).all() and 2 not in set(np.asarray(labels).tolist()),
        concept="empty-cluster",
        why="A centre that nobody chose stays where it is.",
        expected="finite inertias and no sample in cluster 2",
        got=history,
    )
    checking.close(centres[2], far[0], concept="empty-cluster", why="It stays where it is.")


def test_far_group_is_found(impl, rng):
    """Ninety samples here, ten far away: the second centre is far away nearly always."""
    X = np.concatenate([rng.normal(size=(90, 2)), rng.normal(size=(10, 2)) + 200])
    both = [np.ptp(impl.plus_plus(X, 2, rng)[:, 0]) > 100 for _ in range(30)]
    checking.that(
        all(both),
        concept="squared-distance",
        why="Squared distances leave rows near a centre next to no chance.",
        expected="a centre in each group in all of 30 draws",
        got=int(np.sum(both)),
    )
