"""How many edits lie between what was read and the truth (Levenshtein 1966), by rapidfuzz.

An edit puts in, takes out or replaces one element: a character of a string, a word of a list of words.
"""
# from week 3

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

Text = str | Sequence[str]


def edits(predicted: Sequence[Text], truth: Sequence[Text]) -> np.ndarray:
    """The least number of edits (N,) of each pair of N: all strings, or all lists of words."""
    assert len(predicted) == len(truth)
    return cpdist(predicted, truth, scorer=Levenshtein.distance, dtype=np.int64)


def words(texts: Sequence[str]) -> list[list[str]]:
    """Each text as what stands between its white space."""
    return [text.split() for text in texts]


def side_by_side(read: str, truth: str, gap: str = "\u00b7") -> tuple[str, str]:
    """Both texts at one length, so that what belongs together stands in one column, with gaps between."""
    parts = [], []  # type: tuple[list[str], list[str]]
    for step in Levenshtein.opcodes(truth, read):
        true, seen = truth[step.src_start : step.src_end], read[step.dest_start : step.dest_end]
        length = max(len(true), len(seen))
        parts[0].append(seen.ljust(length, gap))
        parts[1].append(true.ljust(length, gap))
    return "".join(parts[0]), "".join(parts[1])
