"""Public tests of w01.t04."""

import hashlib

import numpy as np
import pytest

from lab.errors import LabError
from tasks.labs import checking
from tasks.labs.bandit import Bandit
from tasks.labs.data import digits

# Digests, so that the answers are not to be read here; and what to ask oneself if one is wrong.
ANSWERS = {
    "spam": ("dd8f6bd7", "Who decided for each mail what it is?"),
    "customers": (
        "4aa32044",
        "Does anything but the purchases themselves tell which groups there are?",
    ),
    "backgammon": ("5b43867a", "Does the result of a game tell which moves would have been right?"),
    "letters": (
        "034c0903",
        "What comes next stands in the text itself: did anybody have to add it?",
    ),
    "prices": ("52733181", "Is there a right answer with each of the 20 000 flats?"),
    "walking": (
        "48a41893",
        "The distance tells how good the steps were: does it tell how to step?",
    ),
    "photos": ("b8286b0e", "What is the drawing compared with, and did anybody have to add it?"),
    "steering": (
        "3119aec8",
        "Was the driver's angle a judgement of what the learner did, or an answer?",
    ),
    "headlines": (
        "b7f7d021",
        "Does a reader tell which of the other four she would have clicked on?",
    ),
    "translation": ("e1e5da28", "What stands beside each sentence, and who wrote it?"),
    "faces": (
        "3284334d",
        "Is there one right face to draw? Is there any judgement of the drawn ones?",
    ),
    "cooling": ("85b8039b", "Does the meter tell how the valves should have been set?"),
}


class Recorder:
    """A bandit that notes what was shown and said, and rewards by a rule of the test."""

    def __init__(self, rng, shape, rule):
        self.rng, self.shape, self.rule = rng, shape, rule
        self.shown, self.said = [], []

    def look(self, count):
        self.shown.append(self.rng.uniform(size=(count, self.shape[0])))
        return self.shown[-1].copy()

    def reward(self, names):
        self.said.append(np.array(names))
        return self.rule(self.said[-1])


def answers(W, X):
    return (np.column_stack([X, np.ones(len(X))]) @ checking.array(W)).argmax(1)


@pytest.fixture(scope="module")
def rewarded(impl, run_seed):
    """Names of the digits are dealt out anew; the bandit, its names of the test images, and the model's."""
    X, y, test, right = digits()
    rng = np.random.default_rng(run_seed)
    dealt = rng.permutation(10)
    bandit = Bandit(X, dealt[y], seed=run_seed)
    try:
        W = impl.train_bandit(bandit, rewards=20_000, rng=rng)
    except LabError as error:
        checking.that(
            False,
            concept="one-answer-each",
            why="Each image is named once; to try a second name is to be told more than a reward tells.",
            expected="one name for each image looked at",
            got=str(error),
        )
    return bandit, dealt[right], answers(W, test)


def test_quiz(impl):
    """Twelve descriptions, each of one kind of problem."""
    for name, (digest, question) in ANSWERS.items():
        kind = impl.problem_type(name)
        checking.that(
            isinstance(kind, impl.Problem),
            concept="kind-of-problem",
            why="An answer is Problem.SUPERVISED or one of its two neighbours.",
            expected="a Problem",
            got=f"{name}: {kind}",
        )
        answer = hashlib.sha256(f"{name} {kind.name}".encode()).hexdigest()
        checking.that(
            answer.startswith(digest),
            concept="kind-of-problem",
            why=question,
            expected=f"{name}: another kind of problem",
            got=kind.name.lower(),
        )


def test_chances_are_a_softmax(impl, rng):
    """Rows sum to 1, and two chances relate as e to the difference of their scores; large scores too."""
    X = rng.normal(size=(6, 3))
    W = rng.normal(size=(4, 5))
    got = checking.array(impl.chances(W, X))
    scores = np.column_stack([X, np.ones(6)]) @ W
    checking.close(
        got.sum(1),
        np.ones(6),
        concept="softmax",
        why="The chances of one sample's names add up to 1: normalise along the names.",
    )
    checking.close(
        np.log(got[:, 1:] / got[:, :1]),
        scores[:, 1:] - scores[:, :1],
        rtol=1e-6,
        atol=1e-9,
        concept="softmax",
        why="Chances are in proportion to e to the scores, the row of ones counted in.",
    )
    with checking.no_overflow(
        concept="large-scores",
        why="Take the largest score of a row off that row first: its chances stay the same.",
    ):
        large = impl.chances(
            np.array([[9000.0, 0.0, -9000.0], [0.0, 1.0, 0.0]]), np.array([[1.0], [0.1]])
        )
    checking.close(
        large,
        [[1, 0, 0], [1, 0, 0]],
        concept="large-scores",
        why="Each row has its own largest score: that of another row may be so large that all is 0 here.",
    )


