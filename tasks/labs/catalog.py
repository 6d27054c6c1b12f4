"""Which weeks and tasks there are, and where the student's file of each is.

In a release `task.py` is the stub and the student edits it. In the source repository `task.py` holds the
solution, so there the student's file is made under `work/`, of which git knows nothing.
"""

import functools
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError, nearest
from tasks.labs import regions

HOME = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Task:
    """One task: its folder, and what its task.toml states.

    minutes: how long a student needs. points: what a grade counts. budget: seconds of wall time that a check
    may take. memory: MiB of memory that it may use.
    """

    folder: Path
    id: str
    title: str
    topic: str
    minutes: int
    difficulty: int
    points: int
    budget: float
    data: str
    sources: tuple[str, ...]
    deps: tuple[str, ...] = ()
    memory: int = 2048
    seeds: tuple[int, ...] = (0, 1, 2)

    @property
    def week(self) -> int:
        return int(self.id[1:3])

    @property
    def source(self) -> Path:
        return self.folder / "task.py"

    @property
    def file(self) -> Path:
        """The file that the student edits."""
        root = self.folder.parents[2]
        if is_source(root):
            return root / "work" / self.folder.parent.name / self.folder.name / "task.py"
        return self.source

    def stub(self) -> str:
        """The text that the student starts from."""
        if is_source(self.folder.parents[2]):
            return regions.stub(self.source.read_text(encoding="utf-8"), self.id)
        return (self.folder / "stub.py").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Week:
    """One week: its folder, and what its week.toml states, with its tasks in order."""

    folder: Path
    number: int
    title: str
    lecture: str
    objectives: tuple[str, ...]
    tasks: tuple[Task, ...] = field(repr=False)


def is_source(root: Path) -> bool:
    """Whether a repository is the one that releases are made from, with solutions in it."""
    return not (root / "tasks" / "MANIFEST.json").is_file()


def repository(start: Path | None = None) -> Path:
    """The repository around a folder, or that of this package."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if next(folder.glob("tasks/week*/week.toml"), None):
            return folder
    if next(HOME.glob("tasks/week*/week.toml"), None):
        return HOME
    raise LabError(f"no tasks in {start} nor around it: call `labs` inside of the repository")


@functools.cache
def weeks(root: Path) -> tuple[Week, ...]:
    """All weeks of a repository, with their tasks, in order.

    Raises:
        LabError: a week.toml or task.toml that is not as it should be.
    """
    return tuple(_week(path.parent) for path in sorted(root.glob("tasks/week*/week.toml")))


def tasks(root: Path) -> tuple[Task, ...]:
    return tuple(task for week in weeks(root) for task in week.tasks)


def find(root: Path, name: str) -> Task:
    """A task by id (`w01.t03`), its end (`t03`), number (`3`), folder or the folder's subject.

    Raises:
        LabError: no such task, or several.
    """
    known = tasks(root)
    asked = name.strip().strip("/").lower()
    plain = asked.removeprefix("w").removeprefix("t")
    hits = [
        task
        for task in known
        if asked in (task.id, task.folder.name, task.folder.name.partition("_")[2])
        or asked == task.id.partition(".")[2]
        or (plain.isdigit() and task.id.endswith(f".t{int(plain):02d}"))
        or Path(name).resolve() in (task.folder, task.file, task.folder / "README.md")
    ]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise LabError(f"{name} could be {', '.join(task.id for task in hits)}: give the whole id")
    names = [key for task in known for key in (task.id, task.folder.name.partition("_")[2])]
    raise LabError(f"no task {name!r}; nearest: {nearest(asked, names)}; `labs list` shows all")


def _week(folder: Path) -> Week:
    stated = _toml(folder / "week.toml")
    number = int(re.sub(r"\D", "", folder.name.partition("_")[0]))
    found = tuple(_task(path.parent, number) for path in sorted(folder.glob("t*/task.toml")))
    try:
        return Week(
            folder=folder,
            number=number,
            title=stated["title"],
            lecture=stated["lecture"],
            objectives=tuple(stated["objectives"]),
            tasks=found,
        )
    except KeyError as error:
        raise LabError(f"{folder / 'week.toml'} lacks {error}") from error


def _task(folder: Path, week: int) -> Task:
    path = folder / "task.toml"
    stated = _toml(path)
    names = {name for name in Task.__dataclass_fields__ if name != "folder"}
    for name in stated.keys() - names:
        raise LabError(f"{path}: unknown {name!r}; nearest: {nearest(name, names)}")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in stated.items()
    }
    try:
        task = Task(folder=folder, **values)
    except TypeError as error:
        raise LabError(f"{path}: {str(error).partition('() ')[2]}") from error
    number = folder.name.partition("_")[0]
    if task.id != f"w{week:02d}.{number}":
        raise LabError(f"{path}: the id of this folder is w{week:02d}.{number}, not {task.id}")
    return task


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{path}: {error}") from error
