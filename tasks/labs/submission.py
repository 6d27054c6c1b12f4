"""Packs what a student hands in. `handed_in` reads it back without trusting it.

    tasks/week01_fundamentals/t11_linear_regression/task.py         the student's file
    tasks/week01_fundamentals/t11_linear_regression/test_task.py    the public tests as the student has them
    figures/w01.t11.png                                             figures that were drawn
    manifest.json                                                   schema, name, version, sha256, progress

The same files give the same zip, to the last byte: order and times in it are fixed.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab.errors import LabError
from tasks.labs import catalog, runner
from tasks.labs.catalog import Task

SCHEMA = 1
MANIFEST = "manifest.json"
WHEN = (1980, 1, 1, 0, 0, 0)
SHOWN = 4


def pack(root: Path, out: Path, *, week: int | None = None, name: str = "") -> list[str]:
    """Writes the zip, and returns the tasks in it that are as they were given.

    Raises:
        LabError: there is no such week, or a student's file is missing or unreadable.
    """
    chosen = of_week(root, week)
    files, faults, untouched = {}, [], []
    for task in chosen:
        try:
            content = task.file.read_bytes()
            text = content.decode()
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{task.id}: {_shown(task.file, root)}: {_reason(error)}")
            continue
        if "\n".join(text.splitlines()) == "\n".join(task.stub().splitlines()):
            untouched.append(task.id)
        files[inside(task, "task.py")] = content
        tests = task.folder / runner.PUBLIC
        if tests.is_file():
            files[inside(task, runner.PUBLIC)] = tests.read_bytes()
        figure = root / ".labs" / "figures" / f"{task.id}.png"
        if figure.is_file():
            files[f"figures/{figure.name}"] = figure.read_bytes()
    if faults:
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise LabError("\n".join(["nothing was packed, since files lack:", *faults[:SHOWN], *more]))
    manifest = {
        "schema": SCHEMA,
        "name": name,
        "version": version("deep-learning-lab"),
        "release": _release(root),
        "files": {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)},
        "progress": _progress(root, chosen),
    }
    files[MANIFEST] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(zipped(files))
    return untouched


def of_week(root: Path, week: int | None) -> list[Task]:
    """The tasks of a week, or all.

    Raises:
        LabError: the week is not there, or has no tasks.
    """
    chosen = [task for task in catalog.tasks(root) if week in (None, task.week)]
    if not chosen:
        known = sorted({str(task.week) for task in catalog.tasks(root)})
        raise LabError(f"no tasks of week {week}; there are those of week {', '.join(known)}")
    return chosen


def inside(task: Task, name: str) -> str:
    """The path of a task's file in the zip, wherever the student edits it."""
    return f"tasks/{task.folder.parent.name}/{task.folder.name}/{name}"


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of these files that depends on nothing else."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, WHEN)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[path])
    return made.getvalue()


def _release(root: Path) -> str:
    """The sha256 of the release's own manifest; an empty text in the source repository."""
    path = root / "tasks" / "MANIFEST.json"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _progress(root: Path, chosen: list[Task]) -> dict[str, Any]:
    from tasks.labs.state import State

    state = State.load(root)
    kept = ("outcome", "checks", "hints", "seconds", "gave_up")
    found = {}
    for task in chosen:
        progress = state.of(task.id)
        stated = asdict(progress)
        found[task.id] = {
            **{key: stated[key] for key in kept},
            "minutes": _minutes(progress.opened, progress.passed),
        }
    return found


def _minutes(opened: str, passed: str) -> float | None:
    """From the first look at a task until it passed, breaks included."""
    if not opened or not passed:
        return None
    span = datetime.fromisoformat(passed) - datetime.fromisoformat(opened)
    return round(max(span.total_seconds(), 0.0) / 60, 1)


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return (
        error.strerror or "cannot be read"
        if isinstance(error, OSError)
        else f"is not UTF-8 text (byte {getattr(error, 'start', 0)})"
    )
