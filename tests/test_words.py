"""Skip-gram: loss and scores against loops, closed forms and scipy; what it learns; figures; checkpoints."""

import math
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import QUICK
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from test_building import quiet_trainer
from test_script import Script, same, weights
from torch import Tensor
from torch.nn import functional as F

from lab.data.word_families import Families
from lab.data.word_windows import WordWindows
from lab.errors import LabError
from lab.figures import words as figures
from lab.models.word_counts import count_vectors, frequency_loss, pairs_of
from lab.models.word_embedding import WordEmbedding
from lab.models.word_vectors import (
    analogy_accuracy,
    draw,
    expected_cost,
    nearest,
    negative_cost,
    noise,
    skip_gram_loss,
    solve,
    word_similarity,
)
from lab.nets.mlp import MLP
from lab.nets.skip_gram import SkipGram

SMALL = ("--model", "WordEmbedding", "--data.sentences", "1000", "--model.net.width", "8")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


# The loss


def test_loss_is_the_mean_over_pairs_by_loops() -> None:
    center, context, negative = random(2, 3, 5), random(2, 7, 5, seed=1), random(2, 4, 5, seed=2)
    weights = (random(2, 3, 7, seed=3) > 0).double()
    total, pairs = 0.0, 0
    for block, place, other in weights.nonzero().tolist():
        v, u = center[block, place], context[block, other]
        total -= math.log(1 / (1 + math.exp(-float(u @ v))))
        for n in negative[block]:
            total -= 3 * math.log(1 / (1 + math.exp(float(n @ v)))) / 4
        pairs += 1
    loss = skip_gram_loss(center, context, negative_cost(center, negative), weights, negatives=3)
    assert loss.item() == pytest.approx(total / pairs, rel=1e-12)


def test_blocks_without_pairs_cost_nothing() -> None:
    center, context = random(1, 3, 5), random(1, 5, 5)
    far = negative_cost(center, context)
    assert skip_gram_loss(center, context, far, torch.zeros(1, 3, 5), negatives=5).item() == 0


def test_expected_cost_is_the_sum_over_all_words() -> None:
    center, context = random(6, 4), random(6, 4, seed=1)
    probability = noise(torch.tensor([5, 1, 0, 2, 8, 3]))
    expected = [
        sum(
            float(p) * math.log1p(math.exp(float(v @ u)))
            for p, u in zip(probability, context, strict=True)
        )
        for v in center
    ]
    found = expected_cost(center, context, probability)
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


def test_negatives_are_drawn_with_their_probability() -> None:
    counts = torch.tensor([0, 16, 1, 0, 81, 0])
    probability = noise(counts)
    assert probability.tolist() == pytest.approx([0, 8 / 36, 1 / 36, 0, 27 / 36, 0])
    torch.manual_seed(0)
    drawn = draw(probability.cumsum(0).float(), 100, 1000)
    assert drawn.shape == (100, 1000)
    share = torch.bincount(drawn.flatten(), minlength=6) / drawn.numel()
    assert share.tolist() == pytest.approx(probability.tolist(), abs=0.005)
    assert share[[0, 3, 5]].tolist() == [0, 0, 0]


# Scores


def test_analogies_by_loops() -> None:
    vectors, seen = random(30, 6), torch.Generator().manual_seed(1)
    questions = torch.stack([torch.randperm(30, generator=seen)[:4] for _ in range(2500)])
    unit = [v / v.norm() for v in vectors]
    for a, b, c, answer in torch.cat([questions[:, :3], solve(vectors, questions)[:, None]], 1)[
        :50
    ]:
        target = unit[b] - unit[a] + unit[c]
        scores = {w: float(unit[w] @ target) for w in range(30) if w not in (a, b, c)}
        assert max(scores, key=scores.__getitem__) == answer
    right = (solve(vectors, questions) == questions[:, 3]).double().mean().item()
    assert analogy_accuracy(vectors, questions) == pytest.approx(right) != 0


