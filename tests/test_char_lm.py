"""Next character: losses by hand, baselines, learning by heart, samples, and the run by the script."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from test_building import fit, quiet_trainer
from test_models import Recorder
from test_script import Script, same, weights
from torch import Tensor, nn
from torch.nn import functional as F

from lab.data.char_markov import MarkovText
from lab.data.char_windows import HeldOutWindows, TrainingWindows
from lab.errors import LabError
from lab.figures.text import SampledText
from lab.models.char_lm import CharLM, count_pairs, mean_surprise
from lab.nets.recurrent import GRU, LSTM
from lab.nets.transformer import Transformer  # from week 4

VOCABULARY = tuple("abcde")
NETS: dict[str, Any] = {
    "GRU": partial(GRU, width=32),
    "LSTM": partial(LSTM, width=32),
    "Transformer": partial(Transformer, depth=2, width=32, heads=2),  # from week 4
}


def model(net: Any = NETS["GRU"], context: int = 10, **options: Any) -> CharLM:
    torch.manual_seed(0)
    return CharLM((context,), VOCABULARY, net, **options)


def random_text(length: int = 300, seed: int = 0) -> Tensor:
    return torch.randint(5, (length,), generator=torch.Generator().manual_seed(seed))


class Text(pl.LightningDataModule):
    """Random text in windows of ten."""

    def setup(self, stage: str) -> None:
        self.train_set = TrainingWindows(random_text(), context=10)
        self.val_set = HeldOutWindows(random_text(87, seed=1), context=10, overlap=3)
        self.test_set = HeldOutWindows(random_text(64, seed=2), context=10)

    def val_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.val_set, batch_size=4)


class Always(nn.Module):
    """A net that thinks the same of every position."""

    def __init__(self, input_shape: Any, num_outputs: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.arange(float(num_outputs)))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(*x.shape, -1)


@pytest.mark.parametrize("name", NETS)
def test_the_first_loss_is_that_of_a_guess_and_a_batch_is_learnt_by_heart(name: str) -> None:
    text = random_text(41)
    x, y = text[:-1].view(4, 10), text[1:].view(4, 10)
    # The first character of a row is seen twice with different ends, unless rows differ in it.
    x[:, 0] = torch.arange(4)
    losses = Recorder()
    options: dict[str, Any] = {"log_every_n_steps": 1, "limit_val_batches": 0}
    fit(model(NETS[name], lr=1e-2), x, y, max_epochs=150, logger=losses, **options)
    values = list(losses.values("train/loss").values())
    assert values[0] == pytest.approx(math.log(5), abs=0.08)
    assert values[-1] < 0.1


def test_the_loss_is_the_mean_over_all_targets() -> None:
    data = Text()
    data.setup("fit")
    trainer = quiet_trainer()
    (found,) = trainer.validate(built := model(Always), data, verbose=False)
    targets = data.val_set.text[1:]
    expected = F.cross_entropy(torch.arange(5.0).expand(len(targets), -1), targets).item()
    assert found["val/loss"] == pytest.approx(expected, rel=1e-5)
    assert found["val/bits_per_character"] == pytest.approx(expected / math.log(2), rel=1e-5)
    assert set(found) == {"val/loss", "val/bits_per_character"}
    assert not Path("figures").exists(), "a net without steps writes nothing"
    with pytest.raises(LabError, match="Always has no `step`"):
        built.write(torch.zeros(1, 1, dtype=torch.long), length=3)


def test_pairs_are_counted_where_they_are_targets() -> None:
    samples = HeldOutWindows(torch.tensor([0, 1, 1, 0, 1, 2]), context=3, overlap=1)
    counts = count_pairs(samples, 3)
    assert counts.tolist() == [[0, 2, 0], [1, 1, 1], [0, 0, 0]]
    share = torch.tensor([0.5, 0.25, 0.25], dtype=torch.double)
    by_hand = -(math.log(0.5) + 3 * math.log(0.25) + math.log(0.25)) / 5
    assert mean_surprise(share, counts) == pytest.approx(by_hand)
    table = torch.tensor([[0.2, 0.8, 0.0], [0.25, 0.5, 0.25], [1.0, 0.0, 0.0]]).double() + 1e-300
    by_hand = -(2 * math.log(0.8) + 2 * math.log(0.25) + math.log(0.5)) / 5
    assert mean_surprise(table, counts) == pytest.approx(by_hand)


def test_baselines_stand_in_their_order() -> None:
    data = MarkovText(letters=5)
    data.setup("fit")
    found = model().baselines(data)
    losses = [row["test/loss"] for row in found.values()]
    assert list(found) == ["uniform", "unigram", "bigram", "entropy", "law"]
    assert losses[0] == pytest.approx(math.log(5))
    assert losses[0] > losses[1] > losses[2] > losses[3]
    assert losses[3:] == [data.entropy_rate, data.law_loss]
    for row in found.values():
        assert row["test/bits_per_character"] == pytest.approx(row["test/loss"] / math.log(2))
    text = Text()
    text.setup("fit")
    assert list(model().baselines(text)) == ["uniform", "unigram", "bigram"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "--model.length 0"),
        ({"temperature": -1.0}, "--model.temperature -1.0"),
        ({"temperature": math.inf}, "--model.temperature inf"),
        ({"top_k": 0}, "--model.top_k 0"),
        ({"top_p": 0.0}, "--model.top_p 0.0"),
        ({"top_p": 1.5}, "--model.top_p 1.5"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        model(**options)


class Reader(Recorder):
    """A logger that takes texts, as that of W&B does."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[Any] = []

    def log_text(self, key: str, columns: list[str], data: list[list[str]]) -> None:
        assert (key, columns) == ("samples", ["text"])
        self.texts.append(data)


