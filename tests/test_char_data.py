"""Text as data: vocabularies, windows, the split, and a language whose entropy is known."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ROOT
from data_files import remote
from torch import Tensor

from lab.data import char_docs, char_text
from lab.data.base import IGNORED, LabData
from lab.data.char_docs import PythonDocs, paragraphs
from lab.data.char_markov import MarkovLaw, MarkovText
from lab.data.char_text import CharText
from lab.data.char_windows import HeldOutWindows, TrainingWindows
from lab.data.vocabulary import UNKNOWN, CharVocabulary
from lab.errors import LabError

TEXT = "".join(chr(97 + number % 7 + number // 900) for number in range(1000))


@pytest.fixture
def shakespeare(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text in the place of Tiny Shakespeare."""
    path = Path("data/tinyshakespeare/input.txt")
    path.parent.mkdir(parents=True)
    path.write_text(TEXT)
    monkeypatch.setattr(char_text, "SHAKESPEARE", remote("input.txt", TEXT.encode()))
    return path


def ready(data: LabData) -> Any:
    data.prepare_data()
    data.setup("fit")
    return data


def texts(data: Any) -> list[Tensor]:
    return [part.text for part in (data.train_set, data.val_set, data.test_set)]


# Vocabulary


def test_characters_are_numbered_in_their_own_order_and_come_back() -> None:
    vocabulary = CharVocabulary("banana split\n")
    assert vocabulary.tokens == tuple(sorted(set("banana split\n")))
    numbers = vocabulary.encode("tips")
    assert numbers.tolist() == [vocabulary.tokens.index(character) for character in "tips"]
    assert vocabulary.decode(numbers) == "tips"
    assert vocabulary.encode("").shape == (0,)


def test_unknown_characters_share_a_token_or_are_refused() -> None:
    vocabulary = CharVocabulary("ab", unknown=True)
    assert vocabulary.tokens == (UNKNOWN, "a", "b")
    assert vocabulary.encode("aéb\U0001f600").tolist() == [1, 0, 2, 0]
    with pytest.raises(LabError, match="the text has 'é', which is not among the 2 characters"):
        CharVocabulary("ab").encode("abé")


