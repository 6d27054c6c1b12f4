"""English for lines of writing: sentences of the text that ships inside CPython, in three disjoint parts.

Source: `pydoc_data.topics` (Python Software Foundation licence), the prose of it without tables and code.
"""

import hashlib
import re
from functools import cache
from typing import Literal

import numpy as np

from lab.data.char_docs import paragraphs
from lab.data.counted import uniform

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z\"'(])")


@cache
def sentences(part: Part) -> tuple[str, ...]:
    """All sentences of a part, each once; which part one is in is a function of its words alone.

    Of ten sentences eight are for training, one for validation, one for the test.
    """
    found: dict[str, None] = {}
    for paragraph in paragraphs():
        if is_prose(paragraph):
            found |= dict.fromkeys(SENTENCE.split(" ".join(paragraph.split())))
    chosen = [sentence for sentence in found if len(sentence) > 1 and part_of(sentence) == part]
    return tuple(sorted(chosen))


def is_prose(paragraph: str) -> bool:
    """Whether a paragraph is neither a table nor an example."""
    return not re.search(r"^ {5}|^\s*[+|>]|--|==|  \S+  ", paragraph, re.MULTILINE)


def part_of(sentence: str) -> Part:
    """The part of a sentence, by a hash of its letters and digits: small changes of it move nothing."""
    key = re.sub(r"\W", "", sentence).lower()
    share = hashlib.sha256(key.encode()).digest()[0]
    return "train" if share < 205 else "val" if share < 230 else "test"


def line_texts(part: Part, seed: int, indices: np.ndarray, *, least: int, most: int) -> list[str]:
    """A text for each of the numbers `indices`: whole words of one sentence, `least` to `most` characters.

    A sentence that is shorter comes whole; a single word that is longer is cut.
    """
    pool = sentences(part)
    texts = []
    for first, second, third in uniform(seed, indices, 3):
        words = pool[int(first * len(pool))].split(" ")
        # As long a text as was drawn, from any word after which enough is left.
        length = least + int(third * (most - least + 1))
        ends = np.cumsum([len(word) + 1 for word in words])
        starts = np.flatnonzero(ends[-1] - (ends - [len(word) + 1 for word in words]) > length)
        start = int(second * len(starts)) if len(starts) else 0
        texts.append(cut_to(" ".join(words[start:]), length))
    return texts


def cut_to(text: str, length: int) -> str:
    """The first whole words of a text, at most `length` characters; of a longer word its beginning."""
    if len(text) <= length:
        return text
    return text[:length].rpartition(" ")[0].rstrip() if " " in text[: length + 1] else text[:length]
