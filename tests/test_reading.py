"""Edit distances, error rates, texts and baselines of models that read."""
# from week 3

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.text import CharErrorRate, WordErrorRate

from lab.edit_distance import edits, words
from lab.models.reading import (
    REPLACEMENT,
    CharErrors,
    ExactTexts,
    WordErrors,
    never_read,
    reading_baselines,
    reading_metrics,
    set_texts,
    texts_of,
    update_texts,
)


def random_pairs(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts and what a poor reader makes of them; some of either are empty."""
    random = np.random.RandomState(seed)

    def text() -> str:
        return "".join(random.choice(list("abcdé \n\t"), random.randint(0, 12)))

    truth = [text() for _ in range(count)]
    read = [text() if random.rand() < 0.3 else true[random.randint(3) :] for true in truth]
    assert {"" in truth, "" in read, any(map(str.__eq__, truth, read))} == {True}
    return read, truth


def plain_edits(a: str | list[str], b: str | list[str]) -> int:
    """Wagner & Fischer 1974, a row of the table at a time."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)))
    return row[-1]


def test_edits_are_those_of_the_table() -> None:
    read, truth = random_pairs(200)
    assert edits(read, truth).tolist() == list(map(plain_edits, read, truth))
    pairs = words(read), words(truth)
    assert edits(*pairs).tolist() == list(map(plain_edits, *pairs))
    assert edits([], []).shape == (0,)
    assert edits(["kitten", "", "\u00e9"], ["sitting", "ab", "e"]).tolist() == [3, 2, 1]


def test_error_rates_are_those_of_torchmetrics_whatever_the_batches() -> None:
    read, truth = random_pairs(1000)
    theirs = CharErrorRate(), WordErrorRate()
    ours = CharErrors(), WordErrors()
    exact = ExactTexts()
    for start, end in [(0, 1), (1, 400), (400, 403), (403, 1000)]:
        for metric in (*theirs, *ours, exact):
            metric.update(read[start:end], truth[start:end])
    for metric, trusted in zip(ours, theirs, strict=True):
        assert float(metric.compute()) == pytest.approx(float(trusted.compute()), rel=1e-6)
    assert float(exact.compute()) == pytest.approx(np.mean(np.array(read) == np.array(truth)))


def test_processes_add_up() -> None:
    read, truth = random_pairs(100)
    whole, parts = CharErrors(), [CharErrors(), CharErrors()]
    whole.update(read, truth)
    parts[0].update(read[:13], truth[:13])
    parts[1].update(read[13:], truth[13:])
    # As torchmetrics does it over processes: each state by its own reduction.
    for name, reduce in whole._reductions.items():
        states = torch.stack([getattr(part, name) for part in parts])
        assert torch.equal(reduce(states), getattr(whole, name))


def test_counts_stay_exact_beyond_what_floats_hold() -> None:
    metric = CharErrors()
    metric.whole += 2**24
    metric.update(["a"], ["b"])
    assert int(metric.whole) == 2**24 + 1 and int(metric.part) == 1


def test_without_anything_to_read_each_edit_counts_whole() -> None:
    metrics = reading_metrics()
    update_texts(metrics, ["ab", ""], ["", ""])
    found = {name: float(metric.compute()) for name, metric in metrics.items() if name != "loss"}
    assert found == {"cer": 2.0, "wer": 1.0, "exact_lines": 0.5}


def test_texts_of_numbers() -> None:
    alphabet = ("<unk>", "a", "\u00df", "\U0001f600", " ")
    numbers = torch.tensor([[1, 2, 3, 4], [0, 1, -100, -100], [-100] * 4])
    assert texts_of(numbers, alphabet) == ["a\u00df\U0001f600 ", f"{REPLACEMENT}a", ""]
    assert texts_of(numbers[:, :0], alphabet) == ["", "", ""]
    assert texts_of(numbers[:0], alphabet) == []
    assert never_read(alphabet) == [0] and never_read("ab") == []


class Lines:
    """Texts as a set of images, without the images."""

    def __init__(self, *texts: str) -> None:
        self.rows = texts

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, rows: list[int]) -> tuple[Tensor | None, ...]:
        targets = torch.full((len(rows), 5), -100)
        for place, row in enumerate(rows):
            for at, character in enumerate(self.rows[row]):
                targets[place, at] = "ab ".index(character)
        return None, None, targets, None


def test_baselines_are_counted_on_the_test_part() -> None:
    data = SimpleNamespace(
        alphabet=("a", "b", " "),
        train_set=Lines("b", "a b", "a b", "b", "bb"),
        test_set=Lines("a b", "ab", "", "b a"),
    )
    found = reading_baselines(data)
    assert found["empty"] == {"test/cer": 1.0, "test/wer": 1.0, "test/exact_lines": 0.25}
    # "a b" and "b" are equally frequent; edits of "a b" are 0, 1, 3, 2 and in words 0, 2, 2, 2.
    by_hand = {"test/cer": 6 / 8, "test/wer": 6 / 5, "test/exact_lines": 0.25}
    assert found["most_frequent"] == pytest.approx(by_hand)
    assert set_texts(data.test_set, "ab ") == ["a b", "ab", "", "b a"]
    assert set_texts(SimpleNamespace(texts=("x", "y")), "ab ") == ["x", "y"]
