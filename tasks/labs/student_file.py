"""The one file of a task that the student edits: made from the stub, read, and put back, never lost."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError
from tasks.labs import screen
from tasks.labs.catalog import Task
from tasks.labs.state import FOLDER, free


def read(task: Task) -> str:
    """The text of the student's file.

    Raises:
        LabError: there is no file, or none that can be read as UTF-8 text.
    """
    path = task.file
    there = screen.place(path)
    if path.is_dir():
        raise LabError(f"{there} is a folder: move it away, then `{_again(task)}` makes the file")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise LabError(f"{there} is not there: `{_again(task)}` makes it") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise LabError(
            f"{there}, line {line}: not UTF-8; save the file in that encoding"
        ) from error
    except OSError as error:
        raise LabError(f"{there} cannot be read: {error.strerror}") from error


def make(task: Task) -> bool:
    """Makes the file from the stub where there is none; whether it did."""
    if task.file.is_dir():
        read(task)
    if os.path.lexists(task.file):
        return False
    _write(task.file, stub(task))
    return True


def put_back(task: Task, root: Path) -> Path | None:
    """The stub again; returns where the old file is kept, if there was one that differed."""
    text = stub(task)
    if task.file.is_dir():
        read(task)
    kept = None
    try:
        if os.path.lexists(task.file):
            readable = task.file.is_file() and os.access(task.file, os.R_OK)
            if readable and task.file.read_bytes() == text.encode():
                return None
            stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
            kept = free(root / FOLDER / "kept" / f"{task.id}-{stamp}.py")
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(task.file, kept)
    except OSError as error:
        raise LabError(f"{screen.place(task.file)} cannot be kept: {error.strerror}") from error
    _write(task.file, text)
    return kept


def stub(task: Task) -> str:
    try:
        return task.stub()
    except OSError as error:
        name = screen.place(Path(error.filename or task.folder))
        raise LabError(f"{name} cannot be read; fetch the repository anew") from error


def _again(task: Task) -> str:
    return f"{screen.me()} next {task.id}"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LabError(f"{screen.place(path)} cannot be written: {error.strerror}") from error
