"""Public tests of w01.t06."""

import numpy as np
import pytest

from tasks.labs import checking, families

KING, QUEEN, MAN, WOMAN = (families.WORDS.index(word) for word in ("king", "queen", "man", "woman"))


@pytest.fixture(scope="module")
def words(impl, run_seed):
    """Vectors in 16 numbers of the 50 words of a generated language, from 10 000 sentences."""
    text = families.sentences(10_000, seed=run_seed)
    return impl.embed(impl.ppmi(impl.cooccurrence(text, 4, len(families.WORDS))), 16)


def test_neighbours_of_a_sentence_by_hand(impl):
    """The sentence 0 1 2 1 with a window of 1, then 2."""
    got = impl.cooccurrence([[0, 1, 2, 1]], 1, 4)
    checking.equal(
        np.trace(got),
        0,
        concept="own-neighbour",
        why="No two neighbours are alike here: a word at its own place is no company for itself.",
    )
    checking.equal(
        got,
        np.array([[0, 1, 0, 0], [1, 0, 2, 0], [0, 2, 0, 0], [0, 0, 0, 0]]),
        concept="both-sides",
        why="A neighbour stands at most `window` places before or after: both sides, (i, j) and (j, i).",
    )
    checking.equal(
        impl.cooccurrence([[0, 1, 2, 1]], 2, 4),
        np.array([[0, 1, 1, 0], [1, 2, 2, 0], [1, 2, 0, 0], [0, 0, 0, 0]]),
        concept="window",
        why="Two places away is still in a window of 2; a word twice is its own neighbour, seen from each.",
    )


def test_sentences_are_apart(impl):
    """The last word of a sentence is no neighbour of the first word of the next."""
    checking.equal(
        impl.cooccurrence([[0, 1], [2], [], [1, 0]], 3, 3),
        np.array([[0, 2, 0], [2, 0, 0], [0, 0, 0]]),
        concept="sentence-end",
        why="Company ends with the sentence, also where the window would reach on.",
    )


def test_number_of_neighbours(impl, rng):
    """In a sentence of n words there are w (2 n - w - 1) ordered pairs at most w apart."""
    n, w = 12, 5
    sentence = rng.integers(0, 9, size=n).tolist()
    counts = checking.array(impl.cooccurrence([sentence], w, 9))
    checking.equal(
        int(counts.sum()),
        w * (2 * n - w - 1),
        concept="window",
        why="Count each pair of places at most `window` apart, the window's end included.",
    )


def test_information_by_hand(impl):
    """Two words that only meet each other: p(i, j) = 1/2, p(i) p(j) = 1/4, so log 2."""
    got = checking.array(impl.ppmi(np.array([[0.0, 5, 0], [5, 0, 0], [0, 0, 0]])))
    checking.close(
        got[[0, 1], [1, 0]],
        [np.log(2), np.log(2)],
        concept="pmi",
        why="The natural logarithm of a ratio of shares: each is a count, or a sum of counts, by all counts.",
    )
    checking.close(
        got,
        np.array([[0.0, np.log(2), 0.0], [np.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]]),
        concept="zero-counts",
        why="A pair or a word that never occurs has 0: no log of 0, no 0/0.",
    )


def test_independent_words_tell_nothing(impl, rng):
    """If p(i, j) = p(i) p(j) everywhere, the information is 0 everywhere."""
    rows, columns = rng.integers(1, 9, size=5), rng.integers(1, 9, size=5)
    checking.close(
        impl.ppmi(np.outer(rows, columns)),
        np.zeros((5, 5)),
        atol=1e-12,
        concept="pmi",
        why="Divide the joint share by both shares: log 1 = 0 for words that do not care for each other.",
    )


def test_information_is_that_of_its_definition(impl, rng):
    """Against the definition for each pair; rows and columns differ, and some pairs shun each other."""
    counts = rng.integers(1, 30, size=(4, 6)).astype(float)
    total = counts.sum()
    plain = [
        [np.log(counts[i, j] * total / (counts[i].sum() * counts[:, j].sum())) for j in range(6)]
        for i in range(4)
    ]
    got = checking.array(impl.ppmi(counts))
    checking.that(
        bool((got >= 0).all()),
        concept="clipped-at-zero",
        why="Positive information: pairs that meet less often than by chance count as 0.",
        expected="no negative number",
        got=got,
    )
    checking.close(
        got,
        np.where(np.array(plain) < 0, 0.0, plain),
        atol=1e-12,
        concept="pmi",
        why="p(i) is the share of row i, p(j) that of column j, p(i, j) that of the one count.",
    )


def test_columns_are_scaled_directions(impl, rng):
    """E^T E is diagonal, with the largest singular values in falling order."""
    table = rng.normal(size=(7, 7))
    vectors = checking.array(impl.embed(table, 3))
    values = np.sqrt(np.linalg.eigvalsh(table @ table.T)[::-1][:3])
    checking.close(
        vectors.T @ vectors,
        np.diag(values),
        atol=1e-8,
        concept="root-of-singular-values",
        why="Singular vectors are at right angles and of length 1; each is scaled by the root of its value.",
    )
    checking.close(
        table @ table.T @ vectors,
        vectors * values**2,
        atol=1e-8,
        concept="left-vectors",
        why="Words are the rows: take left singular vectors, one in each column, not the right ones.",
    )