def test_importing_the_vocabulary_warns_of_nothing() -> None:
    command = [sys.executable, "-W", "error", "-c", "import lab.data.vocabulary"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Windows


@pytest.mark.parametrize("overlap", [0, 1, 5, 9])
@pytest.mark.parametrize("length", [11, 12, 29, 30, 31, 100])
def test_each_held_out_character_is_a_target_once(length: int, overlap: int) -> None:
    text = torch.arange(length)
    samples = HeldOutWindows(text, context=10, overlap=overlap)
    x, y = samples.__getitems__(range(len(samples)))
    assert x.shape == y.shape and x.shape[1] == 10
    counted = y != IGNORED
    assert y[counted].tolist() == list(range(1, length))
    assert torch.equal(y[counted], x[counted] + 1)
    # But for the first window, at least `overlap` characters stand before each target.
    assert not counted[1:, :overlap].any()


def test_training_windows_follow_the_text_and_move() -> None:
    text = torch.arange(200)
    samples = TrainingWindows(text, context=10)
    starts = set()
    for seed in range(300):
        order = np.random.RandomState(seed).permutation(len(samples))[:4]
        x, y = samples.__getitems__(order)
        assert torch.equal(y, x + 1) and torch.equal(x[:, 1:], x[:, :-1] + 1)
        assert torch.equal(samples.__getitems__(order)[0], x), "the shift is random"
        starts |= set(x[:, 0].tolist())
    assert starts == set(range(190))
    x, y = samples[3]
    assert x.shape == y.shape == (10,)


def test_an_epoch_is_one_pass_and_epochs_differ() -> None:
    data = ready(MarkovText(batch_size=500, letters=3))
    loader = data.train_dataloader()
    assert sum(x.numel() for x, _ in loader) == len(data.train_set) * 64
    first, again = (next(iter(loader))[0] for _ in range(2))
    loader.batch_sampler.set_epoch(1)
    assert torch.equal(first, again) and not torch.equal(first, next(iter(loader))[0])


# Sources


@pytest.mark.parametrize("name", ["PythonDocs", "MarkovText", "CharText"])
def test_batches_are_what_the_facts_say(name: str, shakespeare: Path) -> None:
    cls: Any = {"PythonDocs": PythonDocs, "MarkovText": MarkovText, "CharText": CharText}[name]
    data = ready(cls(batch_size=3, context=20, overlap=7, prompt="a"))
    assert data.input_shape == (20,)
    assert len(set(data.vocabulary)) == len(data.vocabulary)
    for stage in ("train", "val", "test"):
        x, y = data.on_after_batch_transfer(next(iter(getattr(data, f"{stage}_dataloader")())), 0)
        assert x.shape == y.shape == (3, 20) and x.dtype == y.dtype == torch.long
        assert x.min() >= 0 and x.max() < len(data.vocabulary)
    (prompt,) = data.predict_dataloader()
    assert data.vocabulary[prompt.item()] == "a" and prompt.shape == (1, 1)
    before = texts(data)
    torch.manual_seed(5)
    data.setup("test")
    assert all(torch.equal(*pair) for pair in zip(before, texts(data), strict=True))


def test_the_reference_has_no_paragraph_twice_and_is_cut_between_them() -> None:
    parts = paragraphs()
    assert len(parts) > 1000 and len({" ".join(part.split()) for part in parts}) == len(parts)
    data = ready(PythonDocs())
    decoded = [char_docs.CHARACTERS.decode(text) for text in texts(data)]
    whole = char_docs.CHARACTERS.decode(char_docs.CHARACTERS.encode("\n\n".join(parts)))
    assert "\n\n".join(decoded) == whole
    shares = [len(text) / len(whole) for text in decoded]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    words = whole.split()
    # Prose, not a table of symbols.
    assert words.count("the") / len(words) > 0.03
    assert whole.count(UNKNOWN) / len(whole) < 0.01


def test_shakespeare_is_cut_by_position(shakespeare: Path) -> None:
    halves, whole = (
        ready(CharText(context=20, overlap=0, held_out=cut)) for cut in ("halves", "whole")
    )
    train, val, test = (char_text.CHARACTERS.decode(text) for text in texts(halves))
    assert train + val + test == TEXT and len(train) == 900 and len(val) == len(test) == 50 > 0
    train, val, test = (char_text.CHARACTERS.decode(text) for text in texts(whole))
    assert train + val == TEXT and val == test
    assert len(halves.vocabulary) == 65


def test_shakespeare_comes_over_https() -> None:
    assert all(url.startswith("https://") for url in char_text.SHAKESPEARE.mirrors)


def test_facts_of_shakespeare_need_no_file_and_those_of_a_file_do() -> None:
    assert len(CharText().vocabulary) == 65
    data = CharText(path="absent.txt")
    with pytest.raises(LabError, match="absent.txt: cannot be read"):
        _ = data.vocabulary
    assert not Path("data").exists()


def test_a_file_of_ones_own_is_known_by_its_training_part() -> None:
    Path("own.txt").write_text("äb" * 450 + "c" * 100, encoding="utf-8")
    data = ready(CharText(path="own.txt", context=20, overlap=0))
    assert data.vocabulary == (UNKNOWN, "b", "ä")
    assert data.test_set.text.tolist() == [0] * 50
    Path("own.txt").write_bytes(b"\xff\xfe\xff" * 100)
    with pytest.raises(LabError, match="own.txt: cannot be read .*utf-8"):
        ready(CharText(path="own.txt"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 0}, "--data.context 0"),
        ({"overlap": 64}, "--data.overlap 64: choose 0 to 63"),
        ({"overlap": -1}, "--data.overlap -1"),
        ({"held_out": "hole"}, "--data.held_out hole: no such cut.\nNearest: whole"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        CharText(**options)


def test_what_cannot_be_read_or_begun_is_told(shakespeare: Path) -> None:
    with pytest.raises(LabError, match="has 50 characters, but --data.context 100 needs 101"):
        ready(CharText(context=100))
    with pytest.raises(LabError, match="has 900 characters, but --data.context 460 needs 920"):
        ready(CharText(context=460))
    with pytest.raises(LabError, match="--data.prompt is empty"):
        CharText(prompt="").predict_dataloader()
    with pytest.raises(LabError, match="has '~'"):
        CharText(prompt="~").predict_dataloader()
    with pytest.raises(LabError, match="--data.letters 27: choose 2 to 26"):
        MarkovText(letters=27)


# The language of known entropy


def test_two_letters_by_hand() -> None:
    law = MarkovLaw(2)
    # b follows with these probabilities after aa, ab, ba, bb; the pairs form a chain of four states.
    p, q, r, s = law.follow[..., 1].flatten()
    # Balance: what flows into a pair flows out of it, so ab and ba are equally frequent.
    aa, ab, bb = r_over(1 - r, p), 1.0, r_over(q, 1 - s)
    total = aa + 2 * ab + bb
    expected = np.array([[aa, ab], [ab, bb]]) / total
    np.testing.assert_allclose(law.stationary, expected, rtol=1e-10)
    rates = [entropy_of(share) for share in (p, q, r, s)]
    assert law.entropy == pytest.approx(np.dot(expected.flatten(), rates), rel=1e-10)


def r_over(inflow: float, outflow: float) -> float:
    return inflow / outflow


def entropy_of(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def test_texts_follow_the_law() -> None:
    law = MarkovLaw(4)
    text = law.sample(200_000, seed=9)
    a, b, c = text[:-2], text[1:-1], text[2:]
    counts = torch.bincount(a * 16 + b * 4 + c, minlength=64).view(4, 4, 4).double().numpy()
    np.testing.assert_allclose(counts.sum(2) / counts.sum(), law.stationary, atol=0.01)
    error = counts / counts.sum(2, keepdims=True) - law.follow
    assert (np.abs(error) * np.sqrt(counts.sum(2, keepdims=True))).max() < 3
    assert law.loss(text) == pytest.approx(law.entropy, abs=0.01)
    flatter = MarkovLaw(4)
    flatter.follow = 0.9 * law.follow + 0.1 / 4
    assert flatter.loss(text) > law.loss(text)


def test_the_law_is_the_same_everywhere_and_parts_differ() -> None:
    data = ready(MarkovText())
    assert data.entropy_rate == pytest.approx(1.4671184761060796, rel=1e-12)
    assert data.law_loss == pytest.approx(data.entropy_rate, rel=2e-3)
    assert not torch.equal(data.train_set.text[:50_000], data.val_set.text)
