"""Several processes: the numbers of one, one run folder, one W&B run; torchrun and SLURM."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from test_reproducible import RUN, environment, metrics

pytestmark = pytest.mark.slow
ON_CPU = ("--trainer.accelerator", "cpu")
TWO = (*ON_CPU, "--trainer.devices", "2", "--trainer.strategy", "ddp")
DIGITS = ("--data", "Digits", "--model.net", "MLP", "--trainer.max_epochs", "2")
# 265 training, 88 validation and 89 test samples: every last batch is uneven between two processes.
DIABETES = ("--data", "Diabetes", "--model", "Regression", "--model.net", "MLP")
DIABETES += ("--trainer.max_epochs", "5", "--model.schedule", "cosine")


def finish(command: list[str], **more: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=environment(**more)
    )
    assert done.returncode == 0, done.stderr[-3000:]


def summary(folder: str | Path) -> dict:
    return json.loads((Path(folder) / "summary.json").read_text())


def assert_same_metrics(one: dict, two: dict) -> None:
    """Equal but for the order in which numbers are added up."""
    keys = [key for key in one if key.partition("/")[0] in ("val", "test", "baseline", "best")]
    assert len(keys) > 8 and one["steps"] == two["steps"]
    for key in keys:
        assert two[key] == pytest.approx(one[key], abs=1e-5, rel=1e-5), key


@pytest.mark.parametrize("words", [DIGITS, DIABETES], ids=["digits", "diabetes"])
def test_two_processes_give_the_numbers_of_one(words: tuple[str, ...]) -> None:
    tracked = ("--wandb",)
    finish([*RUN, *words, *ON_CPU, "--data.batch_size", "52", "--run_dir", "one"])
    finish(
        [*RUN, *words, *TWO, *tracked, "--data.batch_size", "26"],
        WANDB_MODE="offline",
    )
    (folder,) = Path("runs").iterdir()
    assert_same_metrics(summary("one"), summary(folder))
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 1
    rows = [(row["step"], row["epoch"]) for row in metrics(folder)]
    assert rows == sorted(set(rows), key=rows.index) and rows == [
        (row["step"], row["epoch"]) for row in metrics(Path("one"))
    ]
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert figures == {path.name for path in Path("one/figures").iterdir()}


def test_two_processes_resume(tmp_path: Path) -> None:
    words = [*RUN, *DIGITS, *TWO, "--data.batch_size", "26"]
    finish([*words, "--trainer.max_epochs", "4", "--run_dir", "whole"])
    finish([*words, "--run_dir", "parts"])
    finish([*RUN, "--resume", "parts", "--trainer.max_epochs", "4"])
    assert_same_metrics(summary("whole"), summary("parts"))


def test_data_module_of_another_kind_is_shared_out_too() -> None:
    Path("plain.py").write_text(
        "import pytorch_lightning as pl, torch\n"
        "from torch.utils.data import DataLoader, TensorDataset\n"
        "class Plain(pl.LightningDataModule):\n"
        "    input_shape, num_classes = (3,), 2\n"
        "    def load(self):\n"
        "        x = torch.arange(192.0).view(64, 3)\n"
        "        return DataLoader(TensorDataset(x, (x[:, 0] > 96).long()), batch_size=8)\n"
        "    train_dataloader = val_dataloader = test_dataloader = load\n"
    )
    words = ["--data", "plain.Plain", "--model.net", "MLP", "--trainer.max_epochs", "1"]
    finish([*RUN, *words, *TWO, "--run_dir", "two"])
    assert summary("two")["steps"] == 64 / (8 * 2)


def test_accumulated_batches_give_the_numbers_of_a_large_one() -> None:
    words = [*RUN, *DIGITS, *ON_CPU]
    finish([*words, "--data.batch_size", "200", "--run_dir", "large"])
    accumulated = ("--trainer.accumulate_grad_batches", "2")
    finish([*words, "--data.batch_size", "100", *accumulated, "--run_dir", "small"])
    assert_same_metrics(summary("large"), summary("small"))


def test_bfloat16_on_the_cpu() -> None:
    words = [*RUN, *DIGITS, *ON_CPU]
    finish([*words, "--trainer.precision", "bf16-mixed", "--run_dir", "half"])
    assert summary("half")["test/accuracy"] > 0.9


def test_torchrun_names_the_run_after_its_job() -> None:
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    finish([*launch, RUN[1], *DIGITS, *TWO])
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("job-") and folder.name.endswith("-digits-mlp")
    assert summary(folder)["epochs"] == 2


def slurm_job(words: list[str]) -> list[int]:
    """Both tasks of a SLURM job, as srun would start them; their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    job = {"SLURM_JOB_ID": "42", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "lab", "SLURM_NNODES": "1"}
    job |= {"SLURM_NODELIST": "localhost", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NODEID": "0"}
    job |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WANDB_MODE": "offline"}
    tasks = [
        subprocess.Popen(
            [*RUN, *words, *TWO, "--resume", "auto", "--wandb"],
            env=environment(**job, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank)),
            stderr=subprocess.DEVNULL,
        )
        for rank in (0, 1)
    ]
    return [task.wait(timeout=300) for task in tasks]


def test_requeued_slurm_job_keeps_run_folder_and_tracker() -> None:
    assert slurm_job([*DIGITS]) == [0, 0]
    (folder,) = Path("runs").iterdir()
    assert folder.name == "slurm-42-digits-mlp"
    (folder / "summary.json").unlink()
    assert slurm_job(["--trainer.max_epochs", "3"]) == [0, 0]
    assert list(Path("runs").iterdir()) == [folder]
    assert summary(folder)["epochs"] == 3
    parts = [path.name[-8:] for path in (folder / "wandb").glob("offline-run-*")]
    assert len(parts) == 2 and set(parts) == {json.loads((folder / "wandb.json").read_text())["id"]}


def test_slurm_script_passes_options_and_requeues(tmp_path: Path) -> None:
    (tmp_path / "srun").write_text(
        '#!/bin/sh\necho "$@" > srun.txt\nkill -USR1 $PPID\nsleep 1\nexit 3\n'
    )
    (tmp_path / "scontrol").write_text('#!/bin/sh\necho "$@" > scontrol.txt\n')
    for name in ("srun", "scontrol"):
        (tmp_path / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "42", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "4"}
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(ROOT / "training" / "slurm.sh"), "-c", "mnist_cnn"],
        env=environment(**job, PATH=path, PYTHON="python"),
        timeout=60,
    )
    assert done.returncode == 3
    assert Path("scontrol.txt").read_text() == "requeue 42\n"
    assert Path("srun.txt").read_text() == (
        "python training/run_experiment.py -c mnist_cnn --resume auto "
        "--trainer.num_nodes 2 --trainer.devices 4 --trainer.strategy ddp\n"
    )
