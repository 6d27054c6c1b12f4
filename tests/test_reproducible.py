"""The same run again: after a kill, with other workers, with other hash seeds."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import ROOT
from pytorch_lightning import LightningModule
from test_script import Script, same, weights

from lab.run.callbacks import Guard
from lab.run.metrics_file import read_rows

RUN = (sys.executable, str(ROOT / "training" / "run_experiment.py"))
# Dropout and augmentation draw random numbers at each step.
OPTIONS = ("--data", "Digits", "--data.augment", "true", "--model.net", "MLP")
OPTIONS += ("--model.net.dropout", "0.3", "--model.schedule", "cosine")


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def call(*words: object, **more: str) -> None:
    """The script in a process of its own; it must succeed."""
    command = [*RUN, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(**more))
    assert done.returncode == 0, done.stderr


def metrics(folder: Path) -> list[dict[str, str]]:
    return read_rows(folder / "metrics.csv")


def kill_in_training(
    folder: Path, words: list[str], after_rows: int, by: signal.Signals = signal.SIGKILL
) -> tuple[int, str]:
    """Start the script and end it once `metrics.csv` has that many rows; exit code and errors."""
    with subprocess.Popen(
        [*RUN, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        for _ in range(12_000):
            time.sleep(0.005)
            file = folder / "metrics.csv"
            if process.poll() is not None or (file.is_file() and len(metrics(folder)) > after_rows):
                break
        assert process.poll() is None, "the run ended before it was killed"
        process.send_signal(by)
        errors = process.communicate(timeout=60)[1]
        return process.returncode, errors


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path, seed: int) -> None:
    words = [*OPTIONS, "--trainer.max_epochs", "12", "--wandb"]
    call(*words, "--run_dir", "whole", WANDB_MODE="offline")
    os.environ["WANDB_MODE"] = "offline"
    dice = random.Random(seed)
    killed = [*words, "--run_dir", "killed"]
    kill_in_training(Path("killed"), killed, after_rows=dice.randrange(2, 12))
    before = json.loads(Path("killed/wandb.json").read_text())
    kill_in_training(
        Path("killed"), ["--resume", "killed"], after_rows=len(metrics(Path("killed"))) + 5
    )
    call("--resume", "auto", "--run_dir", "killed", WANDB_MODE="offline")
    assert same(weights(Path("whole")), weights(Path("killed")))
    assert metrics(Path("whole")) == metrics(Path("killed"))
    assert json.loads(Path("killed/wandb.json").read_text()) == before
    runs = {path.name[-8:] for path in Path("killed/wandb").glob("offline-run-*")}
    assert runs == {before["id"]}
    whole, resumed = (
        json.loads(Path(name, "summary.json").read_text()) for name in ("whole", "killed")
    )
    # Time is counted over the parts, so it differs; everything else is the same.
    times = ("seconds", "cpu_seconds")
    assert {k: v for k, v in whole.items() if k not in times} == {
        k: v for k, v in resumed.items() if k not in times
    }


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes started in the test can be interrupted, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_interrupted_run_says_how_to_go_on(interruptible: None) -> None:
    words = [*OPTIONS, "--trainer.max_epochs", "500", "--run_dir", "run"]
    code, errors = kill_in_training(Path("run"), words, after_rows=3, by=signal.SIGINT)
    assert code == 1
    assert errors.rstrip().endswith("error: stopped.\nGo on with: --resume run")
    call("--resume", "run", "--trainer.max_epochs", "3")
    assert len(metrics(Path("run"))) >= 3


@pytest.mark.slow
def test_hash_seeds_make_no_difference() -> None:
    for value in ("0", "1", "77"):
        folder = f"hash{value}"
        call(*OPTIONS, "--trainer.max_epochs", "2", "--run_dir", folder, PYTHONHASHSEED=value)
    assert same(weights(Path("hash0")), weights(Path("hash1")))
    assert same(weights(Path("hash0")), weights(Path("hash77")))
    assert metrics(Path("hash0")) == metrics(Path("hash77"))


def test_workers_make_no_difference(script: Script) -> None:
    words = (*OPTIONS, "--trainer.max_epochs", "2")
    without = script(*words, "--data.num_workers", "0")
    beside = script(*words, "--data.num_workers", "2")
    assert beside.code == 0, beside.err
    assert same(weights(without.folder), weights(beside.folder))
    assert metrics(without.folder) == metrics(beside.folder)


def test_seeds_make_a_difference(script: Script) -> None:
    words = (*OPTIONS, "--trainer.max_epochs", "1")
    first, second = (script(*words, "--seed_everything", seed) for seed in (0, 1))
    assert not same(weights(first.folder), weights(second.folder))


def test_random_draws_differ_between_epochs_and_seeds(
    script: Script, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("watching.py").write_text(
        "import torch, pytorch_lightning as pl\n"
        "seen = []\n"
        "class Watch(pl.Callback):\n"
        "    def on_train_batch_start(self, trainer, module, batch, index):\n"
        "        if index == 0:\n"
        "            seen.append(torch.rand(3))\n"
    )
    monkeypatch.syspath_prepend(own_folder)
    for seed in (0, 1):
        options = ("--trainer.callbacks", "watching.Watch", "--seed_everything", seed)
        script(*OPTIONS, "--trainer.max_epochs", "3", *options)
    import watching

    assert len(watching.seen) == 6
    assert len({tuple(draw.tolist()) for draw in watching.seen}) == 6


def test_random_draws_differ_between_epochs_ranks_and_seeds_of_a_run() -> None:
    draws = set()
    for seed, epoch, rank in itertools.product((0, 1, 2**32 - 1), (0, 1), (0, 1, 2)):
        trainer: Any = SimpleNamespace(current_epoch=epoch, global_rank=rank)
        Guard(seed, {}).on_train_epoch_start(trainer, LightningModule())
        draws.add(tuple(torch.rand(3).tolist()))
    assert len(draws) == 3 * 2 * 3


@pytest.mark.slow
# Workers fetch ahead: before the first step of a resumed run is known to be that of a later epoch.
@pytest.mark.parametrize("workers", [0, 1])
def test_finished_run_can_be_trained_further(script: Script, workers: int) -> None:
    words = (*OPTIONS, "--model.schedule", "constant", "--data.num_workers", workers)
    longer = script(*words, "--trainer.max_epochs", "4")
    first = script(*words, "--trainer.max_epochs", "2")
    more = script("--resume", first.folder, "--trainer.max_epochs", "4", "--run_dir", first.folder)
    assert more.code == 0, more.err
    assert same(weights(longer.folder), weights(first.folder))
    rows = [row for row in metrics(first.folder) if not row["test/loss"]]
    assert rows == [row for row in metrics(longer.folder) if not row["test/loss"]]


def test_resume_auto_starts_anew_when_there_is_nothing(script: Script) -> None:
    outcome = script("--resume", "auto", "--trainer.max_epochs", "1")
    assert outcome.code == 0, outcome.err
    assert "starting a new one" in outcome.out
    assert torch.isfinite(next(iter(weights(outcome.folder).values()))).all()
