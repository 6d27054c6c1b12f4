"""What pens write: English with capitals, numbers and codes now and then, or the lines of a file."""
# from week 3

import string
from itertools import count
from pathlib import Path

import numpy as np

from lab.data.counted import uniform
from lab.data.pen_glyphs import readable
from lab.data.reading import reading
from lab.data.sentences import PARTS, Part, Passages, part_of
from lab.data.vocabulary import ASCII
from lab.errors import LabError
from lab.seeding import mixed_seed

# Shares of the lines that are no English but codes, or in which words begin with capitals or are of capitals.
CODES, TITLE, UPPER = 0.12, 0.06, 0.06
# In codes 0 is any digit, a and A are any letter, * is any character but the space; the rest is as it is.
ANY = {
    "0": string.digits,
    "a": string.ascii_lowercase,
    "A": string.ascii_uppercase,
    "*": ASCII[1:],
}
FORMS = (
    *("*****", "********", "***", "** ****", "*** ** **", "******") * 2,
    *("00/00/0000", "$0,000.00", "+00 (000) 000-000", "A0A 0A0", "aaaa.aa@aaa.aa", "a = 0.0e-00"),
    *("[00:00]", "<aaa>", "#AA-000/0", "00% & 0%", "{Aaa|Aaa}", "~/aa/a.aa", "000 Aaaaa, AA 00000"),
    *(
        "a^0 + 0*a",
        "'aaa'!",
        "`aa`?",
        '"Aaaa";',
        "a\\a",
        "Aa_00: 0",
        "AAA 000",
        "Qaaa",
        "Jaaa",
        "Zaa",
    ),
)


def code(draws: np.ndarray, length: int) -> str:
    """Some forms in a row, filled in by numbers in [0, 1) and cut to `length` characters."""
    values = iter(draws.tolist())
    text = ""
    while len(text) < length:
        form = FORMS[int(next(values) * len(FORMS))]
        for place in form:
            choices = ANY.get(place)
            text += choices[int(next(values) * len(choices))] if choices else place
        text += " "
    return text[:length].rstrip()


def codes(part: Part, seed: int, indices: np.ndarray, *, most: int) -> dict[int, str]:
    """A code of up to `most` characters for each number; of its part as sentences are, by a hash."""
    lengths = np.minimum(4 + uniform(mixed_seed(seed, 2), indices, 1)[:, 0] * (most - 3), most)
    left = dict(zip(indices.tolist(), lengths.astype(int).tolist(), strict=True))
    found: dict[int, str] = {}
    for trial in count():
        if not left:
            return found
        # A form begins at each second character at most, and the last one may be long.
        draws = uniform(mixed_seed(seed, 3, trial), list(left), 2 * most + max(map(len, FORMS)))
        texts = map(code, draws, left.values())
        found |= {n: text for n, text in zip(left, texts, strict=True) if part_of(text) == part}
        left = {n: length for n, length in left.items() if n not in found}
    raise AssertionError


def varied(texts: list[str], part: Part, seed: int, indices: np.ndarray, most: int) -> list[str]:
    """Lines of which some are in capitals, and some are codes of at most `most` characters instead."""
    kinds = uniform(mixed_seed(seed, 1), indices, 1)[:, 0]
    instead = codes(part, seed, indices[kinds < CODES], most=most)
    changed = []
    for text, index, kind in zip(texts, indices.tolist(), kinds.tolist(), strict=True):
        if kind < CODES:
            text = instead[index]
        elif kind < CODES + TITLE:
            text = string.capwords(text, " ")
        elif kind < CODES + TITLE + UPPER:
            text = text.upper()
        changed.append(text)
    return changed


def read_texts(path: Path) -> dict[Part, Passages]:
    """The lines of a UTF-8 file in three disjoint parts, without what can't be written.

    Raises:
        LabError: the file is not there, no UTF-8 text, or too short.
    """
    with reading(path):
        content = path.read_text(encoding="utf-8")
    lines = dict.fromkeys(
        " ".join(readable(line.replace("\t", " ")).split()) for line in content.splitlines()
    )
    lines.pop("", None)
    parts = {part: [line for line in lines if part_of(line) == part] for part in PARTS}
    if not all(parts.values()):
        raise LabError(
            f"--data.path {path}: {len(lines)} different lines can't be cut into three parts.\n"
            "Choose a text of some hundred lines."
        )
    return {part: Passages(found) for part, found in parts.items()}
