"""Words as data: pairs against plain loops, the generated language, texts from files, questions."""

import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lab.data import word_text
from lab.data.word_families import Families
from lab.data.word_language import text
from lab.data.word_questions import (
    ANALOGIES,
    SIMILARITIES,
    all_questions,
    parse_queries,
    read_analogies,
    read_similarities,
)
from lab.data.word_text import TEXT8, WordText, read_words
from lab.data.word_windows import LENGTH, EpochIndices, WordWindows, as_pairs, keep_probability
from lab.errors import LabError

# Pairs


def windows(count: int = 1000, keep: float = 0.7, window: int = 3, seed: int = 0) -> WordWindows:
    """A text of random words in sentences of random lengths; words above 9 always stay."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(20, (count,), generator=generator)
    sentences = (torch.rand(count, generator=generator) < 0.2).cumsum(0)
    stays = torch.ones(20)
    stays[:10] = keep
    return WordWindows(words, sentences, stays, window=window)


def pairs_by_loops(words: Tensor, sentences: Tensor, reach: Tensor) -> Counter:
    """Centre and neighbour of every pair, by the definition, from a text and the reach of each word."""
    found: Counter = Counter()
    for place in range(len(words)):
        for other in range(len(words)):
            near = place != other and abs(place - other) <= reach[place]
            if near and sentences[place] == sentences[other]:
                found[int(words[place]), int(words[other])] += 1
    return found


@pytest.mark.parametrize("window", [1, 3, 5])
def test_pairs_are_those_of_plain_loops(window: int) -> None:
    samples = windows(400, window=window)
    columns = samples.__getitems__(list(range(len(samples))))
    words, weights = as_pairs(columns)
    assert words.dtype == torch.long and words.shape[1] == LENGTH + 2 * window
    assert weights.shape == (len(samples), LENGTH, LENGTH + 2 * window)
    block, center, neighbour = weights.nonzero(as_tuple=True)
    pairs = zip(
        words[block, center + window].tolist(), words[block, neighbour].tolist(), strict=True
    )
    # The text as it was drawn: the middles of the blocks in a row, without the padding.
    middle = slice(window, window + LENGTH)
    text, sentences = (column[:, middle].flatten() for column in columns[:2])
    reach = columns[2].flatten()
    real = reach > 0
    assert 200 < real.sum() < 400 and real[: int(real.sum())].all()
    assert Counter(pairs) == pairs_by_loops(text[real], sentences[real], reach[real])
    assert set(weights.unique().tolist()) == {0.0, 1.0}


def test_pairs_of_a_sentence_by_hand() -> None:
    # a b c | d, with reaches 1, 2, 1 and 2, in a block of its own.
    samples = WordWindows(torch.arange(4), torch.tensor([0, 0, 0, 1]), torch.ones(4), window=2)
    words, sentences, _ = samples[0]
    reach = torch.zeros(LENGTH, dtype=torch.int32)
    reach[:4] = torch.tensor([1, 2, 1, 2])
    _, weights = as_pairs((words[None], sentences[None], reach[None]))
    found = [(center, other - 2) for _, center, other in weights.nonzero().tolist()]
    assert found == [(0, 1), (1, 0), (1, 2), (2, 1)]


def test_frequent_words_are_dropped_as_in_word2vec() -> None:
    counts = torch.tensor([9000, 900, 90, 10, 0])
    keep = keep_probability(counts, 0.01)
    share = 0.9
    assert keep[0].item() == pytest.approx((0.01 / share) ** 0.5 + 0.01 / share, rel=1e-5)
    assert keep[1].item() == pytest.approx((0.01 / 0.09) ** 0.5 + 0.01 / 0.09, rel=1e-5)
    assert keep[2:].tolist() == [1, 1, 1]
    assert keep_probability(counts, 0).tolist() == [1] * 5


def test_draws_keep_each_word_with_its_probability_and_reach_evenly() -> None:
    samples = windows(40_000, keep=0.25)
    words, _, reach = samples.draw(5)
    real = reach.flatten() > 0
    kept = torch.bincount(words[:, 3 : 3 + LENGTH].flatten()[real], minlength=20)
    before = torch.bincount(samples.words, minlength=20)
    assert torch.equal(kept[10:], before[10:])
    assert (kept[:10] / before[:10]).mean().item() == pytest.approx(0.25, abs=0.02)
    share = torch.bincount(reach.flatten()[real])[1:] / real.sum()
    assert share.tolist() == pytest.approx([1 / 3] * 3, abs=0.02)


def test_epochs_and_seeds_differ_and_repeat() -> None:
    samples, again = windows(), windows()
    first, second = samples[0], samples[len(samples)]
    assert all(torch.equal(*pair) for pair in zip(first, again[0], strict=True))
    assert not torch.equal(first[0], second[0]) and not torch.equal(first[2], second[2])
    # The order in which epochs are asked for makes no difference.
    assert all(torch.equal(*pair) for pair in zip(first, samples[0], strict=True))
    again.seed, again.epoch = 1, None
    assert not torch.equal(first[0], again[0][0])


def test_processes_share_an_epochs_blocks() -> None:
    samples = windows(3000)
    shares = []
    for rank in range(2):
        indices = EpochIndices(len(samples), 4, shuffle=True, rank=rank, world_size=2)
        indices.set_epoch(3)
        shares += [number for rows in indices for number in rows.tolist()]
    start = 3 * len(samples)
    assert sorted(shares) == list(range(start, start + len(samples)))


def test_workers_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    found = []
    for workers in (0, 2):
        data = Families(sentences=1000, num_workers=workers)
        data.setup("fit")
        loader: Any = data.train_dataloader()
        for epoch in (0, 1):
            loader.batch_sampler.set_epoch(epoch)
            found.append([torch.cat([column.flatten() for column in batch]) for batch in loader])
    assert all(torch.equal(*pair) for pair in zip(found[0], found[2], strict=True))
    assert all(torch.equal(*pair) for pair in zip(found[1], found[3], strict=True))
    assert not torch.equal(found[0][0], found[1][0])


# The generated language


def test_facts_of_families_are_known_before_setup() -> None:
    data = Families()
    assert data.vocab_size == len(data.words) == len(set(data.words)) == 258
    data.setup("fit")
    assert len(data.counts) == data.vocab_size and data.counts.min() > 100
    assert {stage: len(rows) for stage, rows in data.questions.items()} == {"val": 120, "test": 438}


def test_families_do_not_depend_on_the_seed_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        torch.manual_seed(int(seed))
        data = Families(sentences=1000)
        data.setup("fit")
        found.append([*data.val_set.tensors, *data.test_set.tensors, data.train_set.words])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_no_sentence_gives_an_answer_away() -> None:
    data = Families(sentences=1000)
    data.setup("fit")
    asked = {data.words[number] for rows in data.questions.values() for number in rows.flatten()}
    lines = text(1, 5000, 0.1)
    assert max(len(asked & set(line.split())) for line in lines) == 1


def test_no_sentence_is_on_two_sides() -> None:
    data = Families(sentences=20_000, subsample=0.0)
    data.setup("fit")
    sides = []
    for part in (data.train_set.draw(0), data.val_set.tensors, data.test_set.tensors):
        words, sentences = (column[:, 5 : 5 + LENGTH].flatten() for column in part[:2])
        lengths = torch.bincount(sentences[sentences >= 0])
        sides.append(
            {tuple(line.tolist()) for line in words[sentences >= 0].split(lengths.tolist())}
        )
    train, val, test = sides
    assert len(train) > 10 * len(val) > 3000 and len(test) > 300
    assert not train & val and not train & test and not val & test


def test_questions_of_validation_and_test_share_no_pair() -> None:
    data = Families(sentences=1000)
    data.setup("fit")
    pairs = [
        {tuple(pair) for row in data.questions[stage].tolist() for pair in (row[:2], row[2:])}
        for stage in ("val", "test")
    ]
    assert pairs[0] and pairs[1] and not pairs[0] & pairs[1]
    king = [data.words.index(word) for word in ("man", "woman", "king", "queen")]
    assert king in torch.cat([*data.questions.values()]).tolist()


def test_without_noise_every_word_keeps_its_company() -> None:
    lines = [line.split() for line in text(1, 3000, 0.0)]
    assert not any(
        "queen" in line and {"his", "he", "peter", "beard"} & set(line) for line in lines
    )
    noisy = [line.split() for line in text(1, 3000, 0.5)]
    assert any("queen" in line and "his" in line for line in noisy)


# Texts from files


def written(words: list[str], name: str = "text.txt") -> str:
    Path(name).write_text(" ".join(words), encoding="utf-8")
    return name


def test_words_of_any_text() -> None:
    text, words = read_words(
        Path(written(["It's", "ÉTÉ,", "(é)", "don’t!", "A-b", "c_d", "it's", "7"]))
    )
    assert [words[number] for number in text] == [
        *("it's", "été", "é", "don’t", "a", "b", "c", "d", "it's", "7")
    ]


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
def test_pieces_do_not_cut_words(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_text, "PIECE", piece)
    expected = ["naïve", "words", "of", "größe"] * 3
    text, words = read_words(Path(written(expected)))
    assert [words[number] for number in text] == expected


def test_text_in_an_archive() -> None:
    with zipfile.ZipFile("text.zip", "w") as archive:
        archive.writestr("text8", " anarchism originated as as")
    text, words = read_words(Path("text.zip"))
    assert [words[number] for number in text] == ["anarchism", "originated", "as", "as"]


def test_text_is_cut_by_position_and_counted_in_training_alone() -> None:
    # "late" is frequent in the end only, "rare" comes 3 times.
    middle = ["a", "b", "c", "d", "a", "b", "a", "rare"]
    path = written(middle * 3 + ["a", "b", "c", "d"] * 20 + ["late"] * 26)
    options: dict[str, Any] = {"path": path, "held_out": 0.1, "subsample": 0.0, "window": 2}
    data = WordText(min_count=4, max_words=10, **options)
    assert data.vocab_size == 10
    data.prepare_data()
    data.setup("fit")
    assert data.words == ("a", "b", "c", "d")
    assert data.counts.tolist() == [29, 26, 23, 23, *[0] * 6]
    assert len(data.train_set.words) == 101
    data = WordText(min_count=1, max_words=3, **options)
    data.setup("fit")
    assert data.words == ("a", "b", "c")


def test_text_is_looked_for_below_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data").mkdir()
    written(["a", "b"] * 100, "data/text.txt")
    monkeypatch.setenv("LAB_DATA_DIR", "data")
    data = WordText(path="text.txt")
    data.prepare_data()
    data.setup("fit")
    assert data.words == ("a", "b")
    written(["c", "d"] * 100)
    assert WordText(path="text.txt").place() == Path("text.txt")


def test_questions_that_are_not_there_are_told_in_a_line(capsys: Any) -> None:
    data = WordText(path=written(["a", "b"] * 100))
    data.prepare_data()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("not measured, questions-words.txt is not there: cannot download")
    data.setup("fit")
    assert data.questions == {} and data.similarities is None


def test_damaged_questions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data/word2vec").mkdir(parents=True)
    Path("data/word2vec/questions-words.txt").write_text(": short")
    with pytest.raises(LabError, match="7 bytes, but questions-words.txt has 603955"):
        WordText(path=written(["a", "b"] * 100)).prepare_data()


def test_downloads_of_words_come_over_https() -> None:
    for file in (TEXT8, ANALOGIES, SIMILARITIES):
        assert file.mirrors and all(url.startswith("https://") for url in file.mirrors)
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Families(window=0), "--data.window 0: choose 1 or more"),
        (lambda: Families(subsample=-1), "--data.subsample -1: choose 0"),
        (lambda: Families(sentences=999), "--data.sentences 999: choose at least 1000"),
        (lambda: Families(noise=1.0), "--data.noise 1.0: choose 0 to below 1"),
        (lambda: WordText(max_words=1), "--data.max_words must be at least 2"),
        (lambda: WordText(min_count=0), "--data.max_words must be at least 2"),
        (lambda: WordText(held_out=0.5), "--data.held_out 0.5: choose a share"),
        (lambda: WordText(path="no.txt").prepare_data(), "--data.path no.txt: there is no such"),
        (lambda: WordText(path=written(["a"] * 99)).setup("fit"), "of 99 words 1 come 5 times"),
        (lambda: WordText(path=written([])).setup("fit"), "of 0 words 0 come 5 times"),
    ],
)
def test_wrong_options_of_words(make: Any, message: str) -> None:
    with pytest.raises(LabError, match=re.escape(message)):
        make()


def test_bytes_that_are_no_text_are_refused() -> None:
    Path("text.txt").write_bytes(b"a b \xff\xfe c")
    with pytest.raises(LabError, match="text.txt: cannot be read"):
        WordText(path="text.txt").setup("fit")


# Questions

WORDS = ("athens", "greece", "oslo", "norway", "bad", "worse", "big", "bigger", "king", "man")
LINES = """\
: capitals
Athens Greece Oslo Norway
Oslo Norway Athens Greece
Athens Greece Bern Switzerland
: comparative
bad worse big bigger
Athens Greece Oslo Norway
: last
big bigger bad worse
"""


def test_sections_of_analogies_are_for_validation_and_test_by_turns() -> None:
    Path("questions.txt").write_text(LINES)
    questions, relations = read_analogies(Path("questions.txt"), WORDS)
    assert questions["val"].tolist() == [[0, 1, 2, 3], [2, 3, 0, 1], [6, 7, 4, 5]]
    assert questions["test"].tolist() == [[4, 5, 6, 7]]
    assert relations["capitals"].tolist() == [[0, 1], [2, 3]]
    assert list(relations) == ["capitals", "comparative", "last"]
    questions, relations = read_analogies(Path("questions.txt"), ("other",))
    assert questions["val"].shape == questions["test"].shape == (0, 4) and relations == {}


def test_similarities_of_known_words() -> None:
    Path("pairs.tsv").write_text("# comment\nKing\tman\t6.5\nking\tcabbage\t0.2\nbad\tbig\t1\n")
    pairs, scores = read_similarities(Path("pairs.tsv"), WORDS)
    assert pairs.tolist() == [[8, 9], [4, 6]] and scores.tolist() == [6.5, 1.0]
    Path("pairs.tsv").write_text("king man 6.5\n")
    with pytest.raises(LabError, match="pairs.tsv: cannot be read"):
        read_similarities(Path("pairs.tsv"), WORDS)


def test_all_questions_of_pairs() -> None:
    numbers = {word: number for number, word in enumerate("abcdef")}
    relations = {"one": [("a", "b"), ("c", "d")], "two": [("a", "e"), ("a", "f")]}
    # Pairs that share a word ask nothing.
    assert all_questions(relations, numbers).tolist() == [[0, 1, 2, 3], [2, 3, 0, 1]]


def test_queries_are_sums_of_words() -> None:
    words, signs = parse_queries(["King - man + bad", "oslo", "- big"], WORDS).tensors
    assert words.tolist() == [[8, 9, 4], [2, -1, -1], [6, -1, -1]]
    assert signs.tolist() == [[1, -1, 1], [1, 0, 0], [-1, 0, 0]]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("king - men", "men is none of the 10 words.\nNearest: "),
        ("king man", '"king man" is not of the form "king - man + woman"'),
        ("king -", '"king -" is not of the form'),
        ("", '"" is not of the form'),
    ],
)
def test_wrong_queries(query: str, message: str) -> None:
    with pytest.raises(LabError, match=re.escape(message)):
        parse_queries([query], WORDS)