def test_an_analogy_by_hand() -> None:
    # sex and rank as coordinates; the nearest word to king - man + woman is king itself, which is asked.
    man, woman, king, queen, apple = [1, 0, 0.1], [-1, 0, 0.1], [1, 2, 0], [-1, 2, 0], [0, -1, 3]
    vectors = torch.tensor([man, woman, king, queen, apple])
    assert solve(vectors, torch.tensor([[0, 1, 2]])).tolist() == [3]


def test_similarity_is_spearmans_with_ties() -> None:
    vectors = random(20, 5)
    pairs = torch.tensor([[place, (place * 7 + 1) % 20] for place in range(20)])
    people = torch.tensor([float(place % 6) for place in range(20)])
    cosine = [float(F.cosine_similarity(vectors[a], vectors[b], dim=0)) for a, b in pairs]
    expected = spearmanr(cosine, people).statistic
    assert word_similarity(vectors, pairs, people) == pytest.approx(expected, abs=1e-6)


def test_nearest_words_are_those_not_asked() -> None:
    vectors = torch.tensor([[1.0, 0], [2, 0.1], [0, 1], [-1, 0]])
    cosines, words = nearest(vectors, vectors[0], 5, but=torch.tensor([0, 0]))
    assert words.tolist() == [1, 2, 3]
    assert cosines.tolist() == pytest.approx([2 / math.hypot(2, 0.1), 0, -1], abs=1e-6)


def test_principal_plane_is_that_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    vectors = random(12, 5)
    expected = PCA(2).fit_transform(vectors.numpy())
    np.testing.assert_allclose(
        np.abs(figures.principal_plane(vectors).numpy()), np.abs(expected), atol=1e-9
    )


# Counts


def test_count_vectors_factorise_positive_information() -> None:
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randint(6, (2, 400), generator=generator)
    pairs = torch.cat([pairs, pairs.flip(0), torch.tensor([[0, 1], [1, 0]]).repeat(1, 50)], 1)
    counts = torch.zeros(6, 6, dtype=torch.double)
    for row, column in pairs.T.tolist():
        counts[row, column] += 1
    information = counts * counts.sum() / torch.outer(counts.sum(1), counts.sum(0))
    positive = information.log().clamp(min=0)
    left, strength, _ = torch.linalg.svd(positive)
    expected = left * strength.sqrt()
    state = torch.get_rng_state()
    found = count_vectors(pairs, 6, 6).double()
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(found @ found.T, expected @ expected.T, atol=1e-4, rtol=1e-3)


def test_frequency_loss_is_the_best_without_a_look_at_the_centre() -> None:
    counts = torch.tensor([50, 30, 20, 0])
    words = torch.tensor([[0, 1, 2, 0, 1, 0, 0, 1, 2, 0]])
    weights = torch.zeros(1, 8, 10)
    weights[0, 0] = 1
    shown = torch.tensor([5.0, 3, 2, 0])
    probability = noise(counts)

    def loss(score: Tensor) -> float:
        near = sum(math.log1p(math.exp(-float(score[w]))) for w in words[0].tolist()) / 10
        costs = zip(probability.tolist(), score.tolist(), strict=True)
        far = sum(p * math.log1p(math.exp(s)) for p, s in costs)
        return near + 5 * far

    best = (shown / 10 / probability.clamp(min=1e-30) / 5).log().clamp(min=-30)
    found = frequency_loss(words, weights, shown, probability, 5)
    assert found == pytest.approx(loss(best), rel=1e-6)
    for word in range(3):
        for change in (-0.1, 0.1):
            other = best.clone()
            other[word] += change
            assert loss(other) > found


def test_pairs_are_counted_as_they_are_trained() -> None:
    data = Families(sentences=1000)
    data.setup("fit")
    pairs = pairs_of(data.train_set, data.batch_transform, most=20)
    words, weights = data.batch_transform(data.train_set.__getitems__(list(range(20))))
    assert pairs.shape == (2, int(weights.sum()))
    assert torch.equal(
        pairs[0].bincount(), words[:, 5:-5].flatten().bincount(weights.sum(-1).flatten()).long()
    )


