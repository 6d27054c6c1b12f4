"""Hidden tests of w01.t05: another language, other orders."""

import numpy as np
import torch

from tasks.labs import checking, markov


def test_counts_against_all_places(impl, rng):
    """Runs of three letters in a text of four."""
    text = rng.integers(0, 4, size=200)
    counts = np.zeros((4, 4, 4, 4))
    for place in range(197):
        a, b, c, d = text[place : place + 4]
        counts[a, b, c, d] += 1
    checking.equal(
        impl.count(text, 3, 4),
        counts,
        concept="what-follows-what",
        why="n - order places, each counted once, at the letters in the order of the text.",
    )


def test_shares_are_the_best_table(impl, rng):
    """On the text that was counted, no other table loses less than the shares do."""
    text = rng.integers(0, 3, size=80)
    shares = checking.array(impl.probabilities(impl.count(text, 1, 3)))
    least = impl.loss(shares, text)
    for _ in range(5):
        other = 0.9 * shares + 0.1 * rng.dirichlet(np.ones(3), size=3)
        checking.that(
            impl.loss(other, text) > least,
            concept="mean-surprise",
            why="Each -log p counts as often as its run comes up in the text; then shares are the best.",
            expected=f"more than the shares' {least:.6f}",
            got=impl.loss(other, text),
        )


def test_loss_of_the_language_itself(impl, rng):
    """The true law as a table has the loss that the language says."""
    language = markov.language(4, seed=5)
    text = language.text(500, rng)
    checking.close(
        impl.loss(language.follow, text),
        language.loss(text),
        concept="mean-surprise",
        why="All letters with two before them, no more and no fewer.",
    )
    even = np.full(4, 0.25)
    checking.close(
        impl.loss(even, text), np.log(4), concept="mean-surprise", why="Order 0: all letters count."
    )


def test_sample_of_order_zero_and_two(impl, rng):
    """From nothing, and in a language: its entropy shows in the sample."""
    text = impl.sample(np.array([0.0, 1.0, 0.0]), np.array([], dtype=int), 5, rng)
    checking.equal(
        text, np.ones(5), concept="last-letters", why="A table of order 0 needs no start."
    )
    language = markov.language(4, seed=5)
    text = checking.array(impl.sample(language.follow, np.array([1, 2]), 5000, rng))
    checking.equal(text.shape, (5000,), concept="last-letters", why="`length` letters in all.")
    checking.close(
        language.loss(text),
        language.entropy(2),
        rtol=0,
        atol=0.1,
        concept="draw-by-chance",
        why="A sample surprises as much as the language does; less when only likely letters are drawn.",
    )


def test_net_that_sees_one_letter(impl, run_seed):
    """It cannot be better than the entropy given one letter, and comes near it."""
    language = markov.language(5, seed=3)
    draws = np.random.default_rng(run_seed + 77)
    train, test = language.text(20_000, draws), language.text(20_000, draws)
    torch.manual_seed(run_seed)
    net = impl.Net(5, 1, width=4, hidden=20)
    impl.train(net, train, 1, steps=250, batch=256, lr=2e-2)
    with torch.no_grad():
        lost = float(impl.net_loss(net, *impl.windows(test, 1)))
    checking.close(
        lost,
        language.entropy(1),
        rtol=0,
        atol=0.04,
        concept="entropy",
        why="One letter to go by leaves the entropy given one letter.",
    )


def test_windows_of_many(impl, rng):
    """Runs and targets put together are the text again."""
    text = rng.integers(0, 9, size=40).astype(np.int32)
    runs, following = impl.windows(text, 5)
    whole = torch.cat([runs, following[:, None]], 1)
    checking.equal(
        whole,
        torch.tensor(np.lib.stride_tricks.sliding_window_view(text, 6).copy()).long(),
        concept="runs-and-next",
        why="Each run with its target is six letters of the text in a row.",
    )