def test_gradient_is_a_slope(impl, rng):
    """Against central differences, for weights that are positive, zero and negative."""
    X, W = rng.normal(size=(7, 3)), rng.normal(size=(4, 5))
    names, weights = rng.integers(0, 5, size=7), rng.normal(size=7)
    weights[2] = 0

    def loss(at):
        scores = np.column_stack([X, np.ones(7)]) @ at
        return np.mean(weights * (np.logaddexp.reduce(scores, axis=1) - scores[range(7), names]))

    slopes = np.zeros((4, 5))
    for place in np.ndindex(4, 5):
        step = np.zeros((4, 5))
        step[place] = 1e-5
        slopes[place] = (loss(W + step) - loss(W - step)) / 2e-5
    checking.close(
        impl.named_grad(W, X, names, weights),
        slopes,
        rtol=1e-5,
        atol=1e-8,
        concept="gradient",
        why="Of -log p by the scores: chances, less 1 at the name; times the weight; mean over samples.",
    )


def test_same_reward_for_all_teaches_nothing(impl, rng):
    """Over all names, each as often as its chance says, equal weights have a gradient of zero."""
    x, W = rng.normal(size=(1, 4)), rng.normal(size=(5, 3))
    share = checking.array(impl.chances(W, x))[0]
    total = sum(
        share[name] * checking.array(impl.named_grad(W, x, np.array([name]), np.array([2.5])))
        for name in range(3)
    )
    checking.close(
        total,
        np.zeros((5, 3)),
        atol=1e-12,
        concept="gradient",
        why="If every name pays alike there is nothing to prefer: chances times gradients add up to 0.",
    )


def test_supervised_steps(impl, rng):
    """A data set of equal samples, so that every draw is the same: two steps from zeros."""
    x, y = np.repeat(rng.normal(size=(1, 3)), 9, axis=0), np.full(9, 2)
    ones, first = np.ones(9), np.zeros((4, 6))
    for _ in range(2):
        first = first - 0.3 * checking.array(impl.named_grad(first, x, y, ones))
    checking.close(
        impl.train_supervised(x, y, samples=11, rng=rng, classes=6, batch=5, lr=0.3),
        first,
        concept="steps",
        why="samples // batch steps from zero weights, each against the gradient, times lr.",
    )


def test_supervised_step_is_one_batch(impl, rng):
    """One step on a batch of one: the gradient is that of a single one of six samples."""
    X, y = rng.normal(size=(6, 3)), rng.integers(0, 4, size=6)
    W = impl.train_supervised(X, y, samples=1, rng=rng, classes=4, batch=1, lr=0.5)
    steps = [
        -0.5 * checking.array(impl.named_grad(np.zeros((4, 4)), X[[i]], y[[i]], np.ones(1)))
        for i in range(6)
    ]
    checking.that(
        any(np.allclose(W, step, rtol=1e-6, atol=1e-9) for step in steps),
        concept="one-batch-a-step",
        why="A step is told `batch` names, no more, and each goes with its own image.",
        expected="the step of one sample with its name",
        got=W,
    )


def test_bandit_step(impl, rng):
    """One step on eight images with rewards of all kinds is one of named_grad, weighted with the rewards."""
    weights = np.array([1.0, 0, -2, 0.5, 0, 3, 1, -1])
    bandit = Recorder(rng, (3, 4), lambda said: np.resize(weights, len(said)))
    W = impl.train_bandit(bandit, rewards=8, rng=rng, batch=8, lr=0.7)
    checking.equal(
        [images.shape for images in bandit.shown],
        [(8, 3)],
        concept="steps",
        why="rewards // batch steps, each on `batch` images: 8 rewards in a batch of 8 are one step.",
    )
    want = impl.named_grad(np.zeros((4, 4)), bandit.shown[0], bandit.said[0], weights)
    checking.close(
        W,
        -0.7 * checking.array(want),
        concept="reward-weighs",
        why="A step makes what was said more likely, as much as it paid: no reward, no step.",
    )