def test_cosine(impl, rng):
    """Lengths do not matter, opposite is -1, at right angles 0, and so is a vector of zeros."""
    vectors = np.array([[2.0, 0.0], [0.0, 0.3], [-5.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    for scale in (0.1, 1.0, 40.0):
        checking.close(
            impl.similarity(scale * np.array([1.0, 0.0]), vectors),
            [1, 0, -1, np.sqrt(0.5), 0],
            concept="cosine",
            why="Divide by both lengths, and mind the length 0.",
        )
    checking.close(
        impl.similarity(np.zeros(2), vectors),
        np.zeros(5),
        concept="cosine",
        why="Either of the two may be a vector of zeros, which is similar to none: 0, not 0/0.",
    )


def test_direction_of_the_question(impl):
    """Word 0 is to 1 as 2 is to 3: from 0 to 1 it goes up, so from 2 it goes up as well."""
    vectors = np.array([[1.0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [0, 1, -1], [1, 0, -1]])
    checking.equal(
        impl.analogy(vectors, 0, 1, 2),
        3,
        concept="direction",
        why="a is to b as c is to d: what leads from a to b, added to c. So b - a + c.",
    )
    checking.equal(
        impl.analogy(vectors, 1, 0, 3),
        2,
        concept="direction",
        why="The other way round the same step is taken off.",
    )


def test_question_words_are_no_answer(impl):
    """Here b itself is the nearest to b - a + c, then c, then a; the answer is the next."""
    vectors = np.array([[1.0, 0.1, 0], [1, 0.2, 0], [1, 0.12, 0.05], [0.9, 0.3, 0.3], [0, 0, -1]])
    checking.equal(
        impl.analogy(vectors, 0, 1, 2),
        3,
        concept="exclude-the-question",
        why="b - a + c lies near b and c almost always: all three words of the question are left out.",
    )
    checking.that(
        impl.analogy(vectors, 0, 1, 2, exclude=False) in (0, 1, 2),
        concept="exclude-the-question",
        why="With exclude=False the question's own words may answer.",
        expected="one of the three words asked with",
        got=impl.analogy(vectors, 0, 1, 2, exclude=False),
    )


def test_words_that_never_occur_are_no_answer(impl):
    """Word 4 has a vector of zeros, and all that may answer points away: the least bad one does."""
    vectors = np.array([[1.0, 0.1], [1, 0.2], [1, 0.3], [-1, 0.2], [0, 0], [-1, -0.2]])
    checking.equal(
        int(impl.analogy(vectors[[0, 1, 2, 3, 5]], 0, 1, 2)),
        3,
        concept="exclude-the-question",
        why="The answers left may all have a negative cosine: a word left out has to rank below any of them.",
    )
    vectors[3] = [0.2, 1.0]
    checking.equal(
        int(impl.analogy(vectors, 0, 1, 2)),
        3,
        concept="vector-of-zeros",
        why="A vector of zeros has no direction: bringing it to length 1 is 0/0, and nan wins every argmax.",
    )


def test_frequent_words_do_not_pull(impl, rng):
    """Word vectors of other lengths give the same answers."""
    vectors = rng.normal(size=(12, 4))
    longer = vectors * rng.uniform(0.05, 20, size=(12, 1))
    asked = [rng.choice(12, 3, replace=False) for _ in range(30)]
    checking.equal(
        [int(impl.analogy(longer, *map(int, words))) for words in asked],
        [int(impl.analogy(vectors, *map(int, words))) for words in asked],
        concept="length-one",
        why="Bring all vectors to length 1 before b - a + c, or the longest decides on the sum.",
    )


def test_accuracy_counts_right_answers(impl):
    """Three questions of which two have the right answer; then one where the nearest word was asked with."""
    vectors = np.array([[1.0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [0, 1, -1], [1, 0, -1]])
    checking.close(
        impl.accuracy(vectors, np.array([[0, 1, 2, 3], [1, 0, 3, 2], [0, 1, 2, 4]])),
        2 / 3,
        concept="accuracy",
        why="The share of the questions whose fourth word is the one that analogy gives.",
    )
    near = np.array([[1.0, 0.1, 0], [1, 0.2, 0], [1, 0.12, 0.05], [0.9, 0.3, 0.3], [0, 0, -1]])
    checking.close(
        impl.accuracy(near, np.array([[0, 1, 2, 3]])),
        1.0,
        concept="accuracy",
        why="A question is asked as analogy asks it: its own three words are no answers.",
    )


def test_king_minus_man_plus_woman(impl, words):
    """In the generated language it is queen, as it should be."""
    answer = int(impl.analogy(words, MAN, KING, WOMAN))
    checking.equal(
        families.WORDS[answer],
        "queen",
        concept="king-to-queen",
        why="The parts are right and their sum is not? Look at each table for the words you know.",
    )


def test_all_questions(impl, words):
    """112 questions about eight pairs of words."""
    share = impl.accuracy(words, families.questions())
    checking.that(
        0.95 <= share <= 1,
        concept="king-to-queen",
        why="All or nearly all questions have their answer in 16 numbers a word.",
        expected="a share of at least 0.95",
        got=share,
    )


def test_inputs_stay_as_they_are(impl, rng):
    """No function changes what it is given."""
    counts, vectors = rng.integers(0, 5, size=(6, 6)).astype(float), rng.normal(size=(6, 3))
    with checking.untouched(
        counts, vectors, why="Normalise a copy: `vectors /= ...` changes the caller's words."
    ):
        impl.ppmi(counts)
        impl.embed(counts, 2)
        impl.similarity(vectors[0], vectors)
        impl.analogy(vectors, 0, 1, 2)