# The net


def test_words_not_in_a_batch_get_no_gradient() -> None:
    net = SkipGram((3,), 10, width=4, zero_init=False)
    net.context(net.center(torch.tensor([2, 5])).sum(1).long() * 0 + 7).sum().backward()
    gradient = net.context.weight.grad
    assert gradient is not None and gradient.is_sparse
    assert gradient.coalesce().indices().tolist() == [[7]]
    dense = SkipGram((3,), 10, width=4, sparse=False, zero_init=False)
    dense(torch.tensor([[2, 5, 5]])).sum().backward()
    assert dense.center.weight.grad is not None and not dense.center.weight.grad.is_sparse


def test_scores_are_products_and_start_at_zero() -> None:
    words = torch.tensor([[2, 5, 5]])
    assert not SkipGram((3,), 10)(words).any()
    net = SkipGram((3,), 10, width=4, zero_init=False)
    for place, word in enumerate([2, 5, 5]):
        expected = (net.context.weight @ net.center.weight[word]).tolist()
        assert net(words)[0, place].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    with pytest.raises(ValueError, match="--model.net.width 0"):
        SkipGram((3,), 10, width=0)


# The model


class Pairs(Families):
    """A text of sentences of two words, "0 1", "2 3", ..., so that each word has one neighbour."""

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.words = tuple(str(number) for number in range(20))
        words = torch.arange(20).repeat(32)
        sentences = torch.arange(320).repeat_interleave(2)
        self.counts = torch.full((20,), 32)
        self.train_set = WordWindows(words, sentences, torch.ones(20), window=5)
        self.val_set = self.test_set = self.train_set.fixed()
        self.questions, self.similarities = {}, None

    def __init__(self) -> None:
        super().__init__(sentences=1000)
        self.vocab_size = 20


def test_a_text_of_pairs_is_learnt_by_heart() -> None:
    data, k, size = Pairs(), 5, 20
    torch.manual_seed(0)
    model = WordEmbedding(size, partial(SkipGram, width=24), lr=0.3, shared=512, schedule="cosine")
    trainer = quiet_trainer(max_epochs=60, check_val_every_n_epoch=60)
    trainer.fit(model, datamodule=data)
    scores = model(torch.arange(size)[None])[0]
    assert scores.argmax(1).tolist() == [number ^ 1 for number in range(size)]
    # The best score of a pair is log(p(word | centre) / k q(word)), here log(1 / (5 / 20)).
    best = math.log(size / k)
    floor = math.log1p(math.exp(-best)) + k / size * math.log1p(math.exp(best))
    loss = trainer.callback_metrics["val/loss"].item()
    assert floor <= loss < 1.05 * floor
    assert scores.max(1).values.detach().mean().item() == pytest.approx(best, abs=0.3)


@pytest.mark.parametrize("negatives", [1, 5])
def test_first_loss_is_that_of_a_guess(negatives: int) -> None:
    data = Families(sentences=1000)
    data.setup("fit")
    model = WordEmbedding(data.vocab_size, SkipGram, negatives=negatives)
    model.trainer = quiet_trainer(log_every_n_steps=0)
    model.trainer.datamodule = data  # type: ignore[attr-defined]
    model.setup("fit")
    model.on_fit_start()
    batch = data.batch_transform(data.train_set.__getitems__(list(range(16))))
    guess = (1 + negatives) * math.log(2)
    assert model.training_step(batch, 0).item() == pytest.approx(guess, rel=1e-5)
    (found,) = quiet_trainer().validate(model, datamodule=data, verbose=False)
    assert found["val/loss"] == pytest.approx(guess, rel=1e-5)