def test_bandit_draws_its_names(impl, rng):
    """As long as nothing was ever rewarded, all names are said alike."""
    bandit = Recorder(rng, (3, 5), lambda said: np.zeros(len(said)))
    impl.train_bandit(bandit, rewards=4000, rng=rng, batch=40)
    shares = np.bincount(np.concatenate(bandit.said), minlength=5) / 4000
    checking.close(
        shares,
        np.full(5, 0.2),
        rtol=0,
        atol=0.04,
        concept="draw-names",
        why="Draw names by their chances; the likeliest one alone never finds out about the others.",
    )


def test_bandit_goes_on_exploring(impl, rng):
    """When only name 3 pays, the others of five are still said: 4/5 of `explore`."""
    for explore, others in ((0.5, 0.4), (0.0, 0.0)):
        bandit = Recorder(rng, (3, 5), lambda said: 1.0 * (said == 3))
        impl.train_bandit(bandit, rewards=8000, rng=rng, batch=50, explore=explore, lr=4.0)
        late = np.bincount(np.concatenate(bandit.said[-60:]), minlength=5) / 3000
        want = np.full(5, others / 4)
        want[3] = 1 - others
        checking.close(
            late,
            want,
            rtol=0,
            atol=0.06,
            concept="explore",
            why="With a chance of `explore` any name is said, all alike, whatever the model thinks.",
        )


def test_bandit_looks_at_each_image(impl, rng):
    """Name 1 pays where the first number is above 1/2, else name 0: late names follow the images."""
    bandit = Recorder(rng, (2, 2), None)
    bandit.rule = lambda said: 1.0 * (said == (bandit.shown[-1][:, 0] > 0.5))
    impl.train_bandit(bandit, rewards=15000, rng=rng, batch=50, explore=0.0, lr=4.0)
    late = [
        np.mean(said == (shown[:, 0] > 0.5))
        for said, shown in zip(bandit.said[-40:], bandit.shown[-40:], strict=True)
    ]
    checking.that(
        np.mean(late) > 0.8,
        concept="draw-names",
        why="Each image has chances of its own: its name is drawn with those, not with another image's.",
        expected="more than 0.8 of the late names right",
        got=float(np.mean(late)),
    )


def test_nearest_centre_has_the_highest_score(impl, rng):
    """Centres of different lengths; the linear model against the distances."""
    centres, X = (
        rng.normal(size=(6, 3)) * [[1], [5], [0.1], [2], [3], [1]],
        rng.normal(size=(80, 3)),
    )
    W = checking.array(impl.as_weights(centres))
    checking.close(
        W[:-1], centres.T, concept="nearest-is-linear", why="Column j holds centre j itself."
    )
    checking.equal(
        answers(W, 3 * X),
        np.linalg.norm(3 * X[:, None] - centres, axis=2).argmin(1),
        concept="nearest-is-linear",
        why="Write out |x - c|^2: one part is the same for all centres, one is x times c, one is c's alone.",
    )


def test_clusters_begin_as_rows(impl, rng):
    """Without a round the centres are rows of X, none drawn twice, and other ones at the next call."""
    X = rng.normal(size=(9, 3))
    W = checking.array(impl.cluster(X, k=9, rounds=0, rng=rng))
    checking.close(
        np.sort(W[0]),
        np.sort(X[:, 0]),
        concept="first-centres",
        why="The centres begin as k rows of X, none drawn twice.",
    )
    X = rng.normal(size=(500, 2))
    first, second = (checking.array(impl.cluster(X, k=4, rounds=0, rng=rng)) for _ in range(2))
    checking.that(
        not np.array_equal(first, second),
        concept="first-centres",
        why="Rows are drawn at random, so that another try may end better.",
        expected="other centres at the second call",
        got="the same",
    )


def test_one_round_of_clusters(impl, rng, seed):
    """From the same start, one round against a loop over samples."""
    X = rng.normal(size=(40, 2))
    start, moved = (
        checking.array(impl.cluster(X, k=3, rounds=rounds, rng=np.random.default_rng(seed)))[:-1].T
        for rounds in (0, 1)
    )
    nearest = np.array([np.argmin([np.sum((x - c) ** 2) for c in start]) for x in X])
    checking.close(
        moved,
        [np.mean(X[nearest == group], axis=0) for group in range(3)],
        concept="k-means",
        why="A round assigns all samples once, then moves every centre once; `rounds` of them are made.",
    )


