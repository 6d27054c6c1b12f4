"""Public tests of w01.t05."""

import numpy as np
import pytest
import torch
from torch import nn

from tasks.labs import checking, markov

LANGUAGE = markov.language(6)


@pytest.fixture(scope="module")
def texts(run_seed):
    """Two texts of one language, to learn from and to be tested on, (40 000,) each."""
    draws = np.random.default_rng(run_seed)
    return LANGUAGE.text(40_000, draws), LANGUAGE.text(40_000, draws)


@pytest.fixture(scope="module")
def trained(impl, texts, run_seed):
    """A net that sees two letters, after 300 steps."""
    torch.manual_seed(run_seed)
    net = impl.Net(6, 2)
    impl.train(net, texts[0], 2, steps=300, batch=512, lr=2e-2)
    return net


class Table(nn.Module):
    """Scores of the next letter from a table, by the last letter of the run."""

    def __init__(self, scores):
        super().__init__()
        self.scores = nn.Parameter(torch.as_tensor(scores))

    def forward(self, runs):
        return self.scores[runs[:, -1]]


def has_graph(value):
    checking.that(
        getattr(value, "requires_grad", False),
        concept="gradient-flows",
        why="The loss is a tensor that still knows how it was made: no detach(), item(), numpy() or float().",
        expected="a tensor with a graph",
        got=f"{type(value).__name__} without one",
    )


def test_counts_of_a_text_by_hand(impl):
    """The text 0 1 1 0 0 1: two letters in a row, then three."""
    text = np.array([0, 1, 1, 0, 0, 1])
    checking.equal(
        impl.count(text, 1, 3),
        np.array([[1, 2, 0], [1, 1, 0], [0, 0, 0]]),
        concept="what-follows-what",
        why="Element [a, b] counts the places where b stands right after a, the first place included.",
    )
    three = np.zeros((2, 2, 2))
    three[0, 1, 1] = three[1, 1, 0] = three[1, 0, 0] = three[0, 0, 1] = 1
    checking.equal(
        impl.count(text, 2, 2),
        three,
        concept="what-follows-what",
        why="The axes are in the order of the text, the letter that follows is the last axis.",
    )
    checking.equal(
        impl.count(text, 0, 3),
        np.array([3, 3, 0]),
        concept="what-follows-what",
        why="With order 0 nothing has to stand before, so all letters count.",
    )


def test_chances_sum_to_one_over_the_next_letter(impl, rng):
    """Three axes; the last is that of the next letter."""
    chances = impl.probabilities(rng.integers(1, 9, size=(4, 4, 4)))
    checking.close(
        checking.array(chances).sum(-1),
        np.ones((4, 4)),
        concept="rows-sum-to-one",
        why="For each run the chances of the letters that may follow add up to 1: the last axis.",
    )


def test_chances_of_counts_by_hand(impl):
    """Rows sum to 1; smoothing is added to each count; a run that never came up says nothing."""
    counts = np.array([[3.0, 1.0], [0.0, 0.0]])
    checking.close(
        impl.probabilities(counts),
        [[0.75, 0.25], [0.5, 0.5]],
        concept="unseen-run",
        why="0/0 is no chance: after a run that was never seen all letters are alike.",
    )
    checking.close(
        impl.probabilities(counts, smoothing=2.0),
        [[5 / 8, 3 / 8], [0.5, 0.5]],
        concept="smoothing",
        why="Add the same to every count, then divide by the row's new sum.",
    )
    checking.close(
        impl.probabilities(counts.astype(int), smoothing=0.5),
        [[0.7, 0.3], [0.5, 0.5]],
        concept="smoothing",
        why="Counts may be whole numbers; what is added need not be one.",
    )


def test_loss_by_hand(impl):
    """After 0 comes 0 with 1/4; after 1 comes 0 with 1/2: the text 0 1 0 0."""
    table = np.array([[0.25, 0.75], [0.5, 0.5]])
    checking.close(
        impl.loss(table, np.array([0, 1, 0, 0])),
        -(np.log(0.75) + np.log(0.5) + np.log(0.25)) / 3,
        concept="mean-surprise",
        why="Three letters have one before them: the mean of their three -log p, the natural logarithm.",
    )
    table = np.arange(1, 9).reshape(2, 2, 2) / 10
    checking.close(
        impl.loss(table, np.array([0, 1, 1, 0])),
        -(np.log(0.4) + np.log(0.7)) / 2,
        concept="mean-surprise",
        why="Letters index the table in the order of the text: after 0, 1 came 1, after 1, 1 came 0.",
    )
    checking.close(
        impl.loss(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 1])),
        np.inf,
        concept="mean-surprise",
        why="A model that rules out what comes is infinitely surprised.",
    )


