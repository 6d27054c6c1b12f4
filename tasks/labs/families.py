"""Sentences of a small generated language, in which the company of words tells how they are related.

Source: made here, after the idea that a word is known by the company it keeps (Harris 1954). A sentence is
about one of sixteen people. Two words in it go with the house (royal, noble ...) that the person is of, two
with the sex, and the others with nothing; king and queen never stand in one sentence.
"""

import itertools

import numpy as np

PAIRS = (
    ("king", "queen"),
    ("duke", "duchess"),
    ("man", "woman"),
    ("father", "mother"),
    ("brother", "sister"),
    ("actor", "actress"),
    ("monk", "nun"),
    ("wizard", "witch"),
)
HOUSES = (
    ("crown", "palace"),
    ("estate", "manor"),
    ("street", "office"),
    ("cradle", "home"),
    ("bunk", "attic"),
    ("mask", "theatre"),
    ("psalm", "abbey"),
    ("wand", "tower"),
)
SEXES = (("he", "his", "beard"), ("she", "her", "gown"))
FILLERS = (
    "the",
    "a",
    "and",
    "of",
    "in",
    "with",
    "near",
    "today",
    "often",
    "again",
    "there",
    "slowly",
)
WORDS: tuple[str, ...] = tuple(itertools.chain(*PAIRS, *HOUSES, *SEXES, FILLERS))


def sentences(count: int, *, seed: int, noise: float = 0.1) -> list[list[int]]:
    """Sentences of ten words each, as numbers of `WORDS`.

    Each person has habits: king and queen share the crown and the palace, but not in the same measure. So no
    word is exactly the sum of others, as in any real language.

    Args:
        noise: the chance of each word but the person to be replaced by any word of the language that is no
            person.
    """
    rng, habits = np.random.default_rng(seed), np.random.RandomState(0)
    people = len(HOUSES) * len(SEXES)
    person = rng.choice(people, p=_falling(people)[habits.permutation(people)], size=count)
    house, sex = person // 2, person % 2
    first_house_word, first_sex_word = people, people + 2 * len(HOUSES)
    likes_house = habits.dirichlet([1.0] * 2, people)
    likes_sex = habits.dirichlet([1.0] * 3, people)
    fillers = (
        len(WORDS)
        - len(FILLERS)
        + rng.choice(len(FILLERS), p=_falling(len(FILLERS)), size=(count, 5))
    )
    company = np.column_stack(
        [
            *(first_house_word + 2 * house + _draw(likes_house[person], rng) for _ in range(2)),
            *(first_sex_word + 3 * sex + _draw(likes_sex[person], rng) for _ in range(2)),
            fillers,
        ]
    )
    other = rng.integers(people, len(WORDS), size=company.shape)
    company = np.where(rng.random(company.shape) < noise, other, company)
    return rng.permuted(np.column_stack([person, company]), axis=1).tolist()


def _falling(size: int) -> np.ndarray:
    """Shares of which the n-th is in proportion to 1 / n, as frequencies of words about are (Zipf 1949)."""
    shares = 1 / np.arange(1, size + 1)
    return shares / shares.sum()


def _draw(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column for each row of chances (n, m)."""
    return (rng.random((len(chances), 1)) > chances.cumsum(1)[:, :-1]).sum(1)


def questions() -> np.ndarray:
    """All sums of words with one answer, (112, 4): a, b, c, d with "a is to b as c is to d".

    Such as man, king, woman, queen: king - man + woman is queen.
    """
    found = []
    for first, second in itertools.permutations(range(len(PAIRS)), 2):
        for sex in range(2):
            found.append(
                [2 * first + sex, 2 * second + sex, 2 * first + 1 - sex, 2 * second + 1 - sex]
            )
    return np.array(found)
