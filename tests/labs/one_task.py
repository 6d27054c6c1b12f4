"""A repository with one task, t11, and students who hand in files for it."""

import json
import shutil
from pathlib import Path

from tasks.labs import catalog, grading, submission
from tasks.labs.catalog import Task
from tasks.labs.reports import Report, Row

SOURCE = catalog.HOME / "tasks" / "week01_fundamentals"
NAME = "t11_linear_regression"
SOLUTION = (SOURCE / NAME / "task.py").read_text()
PLACE = f"tasks/week01_fundamentals/{NAME}/task.py"
TESTS = f"tasks/week01_fundamentals/{NAME}/test_task.py"
# How many tests there are, hidden ones too; each is one case.
ALL = sum(
    (SOURCE / NAME / name).read_text().count("\ndef test_")
    for name in ("test_task.py", "test_hidden.py")
)
MSE = "    return float(np.mean((with_ones(X) @ w - y) ** 2))\n"


def repository(root: Path) -> Path:
    """A source repository with one week of one task."""
    week = root / "tasks" / "week01_fundamentals"
    shutil.copytree(SOURCE / NAME, week / NAME, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SOURCE / "week.toml", week)
    return root


def only_task(root: Path) -> Task:
    return catalog.find(root, "t11")


def hand_in(root: Path, text: str | bytes, name: str = "a", **others: bytes) -> Path:
    """A zip as `labs submit` makes it, of this text; `others` replace files by manifest, tests."""
    content = text.encode() if isinstance(text, str) else text
    files = {PLACE: content, TESTS: (SOURCE / NAME / "test_task.py").read_bytes()}
    if "tests" in others:
        files[TESTS] = others["tests"]
    facts = {"schema": 1, "name": name, "files": {}, "progress": {}}
    files["manifest.json"] = others.get("manifest") or _signed(files, facts)
    path = root / f"{name}.zip"
    path.write_bytes(submission.zipped(files))
    return path


def _signed(files: dict[str, bytes], facts: dict) -> bytes:
    import hashlib

    sums = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    return json.dumps({**facts, "files": sums}).encode()


def graded(root: Path, text: str | bytes, **others: bytes) -> tuple[Report, Row]:
    """The grade of one such zip, and its only row."""
    report = grading.grade(root, hand_in(root, text, **others), name="a")
    assert len(report.rows) == 1
    return report, report.rows[0]


def at_import(code: str) -> str:
    """The solution, and these lines at its end."""
    return SOLUTION + "\n\n" + code


def in_mse(code: str) -> str:
    """The solution, and these lines first in `mse`, which most tests call."""
    assert SOLUTION.count(MSE) == 1
    inner = "".join(f"    {line}\n" for line in code.splitlines())
    return SOLUTION.replace(MSE, inner + MSE)
