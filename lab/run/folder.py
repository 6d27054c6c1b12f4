"""The run folder: made before anything else, owned by one run, enough to resume or repeat it.

runs/20260131-120000-digits-mlp/
    config.yaml      the whole configuration; `-c` runs it again
    command.txt      the command as typed
    metrics.csv      every logged metric by step
    summary.json     final metrics, time, versions; its presence marks the run as finished
    checkpoints/     best.ckpt and last.ckpt
    curves.png, figures/
"""

import json
import os
import shlex
import time
from pathlib import Path

from lab.errors import LabError, nearest

RUNS = Path("runs")
# Child processes of a run on several devices find its folder here.
VARIABLE = "LAB_RUN_DIR"
RANKS = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "SLURM_PROCID")


def first_process() -> bool:
    """Whether this is the process that writes the run folder."""
    return all(os.environ.get(rank, "0") == "0" for rank in RANKS)


def job_id() -> str | None:
    """Name of the job that the processes of several nodes share, if a launcher gave one."""
    if "SLURM_JOB_ID" in os.environ and "SLURM_PROCID" in os.environ:
        return f"slurm-{os.environ['SLURM_JOB_ID']}"
    elastic = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    return None if elastic == "none" else f"job-{elastic}"


def make(path: Path | None, name: str) -> Path:
    """A new, empty run folder: `path`, or one named by time and `name` that no other run has.

    Processes other than the first only learn the name.

    Raises:
        LabError: `path` is taken, or the folder can't be written.
    """
    job = job_id()
    if not first_process():
        if VARIABLE not in os.environ and path is None and job is None:
            raise LabError(
                "processes of one run must agree on its folder: give --run_dir or torchrun --rdzv-id"
            )
        return Path(os.environ.get(VARIABLE) or path or RUNS / f"{job}-{name}")
    if path is None and job:
        path = RUNS / f"{job}-{name}"
    if path is not None and path.exists() and (not path.is_dir() or any(path.iterdir())):
        hint = (
            f"To go on with it: --resume {path}" if is_run(path) else "It is not an empty folder."
        )
        raise LabError(f"--run_dir {path}: taken.\n{hint}")
    try:
        if path is not None:
            path.mkdir(parents=True, exist_ok=True)
            # Also refuses a folder that exists and can't be written.
            write(path / "command.txt", "")
            return path
        stamp = time.strftime("%Y%m%d-%H%M%S")
        RUNS.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            path = RUNS / f"{stamp}-{name}{f'-{number}' if number > 1 else ''}"
            try:
                path.mkdir()
                return path
            except FileExistsError:
                continue
    except OSError as error:
        raise LabError(f"cannot write the run folder {path or RUNS}: {error.strerror}.") from error
    raise LabError(f"no free name in {RUNS}")


def is_run(path: Path) -> bool:
    """Whether the folder holds a run that can be resumed."""
    return (path / "config.yaml").is_file()


def to_resume(wanted: str, run_dir: Path | None, words: list[str]) -> Path | None:
    """The folder that `--resume` means; None when `auto` finds nothing to go on with.

    `auto` is `run_dir` or this job's folder when it holds a run, else the newest unfinished run: of the same
    command `words`, or of any when the command says nothing else.
    """
    if wanted != "auto":
        path = Path(wanted)
        if path.suffix == ".ckpt" and path.is_file():
            path = path.parent.parent
        if not is_run(path):
            runs = [str(run.parent) for run in RUNS.glob("*/config.yaml")]
            close = f"Nearest: {nearest(wanted, runs)}" if runs else f"There is no run in {RUNS}/."
            raise LabError(
                f"--resume {wanted}: no run there (a run's folder has config.yaml).\n{close}"
            )
        return path
    own = [run_dir] if run_dir is not None else list(RUNS.glob(f"{job_id()}-*"))
    if run_dir is None and not job_id():
        unfinished = [path for path in RUNS.glob("*") if not (path / "summary.json").exists()]
        own = [path for path in unfinished if is_run(path) and goes_on(typed(path), words)]
    found = [path for path in own if is_run(path)]
    return max(found, key=lambda path: (path / "config.yaml").stat().st_mtime_ns) if found else None


def goes_on(typed_words: list[str], words: list[str]) -> bool:
    """Whether a run begun by `typed_words` is what `words` means: a training, and the same or any."""
    trains = not {"validate", "test", "predict"} & set(typed_words[:1])
    return trains and (not words or typed_words == words)


def typed(path: Path) -> list[str]:
    """The options of the command that made a run, without run folder and resume."""
    command = (path / "command.txt").read_text(encoding="utf-8")
    return experiment_words(shlex.split(command)[2:])


def experiment_words(words: list[str]) -> list[str]:
    """A command's words without those that say where the run lies."""
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("--resume", "--run_dir"):
            skip = True
        elif not word.startswith(("--resume=", "--run_dir=")):
            kept.append(word)
    return kept


def write(path: Path, text: str) -> None:
    """Write a file so that it is either old or new, never half."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def write_json(path: Path, content: object) -> None:
    """Write plain values as JSON."""
    write(path, json.dumps(content, indent=2) + "\n")
