"""A generated language about people and countries, in which words differ by a few attributes.

Source: made here. A person is of a house (royal, noble, ...), a generation and a sex; a word about a country
is of the country and of a kind (country, capital, people). Each sentence is about one such word, and its
other words depend on one attribute of it each: the crown on the house, "plays" on the generation, "she" on
the sex. No sentence has two of the words that the analogies are about, so those can only be solved from the
company that the words keep (Harris 1954): king and queen share crowns, queen and woman share pronouns.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Relations = dict[str, list[tuple[str, str]]]

# House -> child, adult, elder, a male and a female word each; "-" where there is none.
HOUSES = {
    "people": "boy girl man woman widower widow",
    "royal": "prince princess king queen emperor empress",
    "noble": "heir heiress duke duchess baron baroness",
    "close": "son daughter father mother grandfather grandmother",
    "near": "nephew niece uncle aunt granduncle grandaunt",
    "step": "stepson stepdaughter stepfather stepmother - -",
    "sibling": "- - brother sister - -",
    "wedding": "- - groom bride - -",
    "marriage": "- - husband wife - -",
    "stage": "- - actor actress - -",
    "inn": "- - waiter waitress - -",
    "magic": "- - wizard witch - -",
    "cloister": "- - monk nun - -",
    "saga": "- - hero heroine - -",
}
# Country -> country, capital, people.
COUNTRIES = (
    "france paris french",
    "italy rome italian",
    "spain madrid spanish",
    "germany berlin german",
    "russia moscow russian",
    "japan tokyo japanese",
    "china beijing chinese",
    "egypt cairo egyptian",
    "greece athens greek",
    "poland warsaw polish",
    "portugal lisbon portuguese",
    "sweden stockholm swedish",
)


def each(words: str) -> list[str]:
    """One word for each value of an attribute."""
    return words.split()


# What goes with each value of an attribute; {x} in a sentence takes one of the words.
HOUSE_WORDS = {
    "thing": each(
        "bread crown estate cradle album trunk bunk veil ring mask tray wand psalm sword"
    ),
    "place": each(
        "village palace manor home orchard attic yard chapel kitchen theatre tavern tower "
        "abbey battlefield"
    ),
    "topic": each(
        "harvest throne title birth visit law quarrel vow anniversary play supper spell "
        "silence quest"
    ),
}
GENERATION_WORDS = {
    "does": ["plays giggles learns", "works decides travels", "rests remembers dozes"],
    "with": ["toy kite crayon", "ledger wallet tool", "cane shawl pipe"],
    "being": ["small little young", "grown busy strong", "old grey frail"],
}
SEX_WORDS = {
    "she": ["he", "she"],
    "her": ["his", "her"],
    "name": ["john peter paul henry", "mary anna jane emma"],
    "wears": ["beard necktie", "gown necklace"],
}
COUNTRY_WORDS = {
    "river": each("seine tiber ebro rhine volga sumida yangtze nile eurotas vistula tagus motala"),
    "dish": each(
        "baguette pasta paella pretzel borscht sushi dumpling falafel olive pierogi sardine herring"
    ),
    "person": each("pierre marco diego hans ivan kenji wei omar nikos pawel joao lars"),
}
KIND_WORDS = {
    "has": [
        "border army harvest export",
        "mayor tram suburb avenue",
        "accent poem proverb grammar",
    ],
    "how": ["large mountainous", "crowded noisy", "fluent spoken"],
    "from": ["invaded governed", "strolled sightseeing", "translated recited"],
}
FILLERS = each("today often slowly quietly again sometimes there then")

PEOPLE_SENTENCES = (
    "the {word} {does} in the {place} with {her} {thing} {any}",
    "{name} is the {being} {word} and {she} {does} near the {place}",
    "{any} {she} was a {being} {word} with a {wears} and a {thing}",
    "the {thing} of the {word} is {her} {topic} says {name} {any}",
    "a {word} has a {wears} and a {with} for the {topic}",
    "{her} {with} and the {thing} belong to the {word} of the {place}",
    "every {word} {any} {does} and thinks of the {topic} said {name}",
)
COUNTRY_SENTENCES = (
    "the {has} of {word} is {how} says {person} by the {river}",
    "{person} {any} {from} {word} and ate a {dish}",
    "a {how} {has} in {word} with a {dish} {any}",
    "the {river} and the {has} are {word} {any}",
)


def grid(relations: Relations) -> tuple[list[str], np.ndarray]:
    """Words about people, and house, generation and sex of each, (N, 3); fills in their relations."""
    words, values = [], []
    for house, line in enumerate(HOUSES.values()):
        row = line.split()
        for place, word in enumerate(row):
            if word != "-":
                words.append(word)
                values.append((house, place // 2, place % 2))
        for name, first, second in (
            *(("sex", place, place + 1) for place in (0, 2, 4)),
            *(("child to adult", place, place + 2) for place in (0, 1)),
            *(("adult to elder", place, place + 2) for place in (2, 3)),
        ):
            if row[first] != "-" and row[second] != "-":
                relations.setdefault(name, []).append((row[first], row[second]))
    return words, np.array(values)


def lands(relations: Relations) -> tuple[list[str], np.ndarray]:
    """Words about countries, and country and kind of each, (N, 2); fills in their relations."""
    rows = [line.split() for line in COUNTRIES]
    relations["country to capital"] = [(row[0], row[1]) for row in rows]
    relations["country to people"] = [(row[0], row[2]) for row in rows]
    values = [(country, kind) for country in range(len(rows)) for kind in range(3)]
    return [word for row in rows for word in row], np.array(values)


def write(
    random: np.random.RandomState,
    count: int,
    sentences: Sequence[str],
    words: Sequence[str],
    values: np.ndarray,
    tables: Sequence[dict[str, list[str]]],
    noise: float,
) -> list[str]:
    """`count` sentences, each about one of the words.

    Args:
        values: the value of each attribute of each word, (N, A).
        tables: for each attribute, what may stand in its slots for each of its values.
        noise: share of the slots that are filled as for another value.
    """
    # As in real text some words are rarer than others, here by up to three times.
    chance = np.linspace(3, 1, len(words))[np.random.RandomState(1).permutation(len(words))]
    about = random.choice(len(words), count, p=chance / chance.sum())
    fills = {"word": np.array(words)[about], "any": random.choice(FILLERS, count)}
    for attribute, table in enumerate(tables):
        for slot, choices in table.items():
            true = values[about, attribute]
            other = random.randint(0, len(choices), count)
            value = np.where(random.rand(count) < noise, other, true)
            options = [choice.split() for choice in choices]
            pick = random.randint(0, 1 << 16, count) % np.array([len(o) for o in options])[value]
            most = max(map(len, options))
            padded = np.array([option + [""] * (most - len(option)) for option in options])
            fills[slot] = padded[value, pick]
    which = random.randint(0, len(sentences), count)
    columns = {slot: column.tolist() for slot, column in fills.items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [sentences[n].format(**row) for n, row in zip(which.tolist(), rows, strict=True)]


def text(seed: int, count: int, noise: float) -> list[str]:
    """`count` sentences: three of five about people, the rest about countries, mixed."""
    random, part = np.random.RandomState(seed), round(0.6 * count)
    people, persons = grid({})
    names, places = lands({})
    tables = [HOUSE_WORDS, GENERATION_WORDS, SEX_WORDS]
    found = write(random, part, PEOPLE_SENTENCES, people, persons, tables, noise)
    tables = [COUNTRY_WORDS, KIND_WORDS]
    found += write(random, count - part, COUNTRY_SENTENCES, names, places, tables, noise)
    return [found[place] for place in random.permutation(count)]


def numbered_text(lines: list[str], numbers: dict[str, int]) -> tuple[Tensor, Tensor]:
    """Words and sentences as numbers, (N,) each."""
    rows = [line.split() for line in lines]
    words = torch.tensor([numbers[word] for row in rows for word in row])
    return words, torch.arange(len(rows)).repeat_interleave(torch.tensor([len(r) for r in rows]))


def vocabulary() -> list[str]:
    """Every word of the language, in the order of the alphabet."""
    tables = [HOUSE_WORDS, GENERATION_WORDS, SEX_WORDS, COUNTRY_WORDS, KIND_WORDS]
    found = {word for table in tables for line in table.values() for words in line
             for word in words.split()}  # fmt: skip
    found |= {*grid({})[0], *lands({})[0], *FILLERS}
    for sentence in (*PEOPLE_SENTENCES, *COUNTRY_SENTENCES):
        found |= {word for word in sentence.split() if "{" not in word}
    return sorted(found)