@pytest.mark.slow
def test_king_minus_man_plus_woman_is_queen(script: Script) -> None:
    outcome = script("-c", "words_families", "--trainer.max_epochs", 1)
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/analogy"] == outcome.summary["val/analogy"] == 1.0
    assert outcome.summary["test/loss"] < outcome.summary["baseline/frequency/test/loss"] - 0.5
    assert outcome.summary["baseline/random/test/analogy"] < 0.05
    assert "PPMI-SVD" in outcome.out
    assert {path.name for path in outcome.folder.glob("figures/*")} == {
        "nearest_words.png",
        "word_map.png",
    }
    best = outcome.folder / "checkpoints" / "best.ckpt"
    asked = ("--data.queries", "[king - man + woman, paris - france + italy, boy]")
    found = script("predict", "--ckpt_path", best, *asked)
    assert found.code == 0, found.err
    lines = (found.folder / "predictions.txt").read_text().splitlines()
    assert lines[0].startswith("king - man + woman: queen 0.")
    assert lines[1].startswith("paris - france + italy: rome 0.")
    assert lines[2].startswith("boy: ") and len(lines) == 3 and lines[0] in found.out
    again = script("test", "--ckpt_path", best)
    assert again.summary["test/loss"] == pytest.approx(outcome.summary["test/loss"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_all_analogies_of_families_are_solved(script: Script, seed: int) -> None:
    outcome = script("-c", "words_families", "--seed_everything", seed)
    assert outcome.summary["test/analogy"] == 1.0


def test_any_text_is_learnt_from(script: Script, capsys: Any) -> None:
    generator = np.random.RandomState(0)
    words = [f"{'ab'[place % 2]}{generator.randint(5)}" for place in range(4000)]
    Path("text.txt").write_text(" ".join(words))
    outcome = script(*SMALL[:2], *SMALL[4:], "--data", "WordText", "--data.path", "text.txt",
                     "--data.max_words", "50", "--data.subsample", "0", *QUICK)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert set(outcome.summary) >= {"test/loss", "val/loss"}
    assert "test/analogy" not in outcome.summary and "test/wordsim" not in outcome.summary


def test_similarity_is_of_the_test_alone() -> None:
    data = Families(sentences=1000)
    model = WordEmbedding(data.vocab_size, partial(SkipGram, width=8))
    data.setup("fit")
    pairs = torch.tensor([[0, 1], [2, 3], [4, 5], [6, 7]])
    data.setup = lambda stage: None  # type: ignore[method-assign]
    data.similarities = (pairs, torch.tensor([1.0, 3, 2, 4]))  # type: ignore[assignment]
    (found,) = quiet_trainer().test(model, datamodule=data, verbose=False)
    assert set(found) == {"test/loss", "test/analogy", "test/wordsim"}
    (found,) = quiet_trainer().validate(model, datamodule=data, verbose=False)
    assert set(found) == {"val/loss", "val/analogy"}


@pytest.mark.slow
def test_finished_run_goes_on_as_if_never_stopped(script: Script) -> None:
    words = (*SMALL, "--trainer.enable_progress_bar", "false")
    longer = script(*words, "--trainer.max_epochs", "3")
    first = script(*words, "--trainer.max_epochs", "1")
    more = script("--resume", first.folder, "--trainer.max_epochs", "3", "--run_dir", first.folder)
    assert more.code == 0, more.err
    assert same(weights(longer.folder), weights(first.folder))


def test_checkpoint_holds_the_words(script: Script) -> None:
    outcome = script(*SMALL, *QUICK)
    path = outcome.folder / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    assert content["words"] == list(Families().words)
    model = WordEmbedding.load_from_checkpoint(
        path, vocab_size=len(content["words"]), net=partial(SkipGram, width=8), weights_only=True
    )
    # Alone, with no data module.
    asked = torch.tensor([model.words.index("king"), -1]), torch.tensor([1.0, 0.0])
    assert re.fullmatch(r"king: (\w+ -?\d\.\d\d(, )?){5}", model.answer(*asked))


def test_checkpoint_of_other_words_is_refused(script: Script) -> None:
    for name in ("one", "other"):
        Path(f"{name}.txt").write_text(" ".join([name, "b", "c"] * 100))
    words = ("--data", "WordText", "--data.max_words", "5", "--data.subsample", "0")
    outcome = script(*SMALL[:2], *words, "--data.path", "one.txt", *QUICK)
    path = outcome.folder / "checkpoints" / "last.ckpt"
    found = script("test", "--ckpt_path", path, "--data.path", "other.txt")
    assert found.code != 0
    assert "the checkpoint's words are not those of the data" in found.err
    assert script("test", "--ckpt_path", path).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.net", "MLP"], "--model.net MLP has no vectors of words.\nNearest: SkipGram"),
        (["--model.negatives", "0"], "--model.negatives and --model.shared must be at least 1"),
        (["--model.shared", "0"], "--model.negatives and --model.shared must be at least 1"),
        (["--model.optimizer", "AdamW"], "--model.optimizer AdamW takes no sparse gradients:"),
        (["--model.net.width", "0"], "--model.net.width 0: choose 1 or more"),
        (["--data", "Digits"], "--data Digits does not fit --model WordEmbedding"),
        (
            ["--data.queries", "[kin - man]"],
            "--data.queries: kin is none of the 258 words.\nNearest: ",
        ),
    ],
)
def test_wrong_options(script: Script, words: list[str], message: str) -> None:
    outcome = script("--model", "WordEmbedding", *words, *QUICK)
    assert outcome.code != 0 and message in outcome.err
    assert len(outcome.err.strip().splitlines()) <= 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("--model.optimizer", "AdamW", "--model.net.sparse", "false", "--model.lr", "0.1"),
        ("--model.optimizer", "SparseAdam", "--model.lr", "0.1"),
        ("--model.optimizer", "SGD", "--model.lr", "100", "--model.schedule", "cosine"),
    ],
    ids=lambda words: words[1],
)
def test_other_optimizers_learn_too(script: Script, words: tuple[str, ...]) -> None:
    outcome = script(*SMALL, *words, *QUICK)
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/loss"] < 4


