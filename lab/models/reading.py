"""What models that read have in common: their metrics, the texts of a batch, baselines.

Letters: B images, L characters of the longest text, N texts.
Error rates are sums of edits over sums of lengths, exact over uneven batches and processes.
"""
# from week 3

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric

from lab.edit_distance import edits, words

# What stands for a character that training lacks; nothing that is read equals it.
REPLACEMENT = "\ufffd"


class Share(Metric):
    """The ratio of two whole numbers that are counted over texts (N,) read and true."""

    full_state_update = False
    part: Tensor
    whole: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("part", "whole"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def count(self, predicted: Sequence[str], truth: Sequence[str]) -> tuple[int, int]:
        """Both numbers of these texts."""
        raise NotImplementedError

    def update(self, predicted: Sequence[str], truth: Sequence[str]) -> None:
        part, whole = self.count(predicted, truth)
        self.part += part
        self.whole += whole

    def compute(self) -> Tensor:
        # Where there is nothing to read, each edit counts whole.
        return self.part / self.whole.clamp(min=1)


class CharErrors(Share):
    """CER: edits of characters, per true character."""

    def count(self, predicted: Sequence[str], truth: Sequence[str]) -> tuple[int, int]:
        return int(edits(predicted, truth).sum()), sum(map(len, truth))


class WordErrors(Share):
    """WER: edits of words, which white space parts, per true word."""

    def count(self, predicted: Sequence[str], truth: Sequence[str]) -> tuple[int, int]:
        true_words = words(truth)
        return int(edits(words(predicted), true_words).sum()), sum(map(len, true_words))


class ExactTexts(Share):
    """The share of texts without any error."""

    def count(self, predicted: Sequence[str], truth: Sequence[str]) -> tuple[int, int]:
        right = sum(read == true for read, true in zip(predicted, truth, strict=True))
        return right, len(truth)


def text_metrics() -> dict[str, Share]:
    """The metrics of texts by name."""
    return {"cer": CharErrors(), "wer": WordErrors(), "exact_lines": ExactTexts()}


def reading_metrics() -> nn.ModuleDict:
    """Metrics of one stage: the loss and those of texts."""
    return nn.ModuleDict({"loss": MeanMetric(), **text_metrics()})


def update_texts(metrics: Any, predicted: Sequence[str], truth: Sequence[str]) -> None:
    """Count texts in all of `reading_metrics` but the loss."""
    for metric in metrics.values():
        if isinstance(metric, Share):
            metric.update(predicted, truth)


def characters(alphabet: Sequence[str]) -> list[str]:
    """Character by number; a token that is none, such as the unknown one, is `REPLACEMENT`."""
    return [token if len(token) == 1 else REPLACEMENT for token in alphabet]


def never_read(alphabet: Sequence[str]) -> list[int]:
    """Numbers of tokens that are no characters, which no model may predict."""
    return [number for number, token in enumerate(alphabet) if len(token) != 1]


def texts_of(numbers: Tensor, alphabet: Sequence[str]) -> list[str]:
    """The texts of token numbers (B, L), each up to its first negative number.

    A token that is no character, such as the unknown one, becomes U+FFFD.
    """
    codes = np.array([ord(character) for character in characters(alphabet)], dtype="<u4")
    rows = numbers.cpu().numpy()
    ends = np.where((rows < 0).any(1), (rows < 0).argmax(1), rows.shape[1]) if rows.size else []
    if not len(ends):
        return [""] * len(rows)
    spelled = codes[rows.clip(min=0)]
    return [
        row[:end].tobytes().decode("utf-32-le", "surrogatepass")
        for row, end in zip(spelled, ends, strict=True)
    ]


def set_texts(part: Any, alphabet: Sequence[str]) -> list[str]:
    """All texts of a set of text images; those that state no `texts` are read in portions."""
    if hasattr(part, "texts"):
        return list(part.texts)
    portions = torch.arange(len(part)).split(256)
    return [
        text
        for rows in portions
        for text in texts_of(part.__getitems__(rows.tolist())[2], alphabet)
    ]


def reading_baselines(data: Any) -> dict[str, dict[str, float]]:
    """Test metrics of reading nothing at all, and of always reading the most frequent training text."""
    train, test = (set_texts(part, data.alphabet) for part in (data.train_set, data.test_set))
    # Of equally frequent ones the first by alphabet, whatever the order of the data.
    counts = Counter(train)
    frequent = min(counts, key=lambda text: (-counts[text], text))
    found = {}
    for name, guess in (("empty", ""), ("most_frequent", frequent)):
        metrics = text_metrics()
        update_texts(metrics, [guess] * len(test), test)
        found[name] = {f"test/{key}": float(metric.compute()) for key, metric in metrics.items()}
    return found