def test_centre_without_samples_stays(impl, rng):
    """Five centres for two different points: some get no samples, and all are still such points."""
    points = np.array([[1.0, 2.0], [3.0, 5.0]])
    W = checking.array(impl.cluster(np.repeat(points, 6, axis=0), k=5, rounds=4, rng=rng))
    centres = W[:-1].T
    checking.that(
        all(any(np.allclose(centre, point) for point in points) for centre in centres),
        concept="empty-cluster",
        why="The mean of no samples is 0/0, and zero is no mean of theirs either: such a centre stays.",
        expected="each centre at [1, 2] or [3, 5]",
        got=centres,
    )


def test_clusters_end_at_their_means(impl, rng):
    """After many rounds each centre is the mean of its samples."""
    X = rng.normal(size=(70, 2)) * [3, 1]
    W = checking.array(impl.cluster(X, k=4, rounds=80, rng=rng))
    nearest = answers(W, X)
    for group in range(4):
        mine = X[nearest == group]
        if len(mine):
            checking.close(
                W[:-1, group],
                np.mean(mine, axis=0),
                rtol=1e-6,
                atol=1e-9,
                concept="k-means",
                why="Each round assigns all samples anew, then moves every centre to its samples' mean.",
            )


def test_clusters_are_named_by_the_majority(impl):
    """Three clusters on a line, around 1, 3 and 90, the last without samples."""
    W = np.array([[1.0, 3.0, 90.0], [-0.5, -4.5, -4050.0]])
    X = np.array([[-1.0], [0.5], [1.9], [2.1], [4.0]])
    got = impl.name_clusters(W, X, np.array([7, 4, 4, 2, 2]))
    checking.equal(
        got,
        np.array([4, 2, 0]),
        concept="majority-name",
        why="For each cluster the most frequent name of its samples; 0 where there is none. A sample is "
        "in the cluster of its highest score, the last row of W added.",
    )
    checking.that(
        checking.array(got).dtype.kind in "iu",
        concept="majority-name",
        why="Names are whole numbers here, so that they can be looked up by.",
        expected="whole numbers",
        got=str(checking.array(got).dtype),
    )


def test_inputs_stay_as_they_are(impl, rng):
    """No function changes what it is given."""
    X, y, W = rng.normal(size=(20, 3)), rng.integers(0, 4, size=20), rng.normal(size=(4, 4))
    centres, weights = X[:5].copy(), rng.normal(size=20)
    with checking.untouched(
        X, y, W, centres, weights, why="Compute on copies of what you are given."
    ):
        impl.chances(W, X)
        impl.named_grad(W, X, y, weights)
        impl.train_supervised(X, y, samples=8, rng=rng, classes=4, batch=4)
        impl.as_weights(centres)
        impl.cluster(X, k=3, rounds=2, rng=rng)
        impl.name_clusters(W, X, y)


def test_right_names_teach_most(impl, run_seed):
    """20 000 samples with their right names."""
    X, y, test, right = digits()
    W = impl.train_supervised(X, y, samples=20_000, rng=np.random.default_rng(run_seed))
    share = np.mean(answers(W, test) == right)
    checking.that(
        share > 0.93,
        concept="supervised",
        why="Does each image go with its own name, and does every step draw new ones?",
        expected="more than 0.93 of the test images right",
        got=share,
    )


def test_rewards_teach_too(rewarded):
    """20 000 rewards, of names that nobody but the bandit knows."""
    bandit, right, named = rewarded
    checking.equal(
        bandit.asked,
        20_000,
        concept="count-rewards",
        why="Exactly `rewards` names are judged, and nothing else tells about the names.",
    )
    checking.that(
        np.mean(named == right) > 0.88,
        concept="learn-from-reward",
        why="Names that paid become more likely, for images like these; all else has to stay.",
        expected="more than 0.88 of the test images right",
        got=np.mean(named == right),
    )


def test_no_names_find_groups(impl, run_seed):
    """Ten clusters of digits, made without names; names are given to them afterwards."""
    X, y, test, right = digits()
    W = impl.cluster(X, k=10, rounds=30, rng=np.random.default_rng(run_seed))
    named = checking.array(impl.name_clusters(W, X, y))[answers(W, test)]
    checking.that(
        np.mean(named == right) > 0.55,
        concept="unsupervised",
        why="Digits that look alike lie together; if few are right, centres or names are not.",
        expected="more than 0.55 of the test images right",
        got=np.mean(named == right),
    )
