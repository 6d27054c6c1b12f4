"""What pens write: English with capitals, numbers and codes now and then, or the lines of a file."""

import string
from itertools import count
from pathlib import Path

import numpy as np

from lab.data.counted import uniform
from lab.data.pen_glyphs import readable
from lab.data.reading import reading
from lab.data.sentences import PARTS, Part, Passages, part_of
from lab.errors import LabError
from lab.seeding import mixed_seed

# Shares of the lines of English that are changed: each word begins with a capital, all letters are, or the
# line is no English at all.
TITLE, UPPER, CODES = 0.06, 0.06, 0.12
# In codes 0 is any digit, a and A are any letter, * is any character but the space; the rest is as it is.
ANY = {
    "0": string.digits,
    "a": string.ascii_lowercase,
    "A": string.ascii_uppercase,
    "*": "".join(map(chr, range(33, 127))),
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


def code(seed: int, index: int, length: int) -> str:
    """Some forms in a row, filled in at random and cut to `length` characters."""
    draws = iter(uniform(seed, [index], 3 * length + 3)[0].tolist())
    text = ""
    while len(text) < length:
        form = FORMS[int(next(draws) * len(FORMS))]
        for place in form[: length - len(text)]:
            choices = ANY.get(place, place)
            text += choices[int(next(draws) * len(choices))] if len(choices) > 1 else place
        text += " "
    return text[:length].rstrip()


def varied(texts: list[str], part: Part, seed: int, indices: np.ndarray, length: int) -> list[str]:
    """Lines of which some are in capitals, and some are codes of at most `length` characters instead.

    Codes are of a part as sentences are, by a hash of the text.
    """
    kinds = uniform(mixed_seed(seed, 1), indices, 2).tolist()
    changed = []
    for text, index, (kind, share) in zip(texts, indices.tolist(), kinds, strict=True):
        if kind < TITLE:
            text = string.capwords(text, " ")
        elif kind < TITLE + UPPER:
            text = text.upper()
        elif kind < TITLE + UPPER + CODES:
            letters = min(4 + int(share * (length - 3)), length)
            tries = (code(mixed_seed(seed, 2, n), index, letters) for n in count())
            text = next(text for text in tries if part_of(text) == part)
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
