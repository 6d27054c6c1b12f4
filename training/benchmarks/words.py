"""Skip-gram by the script / a plain loop over pairs, and gensim's word2vec (speed and scores).

Run:  python training/benchmarks/words.py --python PYTHON --text wiki8/wiki8.txt --epochs 5 --seeds 0 1 2

gensim is no dependency: PYTHON is any interpreter that has it, by default that in GENSIM_PYTHON, else this
one. Both train on the same words with the same dimension, window, negatives, subsampling, smallest count
and number of epochs, on one thread, and both answer the same questions by the same code. In the benchmark
the text is that of Families where LAB_DATA_DIR has no wiki8/wiki8.txt. Ours counts all of the fit, with its
checkpoints and one validation; gensim's counts its training alone.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measuring import EXPERIMENT, alternate, compare, last_epoch
from lab.data.word_families import Families
from lab.data.word_text import WordText
from lab.models.word_counts import pairs_of
from lab.models.word_vectors import analogy_accuracy, noise, word_similarity
from lab.nets.skip_gram import SkipGram
from lab.run import main

WIDTH, WINDOW, NEGATIVES, SUBSAMPLE, MIN_COUNT = 100, 5, 5, 1e-3, 5
GENSIM = f"""
import json, sys, time
import numpy as np
from gensim.models import Word2Vec
text, out, seed, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sentences = [line.split() for line in open(text, encoding="utf-8")]
model = Word2Vec(sg=1, vector_size={WIDTH}, window={WINDOW}, negative={NEGATIVES}, sample={SUBSAMPLE},
                 min_count={MIN_COUNT}, workers=1, seed=seed, epochs=epochs)
model.build_vocab(sentences)
started = time.process_time()
model.train(sentences, total_examples=model.corpus_count, epochs=epochs)
seconds = time.process_time() - started
np.save(out + ".npy", model.wv.vectors)
json.dump([model.wv.index_to_key, seconds], open(out + ".json", "w"))
"""


def prepared(text: str | None) -> tuple[Any, list[str]]:
    """The data, ready, and the words of the command that choose them; Families when there is no text."""
    common = {"window": WINDOW, "subsample": SUBSAMPLE}
    if text is None:
        data: Any = Families(**common)  # type: ignore[arg-type]
        words = ["--data=Families"]
    else:
        # Next to nothing is held out, so that nearly all of the text is trained on.
        options = {"max_words": 9000, "min_count": MIN_COUNT, "held_out": 0.002, "batch_size": 64}
        data = WordText(path=text, **common, **options)  # type: ignore[arg-type]
        words = ["--data=WordText", f"--data.path={text}"]
        words += [f"--data.{name}={value}" for name, value in options.items()]
    data.prepare_data()
    data.setup("fit")
    return data, words + [f"--data.{name}={value}" for name, value in common.items()]


def write_text(data: Any, path: Path) -> None:
    """The training words of the data, a sentence per line; gensim cuts those of more than 10 000 words."""
    windows = data.train_set
    counts = torch.bincount(windows.sentences)
    sentences = [
        part for whole in windows.words.split(counts.tolist()) for part in whole.split(5000)
    ]
    lines = [" ".join(data.words[number] for number in part.tolist()) for part in sentences]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def ours(data: Any, words: list[str], seed: int, epochs: int) -> dict[str, float]:
    """Scores after a fit by the script, and words per CPU second of it."""
    folder = Path(tempfile.mkdtemp(dir="."))
    sys.argv = [EXPERIMENT.name, *words, "--model=WordEmbedding", f"--model.net.width={WIDTH}"]
    sys.argv += [f"--model.negatives={NEGATIVES}", f"--seed_everything={seed}"]
    sys.argv += [f"--trainer.max_epochs={epochs}", f"--trainer.check_val_every_n_epoch={epochs}"]
    sys.argv += ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    sys.argv += [f"--run_dir={folder / 'run'}"]
    # The table of the test is that of another split of the questions.
    with contextlib.redirect_stdout(sys.stderr):
        assert main.main(EXPERIMENT.parent / "experiments") == 0, "the script failed"
    content = torch.load(folder / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    vectors = content["state_dict"]["net.center.weight"][: len(data.words)]
    seconds = json.loads((folder / "run" / "summary.json").read_text())["cpu_seconds"]
    return scores(data, vectors) | {"speed": len(data.train_set.words) * epochs / seconds}


def gensim(data: Any, text: Path, python: str, seed: int, epochs: int) -> dict[str, float]:
    """The same of gensim's word2vec."""
    out = str(text.with_name("gensim"))
    # gensim's seed 0 is as good as any other.
    subprocess.run([python, "-c", GENSIM, str(text), out, str(seed), str(epochs)], check=True)
    words, seconds = json.loads(Path(out + ".json").read_text())
    table = torch.from_numpy(np.load(out + ".npy"))
    place = {word: number for number, word in enumerate(words)}
    # A word that gensim lacks would be a mistake of this comparison.
    vectors = table[[place[word] for word in data.words if word in place]]
    assert len(vectors) == len(data.words) <= len(words)
    return scores(data, vectors) | {"speed": len(data.train_set.words) * epochs / seconds}