def test_counting_reaches_the_entropies(impl, texts):
    """Tables that see 0, 1 and 2 letters lose what the language makes them lose, on a text of its own."""
    for order in range(3):
        table = impl.probabilities(impl.count(texts[0], order, 6), smoothing=1.0)
        checking.close(
            impl.loss(table, texts[1]),
            LANGUAGE.entropy(order),
            atol=0.02,
            concept="entropy",
            why=f"With {order} letters to go by, -log p is {LANGUAGE.entropy(order):.4f} on average.",
        )


def test_sample_looks_at_the_last_letters(impl, rng):
    """A table without choice: after a, b comes 2 a + b + 1, of five letters."""
    table = np.zeros((5, 5, 5))
    for a in range(5):
        for b in range(5):
            table[a, b, (2 * a + b + 1) % 5] = 1
    want = [4, 0, 3]
    while len(want) < 12:
        want.append((2 * want[-2] + want[-1] + 1) % 5)
    checking.equal(
        impl.sample(table, np.array([4, 0, 3]), 12, rng),
        np.array(want),
        concept="last-letters",
        why="What follows depends on the last `order` letters so far; the start is part of the text.",
    )
    checking.equal(
        impl.sample(np.array([0.0, 1.0, 0.0]), np.array([2]), 5, rng),
        np.array([2, 1, 1, 1, 1]),
        concept="last-letters",
        why="A table of order 0 looks back at no letter: the last 0 letters are none, not all.",
    )


def test_sample_draws_by_chance(impl, rng):
    """A long sample has the shares of its table, rare letters too."""
    table = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.1, 0.6, 0.3]])
    text = impl.sample(table, np.array([1]), 6000, rng)
    for a in range(3):
        after = checking.array(text)[1:][checking.array(text)[:-1] == a]
        checking.close(
            [float(np.mean(after == b)) if len(after) else 0.0 for b in range(3)],
            table[a],
            rtol=0,
            atol=0.07,
            concept="draw-by-chance",
            why="Each letter is drawn with its chance; always the likeliest one makes a text go round.",
        )
    draws = [
        checking.array(impl.sample(table, np.array([1]), 50, np.random.default_rng(key))).tolist()
        for key in (1, 1, 2)
    ]
    checking.that(
        draws[0] == draws[1] != draws[2],
        concept="rng",
        why="Chance comes from `rng` alone: the same one gives the same text, another one another.",
        expected="equal texts for equal generators only",
        got=draws,
    )


def test_windows_of_a_text_by_hand(impl):
    """The text 5 6 7 8 with three letters to go by, and one."""
    for block, want in ((3, ([[5, 6, 7]], [8])), (1, ([[5], [6], [7]], [6, 7, 8]))):
        runs, following = impl.windows(np.array([5, 6, 7, 8], dtype=np.int32), block)
        for got, right in ((runs, want[0]), (following, want[1])):
            checking.alike(
                got,
                torch.tensor(right),
                concept="runs-and-next",
                why="Tensors of int64: n - block runs, and as many letters after them.",
            )
            checking.equal(
                got,
                torch.tensor(right),
                concept="next-not-last",
                why="The target is the letter after the run; a letter of the run itself is no riddle.",
            )


