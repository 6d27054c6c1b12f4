"""English for lines of writing: sentences of the text that ships inside CPython, in three disjoint parts.

Source: `pydoc_data.topics` (Python Software Foundation licence), the prose of it without tables, code and
markup, in printable ASCII. Releases of CPython differ in it.
"""
# from week 3

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from typing import Literal

import numpy as np

from lab.data.char_docs import paragraphs

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z\"'(])")
TYPOGRAPHIC = str.maketrans(
    {**dict.fromkeys("’‘", "'"), **dict.fromkeys("“”", '"'), **dict.fromkeys("–—", "-"), "…": "..."}
)


@cache
def sentences(part: Part) -> tuple[str, ...]:
    """All sentences of a part, each once, in the order of the text.

    Which part one is in is a function of its words alone: of ten eight are for training, one for
    validation, one for the test.
    """
    found: dict[str, None] = {}
    for paragraph in paragraphs():
        if is_prose(paragraph):
            found |= dict.fromkeys(SENTENCE.split(plain(paragraph)))
    return tuple(s for s in found if is_sentence(s) and part_of(s) == part)


def is_prose(paragraph: str) -> bool:
    """Whether a paragraph is neither a table nor an example nor a headline."""
    return not re.search(
        r"^ {5}|^\s*([+|>]|\.\. )|--|==|::|[*=~^\-_]{4}|  \S+  ", paragraph, re.MULTILINE
    )


def plain(paragraph: str) -> str:
    """A paragraph as one line of printable ASCII without bullets and marks for emphasis or code."""
    text = re.sub(r"^\s*(\* |\d+\. )", "", paragraph.translate(TYPOGRAPHIC))
    text = re.sub(r":\w+:`([^`]*)`", r"\1", text)
    text = re.sub(r"(?<!\w)(\*{1,2})(?=\S)([^*]+?)(?<=\S)\1(?!\w)", r"\2", text)
    return " ".join(re.sub(r"[^ -~\s]|`", "", text).split())


def is_sentence(text: str) -> bool:
    """Whether a text is a whole sentence of at least three words, most of it letters."""
    letters = sum(c.isalpha() or c == " " for c in text)
    whole = re.match(r"[A-Z\"'(]", text) and re.search(r"[.!?:][\"')]?$", text)
    return bool(whole) and text.count(" ") >= 2 and letters >= 0.85 * len(text)


def part_of(text: str) -> Part:
    """The part of a text, by a hash of its letters and digits: small changes of it move nothing."""
    key = re.sub(r"\W", "", text).lower() or text
    share = hashlib.sha256(key.encode()).digest()[0]
    return "train" if share < 205 else "val" if share < 230 else "test"


class Passages:
    """Texts in a row, of which any number of passages are chosen at once.

    Args:
        texts: each of words that single spaces part; at least one word in all.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.text = "\n".join(texts)
        codes = np.frombuffer(self.text.encode("utf-32-le"), dtype=np.uint32)
        gaps = np.flatnonzero((codes == ord(" ")) | (codes == ord("\n")))
        breaks = np.append(np.flatnonzero(codes == ord("\n")), len(codes))
        # Where each word begins and ends, and the text that it is in.
        self.starts, self.ends = np.append(0, gaps + 1), np.append(gaps, len(codes))
        owner = np.searchsorted(breaks, self.starts)
        self.lasts = breaks[owner]
        self.firsts = np.append(0, breaks + 1)[owner]

    def lines(self, draws: np.ndarray, *, least: int, most: int) -> list[str]:
        """A passage for each row of two numbers in [0, 1), (N, 2): whole words of one text.

        It has `least` to `most` characters, fewer if the text is shorter. Where no whole words fit, the
        last one is cut.
        """
        word = (draws[:, 0] * len(self.starts)).astype(np.int64)
        length = least + (draws[:, 1] * (most - least + 1)).astype(np.int64)
        last = self.lasts[word]
        # From the word that was drawn, or from an earlier one if too little is left.
        earliest = np.maximum(np.minimum(self.starts[word], last - length), self.firsts[word])
        place = np.searchsorted(self.starts, earliest)
        short = (last - self.starts[place] < least) & (self.starts[place] > self.firsts[word])
        start = self.starts[place - short]
        stop = np.minimum(start + length, last)
        end = self.last_end(stop)
        # Too short without the next word: with it if it fits, else with a part of it.
        short = end - start < np.minimum(least, last - start)
        whole = self.ends[np.searchsorted(self.ends, np.minimum(start + least, last))]
        end = np.where(short, np.where(whole - start <= most, whole, stop), end)
        spans = zip(start.tolist(), end.tolist(), strict=True)
        return [self.text[a:b].rstrip() for a, b in spans]

    def last_end(self, stop: np.ndarray) -> np.ndarray:
        """Where the last word that ends before or at each place ends; 0 if there is none."""
        return np.append(0, self.ends)[np.searchsorted(self.ends, stop, side="right")]

    def pages(self, draws: np.ndarray, lengths: np.ndarray) -> list[str]:
        """A run of text for each number in [0, 1), (N,), through one text after another, in lines of words.

        Args:
            lengths: (N, R) most characters of each line; a longer word is cut. No line where it is 0, nor
                after the last text.
        """
        end = len(self.text)
        words = np.searchsorted(self.starts, max(end - int(lengths.sum(1).max()), 0), side="right")
        start = self.starts[(draws * words).astype(np.int64)]
        pages: list[list[str]] = [[] for _ in start]
        for most in lengths.T:
            stop = np.minimum(start + most, end)
            whole = self.last_end(stop)
            # Between two words is one character.
            cut = whole <= start
            last = np.where(cut, stop, whole)
            for page, a, b in zip(pages, start.tolist(), last.tolist(), strict=True):
                if a < b:
                    page.append(self.text[a:b].replace("\n", " "))
            start = np.where(most > 0, np.minimum(last + ~cut, end), start)
        return ["\n".join(page) for page in pages]


@cache
def passages(part: Part) -> Passages:
    """The sentences of a part, to choose from."""
    return Passages(sentences(part))