def scores(data: Any, vectors: Tensor) -> dict[str, float]:
    """What vectors reach on all of the data's questions."""
    found = {"analogy": analogy_accuracy(vectors, torch.cat([*data.questions.values()]))}
    if data.similarities is not None:
        found["WordSim-353"] = word_similarity(vectors, *data.similarities)
    return found


def compared(text: str | None, python: str, seeds: list[int], epochs: int) -> Iterator[dict]:
    """A row for each score; both trainers take turns."""
    data, words = prepared(text)
    file = Path("gensim.txt").resolve()
    write_text(data, file)
    pairs = [
        (ours(data, words, seed, epochs), gensim(data, file, python, seed, epochs))
        for seed in seeds
    ]
    units = {"speed": "words / CPU s", "analogy": "share right", "WordSim-353": "Spearman"}
    for name in pairs[0][0]:
        columns = [[mine[name] for mine, _ in pairs], [theirs[name] for _, theirs in pairs]]
        yield compare(f"skip-gram {name} / gensim", units[name], *columns)
        print(f"{name}: ours {columns[0]}, gensim {columns[1]}")


def interpreter(chosen: str | None) -> str | None:
    """A Python that has gensim, if there is one."""
    python = chosen or os.environ.get("GENSIM_PYTHON") or sys.executable
    found = subprocess.run([python, "-c", "import gensim"], capture_output=True)
    return python if found.returncode == 0 else None


def by_hand(net: Any, optimizer: Any, pairs: Tensor, drawn: Tensor) -> None:
    """An epoch over pairs (P, 2), each with negatives of its own."""
    for pair in pairs[torch.randperm(len(pairs))].split(1024):
        negative = torch.multinomial(drawn, len(pair) * NEGATIVES, replacement=True)
        optimizer.zero_grad()
        center, context = net.center(pair[:, 0]), net.context(pair[:, 1])
        far = (net.context(negative.view(-1, NEGATIVES)) @ center[:, :, None]).squeeze(-1)
        near = (center * context).sum(-1)
        (F.softplus(-near).mean() + F.softplus(far).sum(-1).mean()).backward()
        optimizer.step()


def plain(repeats: int) -> Iterator[dict]:
    """Words per CPU second of the second epoch; the loop's pairs are made beforehand."""
    data, words = prepared(None)
    pairs = pairs_of(data.train_set, data.batch_transform, most=len(data.train_set)).T

    def theirs() -> float:
        net = SkipGram((1,), data.vocab_size, width=WIDTH)
        optimizer = torch.optim.Adagrad(net.parameters(), 0.1)
        started = time.process_time()
        by_hand(net, optimizer, pairs, noise(data.counts))
        return time.process_time() - started

    words += ["--model=WordEmbedding", f"--model.net.width={WIDTH}", "--trainer.accelerator=cpu"]
    seconds = alternate(repeats, partial(last_epoch, time.process_time, 2, *words), theirs)
    count = len(data.train_set.words)
    speeds = [[count / spent for spent in side] for side in seconds]
    yield compare("skip-gram / plain loop over pairs", "words / CPU s", *speeds)


def rows(repeats: int) -> Iterator[dict]:
    """For gensim repeats are seeds."""
    yield from plain(repeats)
    python = interpreter(None)
    if python is None:
        print("words: gensim is not there, name a Python that has it in GENSIM_PYTHON")
        return
    place = Path(os.environ.get("LAB_DATA_DIR") or "data") / "wiki8" / "wiki8.txt"
    text = "wiki8/wiki8.txt" if place.is_file() else None
    yield from compared(text, python, list(range(min(repeats, 3))), epochs=1 if repeats == 1 else 5)


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [options]")
    parser.add_argument("--python", help="an interpreter that has gensim")
    parser.add_argument("--text", help="a text file, Families when not given")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    python = interpreter(args.python)
    if python is None:
        sys.exit(f"{args.python or 'this Python'} has no gensim: name one that has it by --python")
    torch.set_num_threads(1)
    folder = os.environ.get("LAB_DATA_DIR") or "data"
    os.environ |= {"OMP_NUM_THREADS": "1", "LAB_DATA_DIR": str(Path(folder).absolute())}
    if args.text and Path(args.text).is_file():
        args.text = str(Path(args.text).absolute())
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        for row in compared(args.text, python, args.seeds, args.epochs):
            numbers = {
                key: round(value, 4) for key, value in row.items() if key not in ("what", "unit")
            }
            print(row["what"], f"({row['unit']})", numbers)


if __name__ == "__main__":
    run()
