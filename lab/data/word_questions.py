"""What word vectors are asked: analogies, similarities, nearest words of a query."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab.data.base import TensorSet
from lab.data.download import RemoteFile
from lab.data.reading import reading
from lab.errors import LabError, nearest

Pairs = Mapping[str, Sequence[tuple[str, str]]]

# Mikolov et al. 2013: 19 544 questions in 14 sections (Apache 2.0).
ANALOGIES = RemoteFile(
    name="questions-words.txt",
    size=603955,
    sha256="8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
    mirrors=("https://raw.githubusercontent.com/tmikolov/word2vec/master/questions-words.txt",),
)
# Finkelstein et al. 2002: 353 pairs of words, each judged by 13 or 16 people from 0 to 10.
SIMILARITIES = RemoteFile(
    name="wordsim353.tsv",
    size=7186,
    sha256="f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
    mirrors=(
        "https://raw.githubusercontent.com/piskvorky/gensim/develop/gensim/test/test_data/wordsim353.tsv",
    ),
)


def numbers_of(words: Sequence[str]) -> dict[str, int]:
    """Word -> number."""
    return {word: number for number, word in enumerate(words)}


def all_questions(relations: Pairs, numbers: Mapping[str, int]) -> Tensor:
    """Every two pairs of a relation as a question "a is to b as c is to d", (Q, 4), both ways round."""
    questions = [
        (*first, *second)
        for pairs in relations.values()
        for first in pairs
        for second in pairs
        if not set(first) & set(second)
    ]
    rows = [[numbers[word] for word in question] for question in questions]
    return torch.tensor(rows, dtype=torch.long).view(-1, 4)


def numbered(relations: Pairs, numbers: Mapping[str, int]) -> dict[str, Tensor]:
    """The pairs of each relation as (P, 2)."""
    return {
        name: torch.tensor([[numbers[word] for word in pair] for pair in pairs])
        for name, pairs in relations.items()
    }


def read_analogies(path: Path, words: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Questions for validation and test, and the pairs of each section, from lines of four words.

    Sections begin with a line ": name" and are for validation and test by turns, so that the test is of
    other relations; a question that is in both is for validation. Case is ignored, and so are questions
    with words that are not known.
    """
    numbers, section = numbers_of(words), ""
    sections: dict[str, list[tuple[int, ...]]] = {"": []}
    with reading(path):
        lines = path.read_text(encoding="utf-8").lower().splitlines()
    for line in lines:
        if line.startswith(":"):
            section = line[1:].strip()
            sections[section] = []
        elif all(word in numbers for word in line.split()) and len(line.split()) == 4:
            sections[section].append(tuple(numbers[word] for word in line.split()))
    named = [rows for name, rows in sections.items() if name or rows]
    val = list(dict.fromkeys(row for rows in named[::2] for row in rows))
    seen = set(val)
    test = list(dict.fromkeys(row for rows in named[1::2] for row in rows if row not in seen))
    questions = {
        stage: torch.tensor(rows, dtype=torch.long).view(-1, 4)
        for stage, rows in (("val", val), ("test", test))
    }
    relations = {
        name: torch.tensor(list(dict.fromkeys(pair for row in rows for pair in (row[:2], row[2:]))))
        for name, rows in sections.items()
        if rows
    }
    return questions, relations


def read_similarities(path: Path, words: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Pairs (P, 2) whose words are both known, and people's scores (P,), from lines "word word score"."""
    numbers = numbers_of(words)
    with reading(path):
        lines = path.read_text(encoding="utf-8").lower().splitlines()
        rows = [line.split("\t") for line in lines if line.strip() and line[0] != "#"]
        judged = [(first, second, float(score)) for first, second, score in rows]
    known = [row for row in judged if row[0] in numbers and row[1] in numbers]
    pairs = torch.tensor([[numbers[word] for word in row[:2]] for row in known], dtype=torch.long)
    return pairs.view(-1, 2), torch.tensor([row[2] for row in known])


def parse_queries(queries: Iterable[str], words: Sequence[str]) -> TensorSet:
    """Queries such as "king - man + woman" as words (Q, T), -1 where there is none, and signs (Q, T).

    Raises:
        LabError: a query is empty, has a word that is not known, or no sign between two words.
    """
    numbers, rows = numbers_of(words), []
    for query in queries:
        terms = query.lower().split()
        if terms and terms[0] not in ("+", "-"):
            terms = ["+", *terms]
        signs, names = terms[::2], terms[1::2]
        if not names or len(signs) != len(names) or not set(signs) <= {"+", "-"}:
            raise LabError(f'--data.queries: "{query}" is not of the form "king - man + woman"')
        for name in names:
            if name not in numbers:
                close = nearest(name, list(words)[:20_000]).split(", ")[:3]
                raise LabError(
                    f"--data.queries: {name} is none of the {len(words)} words.\n"
                    f"Nearest: {', '.join(close)}"
                )
        factors = [1.0 if sign == "+" else -1.0 for sign in signs]
        rows.append(list(zip((numbers[name] for name in names), factors, strict=True)))
    width = max(map(len, rows), default=1)
    padded = [row + [(-1, 0.0)] * (width - len(row)) for row in rows]
    table = np.array(padded, dtype=np.float64).reshape(-1, width, 2)
    return TensorSet(
        torch.from_numpy(table[..., 0]).long(), torch.from_numpy(table[..., 1]).float()
    )
