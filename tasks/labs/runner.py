"""Runs a task's tests on a file in a process of its own, and says how it went."""

import os
import tempfile
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lab.errors import LabError
from tasks.labs import catalog, process
from tasks.labs.catalog import Task

PASSED, FAILED, NOT_STARTED, ERROR = "passed", "failed", "not started", "error"
TIMEOUT = process.TIMEOUT
OUTCOMES = (PASSED, FAILED, NOT_STARTED, ERROR, TIMEOUT)
KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
PUBLIC, HIDDEN = "test_task.py", "test_hidden.py"


@dataclass(frozen=True)
class TestResult:
    """One test: its outcome, and where it did not pass, why.

    line: the last line of the student's file on the way to the failure.
    """

    __test__ = False

    test: str
    outcome: str
    seconds: float = 0.0
    says: str = ""
    concept: str = ""
    why: str = ""
    expected: str = ""
    got: str = ""
    where: str = ""
    message: str = ""
    line: int | None = None

    @property
    def name(self) -> str:
        return self.test.partition("::")[2]


@dataclass(frozen=True)
class Result:
    """All tests of a task on one file. `message` says what ended it early; `flags` what it tried."""

    task: str
    outcome: str
    tests: tuple[TestResult, ...]
    seconds: float
    message: str = ""
    flags: tuple[str, ...] = field(default=())

    @property
    def counts(self) -> Counter[str]:
        return Counter(test.outcome for test in self.tests)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def run(
    task: Task,
    file: Path | None = None,
    *,
    hidden: bool = False,
    seed: int = 0,
    order: int | None = None,
    only: tuple[str, ...] = (),
    tests: Path | None = None,
) -> Result:
    """The tests of `task` on `file`, by default the student's.

    Args:
        hidden: the hidden tests too.
        seed: of the random numbers that tests draw.
        order: a seed for the order of the tests; None is the order of the file.
        only: names of tests, when not all are wanted.
        tests: the folder of the tests, by default that of the task.

    Raises:
        LabError: pytest is not installed.
    """
    if find_spec("pytest") is None:
        raise LabError("checks run in pytest, which is not installed here: `make setup` does that")
    file = (file or task.file).resolve()
    if not file.is_file():
        return Result(task.id, ERROR, (), 0.0, message=f"{file.name} is missing")
    folder = tests or task.folder
    names = [PUBLIC, HIDDEN] if hidden else [PUBLIC]
    with tempfile.TemporaryDirectory(prefix="labs-", ignore_cleanup_errors=True) as home:
        job = {
            "file": str(file),
            "tests": [str(folder / name) for name in names],
            "root": str(folder.resolve()),
            "home": home,
            "repository": str(catalog.HOME),
            "seed": seed,
            "order": order,
            "only": list(only),
            "budget": task.budget,
            "memory": task.memory,
        }
        told = process.run(job, environment(Path(home)))
    return _result(task, *told)


def environment(home: Path) -> dict[str, str]:
    """What a check knows of its surroundings: one thread, no GPU, no settings of the user."""
    root = str(catalog.HOME)
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {
        **kept,
        **threads,
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": root,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
    }


def _result(
    task: Task, told: list[dict[str, Any]], seconds: float, ended: str, forged: bool
) -> Result:
    by: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in told:
        by[event["event"]].append({key: event[key] for key in event if key != "event"})
    expected = [name for event in by["collected"] for name in event["tests"]]
    done = {event["test"]: TestResult(**event) for event in by["done"] if event["test"] in expected}
    running = next((event["test"] for event in by["started"] if event["test"] not in done), "")
    flags = {
        flag for word in ("flags", "finished") for event in by[word] for flag in event["flags"]
    }
    if forged:
        flags.add("forged")
    for name in expected:
        if name not in done:
            outcome = TIMEOUT if ended == TIMEOUT else ERROR
            done[name] = TestResult(name, outcome, message="" if name == running else "not reached")
    tests = tuple(done[name] for name in expected)
    message = ended
    if ended == TIMEOUT:
        place = running.partition("::")[2] or "the import of the file"
        message = f"no end after {task.budget:g} s, in {place}"
    elif ended and expected:
        flags.add("ended-early")
    elif not ended and not tests:
        message = "no tests were found"
    return Result(task.id, _outcome(tests, ended), tests, seconds, message, tuple(sorted(flags)))


def _outcome(tests: tuple[TestResult, ...], ended: str) -> str:
    counts = Counter(test.outcome for test in tests)
    if ended == TIMEOUT:
        return TIMEOUT
    if ended or not tests or counts[ERROR]:
        return ERROR
    if counts[PASSED] == len(tests):
        return PASSED
    return NOT_STARTED if counts[NOT_STARTED] == len(tests) else FAILED
