"""Public tests of w01.t01."""

import numpy as np
import pytest

from tasks.labs import checking

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND, OR, NAND, XOR = [-1, -1, -1, 1], [-1, 1, 1, 1], [1, 1, 1, -1], [-1, 1, 1, -1]


@pytest.fixture
def separable(rng):
    """60 points of 3 columns with labels, and unit weights (4,) that separate them by at least 0.1."""
    w = rng.normal(size=4)
    w /= np.sqrt(w @ w)
    X = rng.uniform(-1, 1, size=(2000, 3))
    scores = X @ w[:3] + w[3]
    kept = np.flatnonzero(np.abs(scores) >= 0.1)[:60]
    return X[kept], np.sign(scores[kept]).astype(int), w


def test_predictions_by_hand(impl):
    """Weights 1 and bias -2: the score is negative at 1, zero at 2, positive at 3."""
    got = impl.predict(np.array([1.0, -2.0]), np.array([[1.0], [2.0], [3.0]]))
    checking.equal(
        got,
        np.array([-1, -1, 1]),
        concept="labels",
        why="Labels are -1 and +1 (not 0 and 1); only a score above zero is +1.",
    )


def test_zero_score_is_a_mistake(impl):
    """At zero weights every score is zero: the first sample must move them."""
    w, mistakes, _ = impl.perceptron_fit(np.array([[2.0, 3.0]]), np.array([-1]), max_epochs=5)
    checking.that(
        np.any(w),
        concept="zero-score",
        why="On the boundary is not on the right side: a score of zero is a mistake, for either label.",
        expected="weights other than zero",
        got=w,
    )
    checking.close(
        w,
        [-2.0, -3.0, -1.0],
        concept="rule",
        why="A mistake adds label times input to the weights; the last weight has the 1 as its input.",
    )
    checking.equal(mistakes, 1, concept="zero-score", why="One mistake, then the sample is right.")


def test_one_pass_by_hand(impl):
    """Three samples, one pass: a mistake (score 0), none, a mistake."""
    X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    w, mistakes, converged = impl.perceptron_fit(X, np.array([1, 1, -1]), max_epochs=1)
    checking.close(
        w,
        [0.0, -1.0, 0.0],
        concept="rule",
        why="Take the samples one by one; a mistake changes the weights before the next sample is looked at.",
    )
    checking.equal(mistakes, 2, concept="count", why="Count each change of the weights as one.")
    checking.equal(
        bool(converged),
        False,
        concept="clean-pass",
        why="Converged means that a whole pass made no mistake.",
    )


def test_only_mistakes_change_the_weights(impl):
    """The same sample five times: it is a mistake once."""
    w, mistakes, _ = impl.perceptron_fit(np.full((5, 2), 2.0), np.ones(5, int), max_epochs=3)
    checking.close(
        w,
        [2.0, 2.0, 1.0],
        concept="only-on-mistakes",
        why="A sample on its right side changes nothing.",
    )
    checking.equal(mistakes, 1, concept="only-on-mistakes", why="A right sample counts nothing.")


@pytest.mark.parametrize(
    ("name", "y", "mistakes", "passes"),
    [("AND", AND, 18, 9), ("OR", OR, 9, 6)],
    ids=["AND", "OR"],
)
def test_logic(impl, name, y, mistakes, passes):
    """AND takes 18 mistakes and 9 passes, OR 9 and 6; the last pass is the clean one."""
    w, count, converged = impl.perceptron_fit(CORNERS, np.array(y), max_epochs=passes)
    checking.that(
        converged,
        concept="clean-pass",
        why=f"{name} is learnt after {passes - 1} passes; the one that finds no mistake is a pass too.",
        expected=f"converged within {passes} passes",
        got=f"not converged, {count} mistakes",
    )
    checking.equal(
        count,
        mistakes,
        concept="count",
        why="Each mistake counts one, over all passes; the order of the samples stays as given.",
    )
    checking.equal(
        impl.predict(w, CORNERS), np.array(y), concept="labels", why=f"{name} should be learnt."
    )
    early = impl.perceptron_fit(CORNERS, np.array(y), max_epochs=passes - 1)[2]
    checking.equal(
        bool(early),
        False,
        concept="clean-pass",
        why="Without a pass free of mistakes nobody knows yet that all samples are right.",
    )


def test_xor_never_converges(impl):
    """No line separates XOR, so each of 100 passes makes a mistake."""
    _, mistakes, converged = impl.perceptron_fit(CORNERS, np.array(XOR), max_epochs=100)
    checking.that(
        not converged and mistakes >= 100,
        concept="clean-pass",
        why="Only a pass without any mistake is convergence; XOR has none, however long you try.",
        expected="not converged, at least 100 mistakes",
        got=f"converged: {converged}, {mistakes} mistakes",
    )


def test_threshold_away_from_zero(impl):
    """On a line, -1 up to 5 and +1 from 7: only a bias can put the boundary between."""
    X, y = np.array([[4.0], [5.0], [7.0], [8.0]]), np.array([-1, -1, 1, 1])
    w, _, converged = impl.perceptron_fit(X, y, max_epochs=1000)
    checking.that(
        np.shape(w) == (2,) and converged,
        concept="bias",
        why="The bias is learnt like a weight whose input is always 1; it stands last.",
        expected="2 weights, converged",
        got=f"shape {np.shape(w)}, converged: {converged}",
    )
    checking.equal(impl.predict(w, X), y, concept="bias", why="The boundary has to lie near 6.")


