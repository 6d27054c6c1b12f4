"""Sentences of CPython's text: plain English, in disjoint parts; passages against plain loops."""
# from week 3

import re
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from lab.data.counted import uniform
from lab.data.sentences import PARTS, Part, Passages, part_of, passages, plain, sentences


@pytest.fixture
def other_python(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Topics as another release might have them: other marks, an umlaut, a table, an example, a headline."""
    topics = {
        "A": "The “first” value of all – it’s *small* as values go…\n\nName   | Use\n=====  | ====",
        "B": "* Some ``code`` in a naïve list. Then another one is here.\n\n     >>> print(1, 2, 3)",
        "C": "A Headline Here\n***************\n\nIt calls :func:`print` with **two** words.",
        "D": "\n\n".join(f"This is sentence number {n} of many." for n in range(60)),
    }
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", SimpleNamespace(topics=topics))
    sentences.cache_clear()
    yield
    sentences.cache_clear()


def test_parts_share_no_sentence() -> None:
    keys = [{re.sub(r"\W", "", text).lower() for text in sentences(part)} for part in PARTS]
    assert all(len(key) > 100 for key in keys)
    assert not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])
    # Nor does a change of case or of punctuation move one into another part.
    for part in PARTS:
        assert all(part_of(text.upper().replace(",", ";")) == part for text in sentences(part))


def test_sentences_are_english_in_printable_ascii() -> None:
    found = [text for part in PARTS for text in sentences(part)]
    assert len(found) > 1000 and sum(map(len, found)) > 100_000
    text = "\n".join(found)
    assert re.fullmatch(r"[ -~\n]+", text) and "`" not in text and "  " not in text
    letters = sum(character.isalpha() for character in text)
    assert letters > 0.75 * len(text)
    assert all(sentence[0] in "\"'(" or sentence[0].isupper() for sentence in found)


def test_other_releases_of_python_give_plain_text_too(other_python: None) -> None:
    found = {text for part in PARTS for text in sentences(part)}
    assert len([text for text in found if text.startswith("This is sentence number")]) == 60
    assert {text for text in found if not text.startswith("This is")} == {
        'The "first" value of all - it\'s small as values go...',
        "Some code in a nave list.",
        "Then another one is here.",
        "It calls print with two words.",
    }
    assert plain("a *b* c**d ‘e’") == "a b c**d 'e'"


def line_texts(part: Part, seed: int, numbers: np.ndarray, *, least: int, most: int) -> list[str]:
    """A line of a part for each number, as pens choose them."""
    return passages(part).lines(uniform(seed, numbers, 2), least=least, most=most)


def test_lines_are_functions_of_the_number_alone() -> None:
    numbers = np.arange(300)
    texts = line_texts("train", 5, numbers, least=4, most=20)
    again = line_texts("train", 5, numbers[::-1], least=4, most=20)
    assert texts == again[::-1] and len(set(texts)) > 250
    assert texts != line_texts("train", 6, numbers, least=4, most=20)
    assert line_texts("train", 5, numbers[7:8], least=4, most=20) == [texts[7]]


@pytest.mark.parametrize(("least", "most"), [(1, 1), (4, 40), (10, 12), (60, 90)])
def test_lines_are_whole_words_of_one_sentence(least: int, most: int) -> None:
    texts = line_texts("val", 0, np.arange(400), least=least, most=most)
    source = sentences("val")
    cut = 0
    for text in texts:
        homes = [sentence for sentence in source if text in sentence]
        assert homes and text and text == text.strip() and len(text) <= most
        whole = any(f" {text} " in f" {home} " for home in homes)
        cut += not whole
        # A cut word may end in a space that is taken away.
        assert len(text) >= least - 1 or text in source
    # Within narrow bounds there are seldom whole words.
    assert cut < 0.15 * len(texts) or most - least < 10
    if least < most:
        assert {least + 1, most - 1} <= set(map(len, texts))


def test_a_short_text_comes_whole_and_a_long_word_is_cut() -> None:
    draws = uniform(0, np.arange(50), 2)
    long = "extraordinarily"
    found = set(Passages(["Hello you", long]).lines(draws, least=9, most=12))
    assert found == {"Hello you", *(long[:length] for length in range(9, 13))}


def test_pages_are_running_text_in_lines_of_whole_words() -> None:
    source = Passages(["One two three four, five.", "Six seven eight nine ten eleven twelve."] * 9)
    words = source.text.split()
    random = np.random.RandomState(0)
    lengths = random.randint(7, 20, (200, 4))
    lengths[::3, 2:] = 0
    for page, most in zip(source.pages(random.rand(200), lengths), lengths, strict=True):
        lines = page.split("\n")
        assert len(lines) == (most > 0).sum()
        start = next(
            n for n in range(len(words)) if words[n : n + len(page.split())] == page.split()
        )
        for line, length in zip(lines, most, strict=False):
            start += len(line.split())
            # As many words as fit.
            assert len(line) <= length < len(f"{line} {words[start]}")


def test_pages_cut_words_that_are_too_long_and_end_with_the_text() -> None:
    source = Passages(["abcdefgh ij"])
    assert source.pages(np.array([0.0]), np.array([[3, 3, 9, 9]])) == ["abc\ndef\ngh ij"]
    # Of what is too short for a page every word may be its first.
    assert source.pages(np.array([0.0, 0.9]), np.array([[12], [12]])) == ["abcdefgh ij"] * 2
