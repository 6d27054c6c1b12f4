"""A repository with few tasks, in the folder of the test, and the command called in this process."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from tasks.labs import catalog, cli, regions, runner
from tasks.labs.runner import FAILED, PASSED, Result, TestResult

HOME = Path(__file__).resolve().parents[2]
WEEK = "week01_fundamentals"
T11 = f"{WEEK}/t11_linear_regression"
SMALL = """'Small.'


def one() -> int:
    # >>> solution: return 1
    return 1
    # <<< solution
"""
SOURCE = HOME / "tasks" / T11 / "task.py"
# Each of its public tests is one case.
TESTS = SOURCE.with_name("test_task.py").read_text().count("\ndef test_")


def solved() -> str:
    """The solution of t11 as a student would have it: no markers."""
    rows = SOURCE.read_text().splitlines(keepends=True)
    return "".join(row for row in rows if "solution" not in row or "#" not in row)


def source(root: Path) -> Path:
    """A clone of the source with t11 alone; returns the student's file."""
    (root / "tasks" / WEEK).mkdir(parents=True)
    shutil.copy(HOME / "tasks" / WEEK / "week.toml", root / "tasks" / WEEK)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SOURCE.parent, root / "tasks" / T11, ignore=ignore)
    return root / "work" / T11 / "task.py"


def release(root: Path) -> Path:
    """The same as a release: the stub is task.py, and beside it as stub.py; no solution anywhere."""
    source(root)
    folder = root / "tasks" / T11
    stub = regions.stub(SOURCE.read_text(), "w01.t11")
    for name in ("task.py", "stub.py"):
        (folder / name).write_text(stub)
    for name in ("test_hidden.py", "mutants.toml"):
        (folder / name).unlink()
    (root / "tasks" / "MANIFEST.json").write_text(json.dumps({"files": {}}))
    return folder / "task.py"


def add(root: Path, number: int, *, deps: tuple[str, ...] = (), test: str = "pass") -> Path:
    """One more task, with one test; returns the student's file in a clone of the source."""
    folder = root / "tasks" / WEEK / f"t{number:02d}_small"
    folder.mkdir(parents=True)
    text = (SOURCE.parent / "task.toml").read_text()
    text = text.replace("w01.t11", f"w01.t{number:02d}").replace("budget = 20", "budget = 1")
    (folder / "task.toml").write_text(f"deps = {list(deps)}\n{text}")
    (folder / "task.py").write_text(SMALL)
    (folder / "test_task.py").write_text(f"def test_one(impl):\n    '''One.'''\n    {test}\n")
    (folder / "README.md").write_text("# Small\n\nThe idea.\n\n## What to write\n\n- `one`\n")
    (folder / "hints.md").write_text("## 1\n\nFirst.\n\n## 2\n\nSecond.\n\n## 3\n\nThird.\n")
    catalog.weeks.cache_clear()
    return root / "work" / WEEK / folder.name / "task.py"


@dataclass
class Said:
    """Exit status, standard output, standard error."""

    code: int
    out: str
    err: str


class Labs:
    """Calls `labs` with words, in a folder, and gives what it said."""

    def __init__(self, root: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.file, self.capsys = root, file, capsys

    def __call__(self, *words: str) -> Said:
        self.capsys.readouterr()
        try:
            with mock.patch.dict(os.environ, COLUMNS="100"):
                code = cli.main(list(words))
        except SystemExit as stopped:
            code = int(str(stopped.code))
        out, err = self.capsys.readouterr()
        return Said(code, out, err)

    def write(self, text: str) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text)


def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Checks that pass when the file says so, at no cost; the list has the tasks checked."""
    ran = []

    def run(task: catalog.Task, file: Path, *, seed: int) -> Result:
        ran.append(task.id)
        outcome = PASSED if "right" in file.read_text() else FAILED
        return Result(task.id, outcome, (TestResult("test_task::test_a", outcome),), 0.1)

    monkeypatch.setattr(runner, "run", run)
    return ran
