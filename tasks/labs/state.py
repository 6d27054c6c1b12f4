"""What a student has done so far: `.labs/state.json`, which several processes may read and write at once.

`save` merges what changed since `load` into what is in the file by then, so that `labs hint` in one terminal
and `labs watch` in another lose nothing of each other.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.errors import LabError
from tasks.labs.runner import NOT_STARTED, OUTCOMES, PASSED, Result

SCHEMA = 1
FOLDER = ".labs"


@dataclass
class Progress:
    """One task of one student. Times are ISO, UTC; an empty text is never.

    outcome: of the last check. checks: how many there were, and `seconds` how long they took together.
    hints: the levels shown. passed: the first time. last: the last Result, as `plain()` gives it.
    asked: the level of a hint that was refused once, since lower ones had not been seen.
    taken: when it was taken up last, by `next` or by a check.
    """

    outcome: str = NOT_STARTED
    checks: int = 0
    hints: list[int] = field(default_factory=list)
    opened: str = ""
    passed: str = ""
    gave_up: str = ""
    seconds: float = 0.0
    last: dict[str, Any] | None = None
    asked: int = 0
    taken: str = ""

    def note(self, result: Result) -> None:
        """A check has been run."""
        # As it will be read again: lists where there are tuples.
        self.outcome, self.last = result.outcome, json.loads(json.dumps(result.plain()))
        self.checks += 1
        self.seconds = round(self.seconds + result.seconds, 3)
        self.take()
        if result.outcome == PASSED:
            self.passed = self.passed or now()

    def take(self) -> None:
        """This is the task in hand from now on."""
        self.taken = datetime.now(UTC).isoformat()
        self.opened = self.opened or now()


class State:
    """The progress of all tasks of one repository."""

    def __init__(self, root: Path, tasks: dict[str, Progress]) -> None:
        self.root, self.tasks = root, tasks
        self._loaded = deepcopy(tasks)

    @classmethod
    def load(cls, root: Path) -> "State":
        """The state of a repository; where there is none yet, an empty one.

        A damaged file is moved aside, which one line on standard error tells.

        Raises:
            LabError: the file cannot be read, or a newer version wrote it.
        """
        found = _read(root / FOLDER / "state.json")
        if found is None:
            with _locked(root):
                found = _read_or_move(root / FOLDER / "state.json")
        return cls(root, found)

    def of(self, task: str) -> Progress:
        return self.tasks.setdefault(task, Progress())

    def save(self) -> None:
        """Merges what changed since `load` into the file.

        Raises:
            LabError: the folder cannot be written.
        """
        path = self.root / FOLDER / "state.json"
        try:
            with _locked(self.root):
                there = _read_or_move(path)
                for name, progress in self.tasks.items():
                    base = self._loaded.get(name, Progress())
                    there[name] = _merged(base, progress, there.get(name, Progress()))
                _write(path, there)
        except OSError as error:
            raise LabError(f"progress cannot be kept in {path}: {error.strerror}") from error
        self.tasks = there
        self._loaded = deepcopy(there)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _merged(base: Progress, ours: Progress, theirs: Progress) -> Progress:
    """What both changed: counts add up, hints are united, of anything else ours is kept."""
    values: dict[str, Any] = {}
    for name in Progress.__dataclass_fields__:
        old, mine, other = (getattr(one, name) for one in (base, ours, theirs))
        if name in ("checks", "seconds"):
            values[name] = round(other + mine - old, 3)
        elif name == "hints":
            values[name] = sorted({*mine, *other})
        else:
            values[name] = other if mine == old else mine
    # The first of two times stands.
    times = {
        name: {getattr(ours, name), getattr(theirs, name)} - {""} for name in ("opened", "passed")
    }
    values |= {name: min(both) for name, both in times.items() if both}
    return Progress(**values)


def _read(path: Path) -> dict[str, Progress] | None:
    """The file's content; None where it is not as `_write` leaves it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}") from error
    try:
        stated = json.loads(content)
        schema = int(stated["schema"])
        if schema <= SCHEMA:
            return {name: _progress(values) for name, values in stated["tasks"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    raise LabError(
        f"{path} is of a newer version of `labs`: update this repository, or move the file away"
    )


def _progress(values: dict[str, Any]) -> Progress:
    """ValueError or TypeError where the values are not those of a Progress."""
    found = Progress(**values)
    for name, default in asdict(Progress()).items():
        wanted: Any = type(default)
        if name == "last":
            wanted = (dict, type(None))
        elif name == "seconds":
            wanted = (int, float)
        if not isinstance(getattr(found, name), wanted):
            raise TypeError(name)
    if found.outcome not in OUTCOMES or not all(isinstance(level, int) for level in found.hints):
        raise ValueError(found.outcome)
    return found


def _read_or_move(path: Path) -> dict[str, Progress]:
    """The file's content; a damaged file is moved aside. To be called under the lock."""
    found = _read(path)
    if found is not None:
        return found
    aside = free(path.with_name(f"state-damaged-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"))
    path.replace(aside)
    print(f"labs: {path} was damaged; it is kept as {aside.name}", file=sys.stderr)
    return {}


def free(path: Path) -> Path:
    """The path, with a number before its ending where it is taken."""
    number, found = 1, path
    while found.exists() or found.is_symlink():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def _write(path: Path, tasks: dict[str, Progress]) -> None:
    beside = path.with_name(f"state-{os.getpid()}.new")
    content = {"schema": SCHEMA, "tasks": {name: asdict(tasks[name]) for name in sorted(tasks)}}
    try:
        with beside.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One process at a time; file systems without locks go without."""
    folder = root / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        file = (folder / "state.lock").open("w")
    except OSError as error:
        raise LabError(f"progress cannot be kept in {folder}: {error.strerror}") from error
    with file:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