def test_samples_are_written_at_each_validation_and_change_nothing() -> None:
    data = Text()
    data.setup("fit")
    x, y = (torch.cat(parts) for parts in zip(*[data.train_set[k] for k in range(20)], strict=True))
    x, y = x.view(20, 10), y.view(20, 10)
    reader, states = Reader(), []
    for own in ([], [SampledText(texts=3, length=11)]):
        built = model()
        if own:
            built.configure_callbacks = lambda own=own: own  # type: ignore[method-assign]
        logger: Any = reader if own else Recorder()
        fit(built, x, y, max_epochs=2, logger=logger)
        states.append(built.state_dict())
    assert same(*states)
    assert len(reader.texts) == 2 and reader.texts[0] != reader.texts[1]
    prompts = ["".join(VOCABULARY[number] for number in row[:8].tolist()) for row in x[:3]]
    assert [text[:8] for (text,) in reader.texts[0]] == prompts
    assert {len(text) for (text,) in reader.texts[0]} == {19}
    content = Path("figures/samples.txt").read_text()
    assert all(text in content for part in reader.texts for (text,) in part)
    assert content.count("--- epoch 1, step 10\n") == 2 + 3


# The script

SMALL = ["--data", "MarkovText", "--data.batch_size", "250", "--model", "CharLM"]
SMALL += ["--trainer.limit_train_batches", "4", "--trainer.limit_val_batches", "2"]
SMALL += ["--trainer.limit_test_batches", "2"]
GRU_16 = ["--model.net", "GRU", "--model.net.width", "16"]


def test_a_run_writes_samples_and_predict_goes_on_from_a_prompt(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    outcome = script(*SMALL, *GRU_16, "--trainer.max_epochs", "1", "--wandb")
    assert outcome.code == 0, outcome.err
    assert list(outcome.folder.glob("wandb/offline-run-*/files/media/table/samples*.json"))
    assert (outcome.folder / "figures/samples.txt").read_text().startswith("--- epoch 0, step 4\n")
    head, *_ = [line for line in outcome.out.splitlines() if line.startswith("metric")]
    assert head.split()[2:] == ["uniform", "unigram", "bigram", "entropy", "law"]
    assert outcome.summary["baseline/entropy/test/loss"] == pytest.approx(MarkovText().entropy_rate)
    best = outcome.folder / "checkpoints/best.ckpt"
    said = ["--model.length", "30", "--data.prompt", "abc", "--model.top_k", "3"]
    texts = []
    for seed in (0, 0, 1):
        told = script("predict", "--ckpt_path", best, *said, "--seed_everything", seed)
        assert told.code == 0, told.err
        texts.append((told.folder / "predictions.txt").read_text())
        assert texts[-1] in told.out
    assert texts[0].startswith("abc") and len(texts[0]) == 3 + 30 + 1
    assert texts[0] == texts[1] != texts[2]
    wrong = script("predict", "--ckpt_path", best, "--data.prompt", "a!")
    assert wrong.code != 0 and "has '!'" in wrong.err and len(wrong.err.splitlines()) <= 6


@pytest.mark.slow
def test_a_resumed_run_ends_the_same(script: Script) -> None:
    words = [*SMALL, "--model.net", "LSTM", "--model.net.width", "16"]
    words += ["--model.net.dropout", "0.2", "--model.schedule", "constant"]
    whole = script(*words, "--trainer.max_epochs", "3")
    part = script(*words, "--trainer.max_epochs", "2")
    more = script("--resume", part.folder, "--trainer.max_epochs", "3", "--run_dir", part.folder)
    assert more.code == 0, more.err
    assert same(weights(whole.folder), weights(part.folder))


def test_other_data_and_other_models_are_told_apart(script: Script) -> None:
    wrong = script("--data", "Digits", "--model", "CharLM")
    assert wrong.code == 2 and "it states no vocabulary" in wrong.err
    wrong = script("--data", "MarkovText", "--model", "Classification")
    assert wrong.code == 2 and "Models that fit MarkovText: CharLM" in wrong.err


@pytest.mark.slow
def test_the_markov_language_is_learnt_down_to_its_entropy(script: Script) -> None:
    outcome = script("-c", "char_markov", "--trainer.enable_progress_bar", "false")
    assert outcome.code == 0, outcome.err
    summary = json.loads((outcome.folder / "summary.json").read_text())
    exact, law = (summary[f"baseline/{name}/test/loss"] for name in ("entropy", "law"))
    assert law < summary["test/loss"] and exact < summary["test/loss"] < 1.02 * exact
