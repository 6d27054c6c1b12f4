"""W&B: what an offline run holds, read back from its file; trouble with it stops nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wandb
import yaml
from conftest import EXPERIMENTS, QUICK
from test_script import Script

from lab.run import tracking
from lab.run.metrics_file import read_rows


@pytest.fixture(autouse=True)
def apart(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No account and no credentials; W&B's own files stay in the test's folder."""
    monkeypatch.setenv("HOME", str(own_folder))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(own_folder / "config"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(own_folder / "cache"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(own_folder / "staging"))
    monkeypatch.setenv("NETRC", str(own_folder / "netrc"))


def records(folder: Path | None) -> list[dict[str, Any]]:
    """All records of a run folder's offline runs, in order."""
    assert folder is not None
    found: list[dict[str, Any]] = []
    for part in sorted((folder / "wandb").glob("offline-run-*")):
        command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(part)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found += [json.loads(line) for line in done.stdout.splitlines()]
    return found


def of_type(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in found if record["type"] == kind]


def test_offline_run_holds_everything(script: Script) -> None:
    options = ("--wandb.project", "mine", "--wandb.group", "first", "--wandb.tags", "a,b")
    outcome = script(*QUICK, *options, "--wandb.entity", "us", "--wandb.log_model", "best")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0] == "W&B: offline (no API key; get one with: wandb login)"
    assert lines[-2:] == [
        f"W&B: send it with   wandb sync {outcome.folder}/wandb/offline-run-*",
        f"     see it here with   wandb leet {outcome.folder}/wandb",
    ]
    assert outcome.err == ""
    found = records(outcome.folder)
    (run,) = of_type(found, "run")
    assert (run["project"], run["entity"], run["run_group"]) == ("mine", "us", "first")
    assert run["tags"] == ["a", "b"] and run["display_name"] == outcome.folder.name
    # The whole nested configuration, once, and nothing flat beside it.
    config = {key: value for key, value in run["config"]["update"].items() if key != "_wandb"}
    assert config == yaml.safe_load((outcome.folder / "config.yaml").read_text())
    later = [set(update["update"]) for update in of_type(found, "config")]
    assert set().union(*later) <= {"_wandb"}
    # Every metric of metrics.csv.
    history = [record["item"] for record in of_type(found, "history")]
    for row in read_rows(outcome.folder / "metrics.csv"):
        for key, value in row.items():
            if value and "/" in key:
                same = [
                    h[key]
                    for h in history
                    if h.get("trainer/global_step") == int(row["step"]) and key in h
                ]
                assert same == [pytest.approx(float(value))], key
    # Figures are images, in the file and beside it.
    for name in ("confusion", "worst_mistakes"):
        (image,) = [h for h in history if f"figures/{name}._type" in h]
        (file,) = image[f"figures/{name}.filenames"]
        (there,) = (outcome.folder / "wandb").glob(f"offline-run-*/files/{file}")
        assert there.read_bytes() == (outcome.folder / "figures" / f"{name}.png").read_bytes()
    # The final numbers are in the summary.
    summary: dict[str, Any] = {}
    for update in of_type(found, "summary"):
        summary |= update["update"]
    for key, value in outcome.summary.items():
        assert summary[key] == (pytest.approx(value) if isinstance(value, float) else value), key
    # Code and exactly one model.
    artifacts = {artifact["type"]: artifact for artifact in of_type(found, "artifact")}
    assert set(artifacts) == {"code", "model"} and len(of_type(found, "artifact")) == 2
    code = {entry["path"] for entry in artifacts["code"]["manifest"]["contents"]}
    assert {"training/run_experiment.py", "lab/run/cli.py"} <= code
    (model,) = artifacts["model"]["manifest"]["contents"]
    assert model["size"] == str((outcome.folder / "checkpoints" / "best.ckpt").stat().st_size)
    assert "best" in artifacts["model"]["aliases"]


@pytest.mark.slow
def test_by_default_no_model_is_uploaded(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    outcome = script(*QUICK, "--wandb")
    assert "W&B: offline (WANDB_MODE=offline)" in outcome.out
    assert [a["type"] for a in of_type(records(outcome.folder), "artifact")] == ["code"]


@pytest.mark.slow
def test_runs_of_one_process_are_apart(script: Script) -> None:
    first, second = script(*QUICK, "--wandb"), script(*QUICK, "--wandb")
    ids = [of_type(records(run.folder), "run")[0]["run_id"] for run in (first, second)]
    assert len(set(ids)) == 2
    assert wandb.run is None


@pytest.mark.slow
def test_resuming_goes_on_with_the_same_run(script: Script) -> None:
    first = script(*QUICK, "--wandb", "--wandb.tags", "kept")
    again = script("--resume", first.folder, "--trainer.max_epochs", "2")
    assert again.code == 0, again.err
    runs = of_type(records(first.folder), "run")
    assert len(runs) == 2 and runs[0]["run_id"] == runs[1]["run_id"]
    assert runs[1]["tags"] == ["kept"]


@pytest.mark.slow
def test_server_out_of_reach(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "START_PATIENCE", 3)
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "1")
    outcome = script(*QUICK, "--wandb")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("W&B: offline (")
    assert "wandb sync" in outcome.out
    assert outcome.summary["test/accuracy"] > 0.5


def test_trouble_while_training_is_told_once(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise BrokenPipeError("the service died")

    monkeypatch.setattr(tracking.WandbLogger, "log_metrics", broken)
    outcome = script(*QUICK, "--wandb")
    assert outcome.code == 0
    assert outcome.err == "W&B: the service died; training goes on without it\n"
    assert outcome.summary["epochs"] == 1


@pytest.mark.slow
def test_without_the_option_nothing_of_it_is_imported() -> None:
    code = (
        "import sys; from pathlib import Path; from lab.run.main import main\n"
        f"sys.argv = ['x', *{QUICK!r}]\n"
        f"assert main(Path({str(EXPERIMENTS)!r})) == 0\n"
        "print('wandb' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert not list(Path("runs").glob("*/wandb*"))


def test_only_the_best_model_can_be_logged(script: Script) -> None:
    outcome = script(*QUICK, "--wandb.log_model", "all")
    assert outcome.code == 2
    assert outcome.err.startswith("error: --wandb.log_model all: choose best")


def test_no_test_inside_a_sweep(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    outcome = script(*QUICK)
    assert outcome.code == 0
    assert "val/accuracy" in outcome.summary
    assert not [key for key in outcome.summary if key.startswith("test/")]