def test_net_reads_runs_in_their_order(impl, seed):
    """Scores of shape (B, K), which change when two letters change places."""
    torch.manual_seed(seed)
    net = impl.Net(7, 4, width=5, hidden=11)
    runs = torch.tensor([[1, 2, 3, 4], [2, 1, 3, 4], [1, 2, 4, 3]])
    scores = net(runs)
    checking.equal(
        tuple(scores.shape), (3, 7), concept="scores", why="One score for each letter of K."
    )
    for swapped in scores[1:]:
        checking.that(
            float((scores[0] - swapped).abs().max()) > 1e-4,
            concept="order-of-letters",
            why="Vectors side by side keep the order of the letters; their sum or mean forgets it.",
            expected="other scores for another order",
            got="the same scores",
        )
    checking.close(
        scores[:1],
        net(runs[:1]),
        atol=1e-5,
        concept="runs-apart",
        why="What a run scores is its own affair: no number of another run may get into its row.",
    )
    for sums in (scores.sum(1), scores.exp().sum(1)):
        checking.that(
            float((sums - 1).abs().min()) > 1e-4,
            concept="scores-not-chances",
            why="The net gives scores; the softmax (and its log) belongs to the loss.",
            expected="rows of any sum",
            got="rows, or their exp, that sum to 1",
        )


def test_net_is_more_than_a_sum(impl, seed):
    """What the last letter does to the scores depends on the letter before it."""
    torch.manual_seed(seed)
    scores = impl.Net(6, 2)(torch.tensor([[0, 1], [0, 2], [3, 1], [3, 2]]))
    crossed = (scores[0] - scores[1]) - (scores[2] - scores[3])
    checking.that(
        float(crossed.abs().max()) > 1e-5,
        concept="hidden-layer",
        why="Without a bend between the layers two letters only add up: put tanh on the hidden units.",
        expected="differences that depend on the other letter",
        got="the same differences",
    )


@pytest.mark.parametrize(("width", "hidden"), [(5, 11), (8, 30), (2, 3)])
def test_net_has_the_size_asked_for(impl, width, hidden):
    """As many weights as vectors, hidden layer and scores need, with or without biases."""
    net = impl.Net(7, 4, width=width, hidden=hidden)
    weights = sum(value.numel() for value in net.parameters())
    least = 7 * width + 4 * width * hidden + hidden * 7
    checking.that(
        least <= weights <= least + hidden + 7,
        concept="sizes",
        why="One vector of `width` numbers a letter, wherever it stands; `hidden` units see 4 of them.",
        expected=f"{least} weights, or {least + hidden + 7} with biases",
        got=weights,
    )


def test_hidden_units_level_off(impl, seed):
    """All weights ten times as large: scores grow with those of the last layer alone."""
    torch.manual_seed(seed)
    net, runs = impl.Net(6, 2), torch.tensor([[0, 1], [5, 2], [3, 3]])
    sizes = []
    for factor in (300, 10):
        with torch.no_grad():
            for weights in net.parameters():
                weights.mul_(factor)
            sizes.append(float(net(runs).abs().max()))
    checking.that(
        sizes[1] < 20 * sizes[0],
        concept="hidden-layer",
        why="The hidden units are tanh: however large what they are given, they stay within -1 and 1.",
        expected="scores about ten times as large",
        got=f"{sizes[1] / sizes[0]:.0f} times as large",
    )


def test_net_begins_with_a_guess(impl, texts, seed):
    """Before any step the loss is near log K, and every weight has a gradient."""
    torch.manual_seed(seed)
    net = impl.Net(6, 2)
    first = impl.net_loss(net, *impl.windows(texts[0][:4000], 2))
    checking.close(
        first,
        np.float32(np.log(6)),
        rtol=0,
        atol=0.3,
        concept="first-loss",
        why="Who knows nothing gives each letter 1/K; a higher first loss is conviction without a reason.",
    )
    has_graph(first)
    first.backward()
    for name, weights in net.named_parameters():
        checking.that(
            weights.grad is not None and bool(weights.grad.abs().max() > 0),
            concept="gradient-flows",
            why="The loss has to depend on every weight: nothing detached, nothing left out.",
            expected=f"a gradient for {name}",
            got="none, or zero",
        )


def test_net_loss_against_its_definition(impl, rng):
    """Scores from a table, one run by itself, with large ones among them; and the slope."""
    scores = rng.normal(size=(4, 5)) * [[1.0], [4.0], [0.0], [400.0]]
    net = Table(scores)
    runs, following = rng.integers(0, 4, size=(9, 3)), rng.integers(0, 5, size=9)
    rows = scores[runs[:, -1]]
    highest = rows.max(1, keepdims=True)
    chances = np.exp(rows - highest) / np.exp(rows - highest).sum(1, keepdims=True)
    norm = highest[:, 0] + np.log(np.exp(rows - highest).sum(1))
    got = impl.net_loss(net, torch.tensor(runs), torch.tensor(following))
    checking.close(
        got,
        np.mean(norm - rows[np.arange(9), following]),
        concept="softmax-over-letters",
        why="Chances sum to 1 over the letters, for each run by itself; then the mean of -log p.",
    )
    has_graph(got)
    got.backward()
    want = np.zeros((4, 5))
    np.add.at(want, runs[:, -1], (chances - np.eye(5)[following]) / 9)
    checking.close(
        net.scores.grad,
        want,
        concept="gradient-flows",
        why="The slope by a score is its chance, less 1 for what came, over B.",
    )


