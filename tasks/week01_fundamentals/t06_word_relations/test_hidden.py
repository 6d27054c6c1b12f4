"""Hidden tests of w01.t06: other sizes, another text."""

import numpy as np

from tasks.labs import checking, families


def test_counts_against_all_places(impl, rng):
    """Three sentences, each pair of places by itself."""
    text = [rng.integers(0, 7, size=n).tolist() for n in (9, 1, 14)]
    counts = np.zeros((7, 7))
    for sentence in text:
        for i, first in enumerate(sentence):
            for j, second in enumerate(sentence):
                counts[first, second] += 0 < abs(i - j) <= 3
    checking.equal(
        impl.cooccurrence(text, 3, 7),
        counts,
        concept="both-sides",
        why="All pairs of places in a sentence that are at most 3 apart, in both orders.",
    )


def test_information_does_not_depend_on_the_amount(impl, rng):
    """A text read seven times tells the same."""
    counts = rng.integers(0, 20, size=(5, 5)) + np.eye(5)
    checking.close(
        impl.ppmi(7 * counts),
        impl.ppmi(counts),
        atol=1e-12,
        concept="pmi",
        why="Information is made of shares, so it does not grow with the text.",
    )


def test_whole_numbers_are_counts_too(impl):
    """A table of integers."""
    checking.close(
        impl.ppmi(np.array([[0, 3], [3, 0]])),
        np.log(2) * (1 - np.eye(2)),
        concept="zero-counts",
        why="Counts may come as whole numbers.",
    )


def test_all_directions_give_the_table_back(impl, rng):
    """For a symmetric table without negative eigenvalues E E^T is the table."""
    half = rng.normal(size=(6, 6))
    table = half @ half.T
    vectors = checking.array(impl.embed(table, 6))
    checking.close(
        vectors @ vectors.T,
        table,
        rtol=1e-6,
        atol=1e-8,
        concept="root-of-singular-values",
        why="With roots of the singular values, products of word vectors give the table.",
    )


def test_a_shorter_text_does_as_well(impl, run_seed):
    """2 500 sentences, another window, more numbers a word."""
    size = len(families.WORDS)
    text = families.sentences(2_500, seed=run_seed + 1000)
    vectors = impl.embed(impl.ppmi(impl.cooccurrence(text, 9, size)), 20)
    checking.that(
        impl.accuracy(vectors, families.questions()) >= 0.85,
        concept="king-to-queen",
        why="Sentences have ten words, so a window of 9 sees all of each.",
        expected="a share of at least 0.85",
        got=impl.accuracy(vectors, families.questions()),
    )