def test_mistakes_stay_below_the_bound(impl, separable):
    """On 60 separable points the rule converges, with at most (R / margin)^2 mistakes."""
    X, y, best = separable
    w, mistakes, converged = impl.perceptron_fit(X, y, max_epochs=500)
    checking.that(
        converged and np.array_equal(impl.predict(w, X), y),
        concept="rule",
        why="Add the input if the label is +1, subtract it if -1, and separable data end right.",
        expected="converged, all 60 points right",
        got=f"converged: {converged}, {int((impl.predict(w, X) == y).sum())} right",
    )
    checking.that(
        mistakes <= impl.mistake_bound(best, X, y),
        concept="bound",
        why="Novikoff: each mistake brings the weights nearer to every separating direction.",
        expected=f"at most {impl.mistake_bound(best, X, y):.1f} mistakes",
        got=mistakes,
    )


def test_learning_rate_only_scales(impl, separable):
    """From zero weights lr = 0.25 makes the same mistakes, and weights a quarter as long."""
    X, y, _ = separable
    w, mistakes, _ = impl.perceptron_fit(X, y, max_epochs=500)
    scaled, count, _ = impl.perceptron_fit(X, y, max_epochs=500, lr=0.25)
    checking.close(scaled, w / 4, concept="learning-rate", why="Each change is lr * label * input.")
    checking.equal(
        count, mistakes, concept="count", why="A mistake counts one, whatever the learning rate."
    )


def test_labels_0_and_1_are_refused(impl):
    """With a label 0 no change would ever happen: the fit has to say so."""
    with checking.raises(
        ValueError,
        concept="labels",
        why="0 times anything is 0, so label 0 never teaches: refuse labels other than -1 and +1.",
    ):
        impl.perceptron_fit(CORNERS, np.array([0, 0, 0, 1]), max_epochs=20)


def test_bound_by_hand(impl):
    """Points 3 and -1 with weights (1, 0) or (7, 0), 2 and -3 with (3, 4): R^2 = 10, margin 1, bound 10."""
    y = np.array([1, -1])
    for points, w in (([3, -1], [1, 0]), ([3, -1], [7, 0]), ([2, -3], [3, 4])):
        checking.close(
            impl.mistake_bound(np.array(w, float), np.array(points, float)[:, None], y),
            10.0,
            concept="bound",
            why="R counts the 1 of the bias, and the length of w counts the bias; the margin is the "
            "smallest, at length 1; square their ratio.",
        )


def test_bound_needs_separating_weights(impl):
    """(-1, 0) has points 3 and -1 on the wrong side, (1, 0) a point on its boundary: no margin, no bound."""
    with checking.raises(
        ValueError,
        concept="margin-sign",
        why="A point on the boundary leaves a margin of zero, and nothing is divided by zero.",
    ):
        impl.mistake_bound(np.array([1.0, 0.0]), np.array([[3.0], [0.0]]), np.array([1, -1]))
    with checking.raises(
        ValueError,
        concept="margin-sign",
        why="Squaring hides the sign: look at the margin before you square.",
    ):
        impl.mistake_bound(np.array([-1.0, 0.0]), np.array([[3.0], [-1.0]]), np.array([1, -1]))


def test_separable_or_not(impl):
    """AND, OR and NAND are separable, XOR is not."""
    found = {
        name: bool(impl.linearly_separable(CORNERS, np.array(y), margin=0.1))
        for name, y in {"AND": AND, "OR": OR, "NAND": NAND, "XOR": XOR}.items()
    }
    checking.equal(
        found,
        {"AND": True, "OR": True, "NAND": True, "XOR": False},
        concept="separable",
        why="A clean pass proves that a line exists; more mistakes than the bound prove that none does.",
    )


@pytest.mark.parametrize(
    ("left", "right", "more", "margin"),
    [(4.9, 5.0, 0, 0.009), (0.01, 0.02, 0, 0.0049), (2.0, 2.1, 150, 0.0219)],
    ids=["far-out", "near-zero", "easy-points"],
)
def test_thin_margin_takes_patience(impl, left, right, more, margin):
    """Separable, all three, after 1000, 5000 and 130 passes; in the last 150 points are hardly ever wrong."""
    X = np.array([[left], [right]] + [[2.5]] * more)
    checking.equal(
        bool(impl.linearly_separable(X, np.array([-1] + [1] * (1 + more)), margin=margin)),
        True,
        concept="patience",
        why="The bound, with the bias in R and squared, counts mistakes; a pass may make no more than one. "
        "So it takes as many passes, whatever the samples.",
    )


def test_inputs_stay_as_they_are(impl, separable):
    """No function changes what it is given."""
    X, y, w = separable
    with checking.untouched(X, y, w, why="Compute on copies: in-place changes reach the caller."):
        impl.predict(w, X)
        impl.perceptron_fit(X, y, max_epochs=3)
        impl.mistake_bound(w, X, y)
        impl.linearly_separable(X, y, margin=0.1)