def test_training_keeps_to_its_numbers(impl, seed):
    """Five steps, each on eleven runs, never the same eleven."""
    torch.manual_seed(seed)
    net, seen = impl.Net(4, 3), []
    net.register_forward_hook(lambda module, inputs, _: seen.append(inputs[0].clone()))
    impl.train(net, np.arange(500) ** 2 // 3 % 4, 3, steps=5, batch=11, lr=1e-3)
    checking.equal(
        [tuple(runs.shape) for runs in seen],
        [(11, 3)] * 5,
        concept="steps-and-batch",
        why="`steps` steps, and in each `batch` runs go through the net once.",
    )
    checking.that(
        len({tuple(runs.flatten().tolist()) for runs in seen}) > 1,
        concept="new-batch",
        why="Draw other runs in each step: one batch alone is learned by heart.",
        expected="other runs in each step",
        got="the same runs",
    )


def test_learning_rate_falls(impl, seed):
    """Where only one letter ever comes, Adam goes by the learning rate: half of steps times lr in all."""
    torch.manual_seed(seed)
    net = impl.Net(3, 1)
    before = [weights.detach().clone() for weights in net.parameters()]
    impl.train(net, np.zeros(50, dtype=int), 1, steps=40, batch=8, lr=1e-4)
    far = max(
        float((new - old).abs().max()) for new, old in zip(net.parameters(), before, strict=True)
    )
    checking.close(
        far / (40 * 1e-4),
        0.5,
        rtol=0,
        atol=0.1,
        concept="learning-rate-falls",
        why="From lr at the first step to 0 after the last, in a straight line: lr / 2 on average.",
    )


def test_adam_remembers(impl, rng, seed):
    """The third step of a table of scores is not that of an Adam which has just been made."""
    torch.manual_seed(seed)
    net, before = Table(rng.normal(size=(3, 3))), []
    net.register_forward_hook(lambda *_: before.append(net.scores.detach().clone()))
    impl.train(net, rng.integers(0, 3, size=200), 1, steps=3, batch=30, lr=0.3)
    moved = (net.scores.detach() - before[-1]).abs()
    checking.that(
        not np.allclose(moved, 0.1, rtol=1e-3),
        concept="one-optimizer",
        why="Adam goes by the gradients of earlier steps too: make it once, before the loop.",
        expected="steps of different sizes",
        got=moved,
    )


def test_net_finds_the_entropy(impl, trained, texts):
    """On a text of its own the net loses at most 4 % more than one who knows the language."""
    with torch.no_grad():
        lost = float(impl.net_loss(trained, *impl.windows(texts[1], 2)))
    known = LANGUAGE.loss(texts[1])
    checking.that(
        lost > known - 0.003,
        concept="no-peeking",
        why="Nobody beats the language's own law but by peeking: is the target among what the net sees?",
        expected=f"not below {known:.4f}",
        got=lost,
    )
    checking.that(
        lost < 1.04 * known,
        concept="entropy",
        why="Do runs and targets belong together, are gradients set to zero, do all steps count?",
        expected=f"at most 1.04 times {known:.4f}",
        got=lost,
    )


def test_inputs_stay_as_they_are(impl, rng):
    """No function changes what it is given."""
    text, table = rng.integers(0, 3, size=30), np.full((3, 3), 1 / 3)
    with checking.untouched(text, table, why="Work on copies: the text is needed again."):
        counts = impl.count(text, 1, 3)
        impl.loss(table, text)
        impl.sample(table, text[:2], 9, rng)
        impl.windows(text, 2)
    with checking.untouched(counts, why="`counts += smoothing` changes the caller's counts."):
        impl.probabilities(counts, smoothing=1.0)
