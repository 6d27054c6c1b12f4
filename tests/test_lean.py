"""What Lightning does around every step to no effect stays left out, and nothing of it is missed."""

import os
from pathlib import Path

import pytest
import torch
from conftest import QUICK
from pytorch_lightning.callbacks import ModelCheckpoint
from test_script import Script

from lab.run.lean import Checkpoint, NoProfiler, stop_asking_nvml

NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"


def test_checkpoint_key_tells_checkpoints_apart_as_before() -> None:
    ours = [Checkpoint(monitor=name) for name in ("a", "b")]
    theirs = [ModelCheckpoint(monitor=name) for name in ("a", "b")]
    assert len({checkpoint.state_key for checkpoint in ours}) == 2
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.state_key.partition("{")[2] == other.state_key.partition("{")[2]
        assert mine.state_key is mine.state_key


def test_nothing_is_measured_in_one_context() -> None:
    profiler = NoProfiler()
    with profiler.profile("a") as inner, profiler.profile("b"):
        assert inner is None
    assert profiler.profile("a") is profiler.profile("b")
    assert profiler.summary() == ""


def test_torch_is_asked_on_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NVML, "1")
    stop_asking_nvml(torch.device("cuda"))
    assert os.environ[NVML] == "1"
    stop_asking_nvml(torch.device("cpu"))
    assert NVML not in os.environ


def test_a_profiler_of_ones_own_is_used(script: Script) -> None:
    outcome = script(*QUICK, "--trainer.profiler", "simple")
    assert outcome.code == 0, outcome.err
    given = "{class_path: SimpleProfiler, init_args: {dirpath: profile, filename: steps}}"
    Path("profiled.yaml").write_text(f"trainer: {{profiler: {given}}}\n")
    assert script("-c", "profiled.yaml", *QUICK).code == 0
    assert "run_training_batch" in next(Path("profile").iterdir()).read_text()


def test_time_counts_training_and_not_the_test(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("lab.run.callbacks.clocks", lambda: (now[0], now[0]))
    Path("ticks.py").write_text(
        "import pytorch_lightning as pl\n"
        "class Ticks(pl.Callback):\n"
        "    now = None\n"
        "    def on_train_epoch_start(self, *_): Ticks.now[0] += 1.0\n"
        "    def on_test_epoch_start(self, *_): Ticks.now[0] += 100.0\n"
    )
    monkeypatch.syspath_prepend(Path.cwd())
    import ticks

    ticks.Ticks.now = now
    outcome = script("--trainer.max_epochs", "3", "--trainer.callbacks", "ticks.Ticks")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["seconds"] == outcome.summary["cpu_seconds"] == 3.0