def test_words_fit_word_embedding_alone(script: Script) -> None:
    outcome = script("--data", "Families", "--model", "Classification", "--model.net", "MLP")
    assert "does not fit" in outcome.err and "WordEmbedding" in outcome.err
    with pytest.raises(LabError, match="has no vectors"):
        WordEmbedding(5, MLP)


# Figures


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures by name, instead of files."""
    found: dict[str, Figure] = {}
    monkeypatch.setattr(
        figures, "save_figure", lambda trainer, figure, name: found.update({name: figure})
    )
    return found


def test_map_has_an_arrow_for_each_pair(drawn: dict[str, Figure]) -> None:
    vectors, words = random(12, 5).float(), [f"w{number}" for number in range(12)]
    relations = {
        "one": torch.tensor([[0, 1], [2, 3]]),
        "two": torch.tensor([[4, 5], [4, 6], [7, 8]]),
    }
    trainer: Any = SimpleNamespace()
    figures.draw_map(trainer, words, vectors, relations)
    panels = [axes for axes in drawn["word_map"].axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["one", "two"]
    for axes, pairs in zip(panels, relations.values(), strict=True):
        arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None)]
        names = {text.get_text() for text in axes.texts if text.get_text()}
        assert len(arrows) == len(pairs)
        assert names == {words[number] for number in pairs.unique()}


def test_map_without_relations_shows_frequent_words(drawn: dict[str, Figure]) -> None:
    words = [f"w{number}" for number in range(300)]
    trainer: Any = SimpleNamespace()
    figures.draw_map(trainer, words, random(300, 5).float(), {})
    (axes,) = drawn["word_map"].axes
    assert [text.get_text() for text in axes.texts] == words[:100]


def test_nearest_words_are_a_text(drawn: dict[str, Figure]) -> None:
    data: Any = SimpleNamespace(predict_set=SimpleNamespace(tensors=()))
    model: Any = SimpleNamespace(predict_step=lambda *_: ["a - b: c 0.50, d 0.40", "e: f 1.00"])
    trainer: Any = SimpleNamespace(datamodule=data, is_global_zero=True)
    figures.NearestWords().on_test_end(trainer, model)
    (axes,) = drawn["nearest_words"].axes
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["a - b", "c 0.50, d 0.40", "e", "f 1.00"]
