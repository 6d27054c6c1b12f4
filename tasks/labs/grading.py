"""Grades what was handed in: the tests of this repository, hidden ones too, on each student's file.

Nothing in the zip is run but the students' own files, each from a folder of its own, and each twice: with the
same seed, in two orders. Of two different outcomes the worse counts.
"""

import ast
import hashlib
import json
import platform
import re
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab.errors import LabError
from tasks.labs import catalog, handed_in, reports, runner, submission
from tasks.labs.catalog import Task
from tasks.labs.handed_in import Submission
from tasks.labs.reports import FLAGS, PARTS, Report, Row
from tasks.labs.runner import ERROR, OUTCOMES, PASSED, Result, TestResult

SEED = 0
ORDERS = (None, 1)
MISSING = "not handed in"
COMPARES = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__array__")
# By these a file comes to objects that nobody gave it.
REACHES = {
    "__subclasses__",
    "__globals__",
    "__closure__",
    "f_back",
    "f_locals",
    "f_globals",
    "tb_frame",
}
LIBRARIES = ("numpy", "torch")


def grade(root: Path, path: Path, *, name: str, week: int | None = None) -> Report:
    """The grade of one zip; whatever is wrong with it stands in the report.

    Args:
        week: the week whose tasks count, by default each week that the zip has a file of.

    Raises:
        LabError: this repository has no hidden tests, or no such week.
    """
    if not catalog.is_source(root):
        raise LabError(
            "this is a release, which lacks the hidden tests:\ngrade in the source repository"
        )
    given = handed_in.read(path)
    chosen = submission.of_week(root, week)
    if week is None:
        weeks = {task.week for task in chosen if submission.inside(task, "task.py") in given.files}
        chosen = [task for task in chosen if task.week in weeks] or chosen
    try:
        rows = tuple(_row(task, given) for task in chosen)
    # One submission must not end the grading of a class, whatever it found to break.
    except Exception as error:
        problem = f"grading ended in {type(error).__name__}: {error}".splitlines()[0]
        rows = tuple(_absent(task, given, "not graded") for task in chosen)
        given = Submission(given.files, given.manifest, (*given.problems, problem))
    return Report(
        title=f"Grade of {given.name or name}",
        name=name,
        rows=rows,
        problems=given.problems,
        environment=environment(),
        unread=not given.files,
    )


def write(report: Report, out: Path) -> None:
    """The report's files, and timing.json, the only one that changes from run to run but for a timestamp."""
    reports.save(report, out)
    seconds = {row.task: row.seconds for row in report.rows}
    (out / "timing.json").write_text(json.dumps(seconds, indent=1) + "\n")


def named(zips: list[Path]) -> list[tuple[str, Path]]:
    """Each zip with a name for its folder: that of the file, and a number where two are the same."""
    found: dict[str, Path] = {}
    for path in zips:
        name = stem = re.sub(r"[^\w.-]", "_", path.stem).strip(".") or "submission"
        number = 1
        while name.lower() in map(str.lower, found):
            number += 1
            name = f"{stem}-{number}"
        found[name] = path
    return list(found.items())


def environment() -> dict[str, str]:
    """What the numbers depend on."""
    return {
        "labs": version("deep-learning-lab"),
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        "seed": str(SEED),
    }


def _row(task: Task, given: Submission) -> Row:
    content = given.files.get(submission.inside(task, "task.py"))
    if content is None:
        return _absent(task, given, MISSING)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return _absent(task, given, f"task.py is not UTF-8 text (byte {error.start})")
    if "\0" in text:
        return _absent(task, given, "task.py has NUL bytes in it: it is not Python text")
    untouched = _plain(text) == _plain(task.stub())
    results = _runs(task, text, ORDERS[:1] if untouched else ORDERS)
    flags = {flag for result in results for flag in result.flags}
    if _differ(results):
        flags.add("nondeterministic")
    ours = task.source.read_text()
    if _compares(text) - _compares(ours):
        flags.add("own-comparison")
    if _words(text) & REACHES - _words(ours):
        flags.add("looks-inside")
    tests = given.files.get(submission.inside(task, runner.PUBLIC))
    own = (task.folder / runner.PUBLIC).read_bytes()
    if tests is not None and tests.split() != own.split():
        flags.add("edited-tests")
    result = max(results, key=lambda one: OUTCOMES.index(one.outcome))
    worst = _worst(results)
    void = any(FLAGS[flag].void for flag in flags)
    passed = sum(test.outcome == PASSED for test in worst)
    score = 0.0 if void or not worst else task.points * passed / len(worst)
    return Row(
        task=task.id,
        title=task.title,
        points=task.points,
        score=round(score, 4),
        outcome=result.outcome,
        tests=worst,
        flags=tuple(sorted(flags)),
        message=_scrubbed(result.message),
        seconds=tuple(one.seconds for one in results),
        fingerprint="" if untouched else fingerprint(text),
        **_stated(task, given),
    )


def _runs(task: Task, text: str, orders: tuple[int | None, ...]) -> list[Result]:
    """The tests on a copy in a folder of its own, from which nothing leads to where it came from."""
    with tempfile.TemporaryDirectory(prefix="labs-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "task.py"
        file.write_text(text, newline="")
        return [runner.run(task, file, hidden=True, seed=SEED, order=order) for order in orders]


def _absent(task: Task, given: Submission, message: str) -> Row:
    return Row(
        task=task.id,
        title=task.title,
        points=task.points,
        score=0.0,
        outcome=ERROR,
        message=message,
        **_stated(task, given),
    )


def _stated(task: Task, given: Submission) -> dict[str, Any]:
    progress = given.progress(task.id)
    return {
        "hints": tuple(progress["hints"]),
        "gave_up": progress["gave_up"],
        "minutes": progress["minutes"],
        "checks": progress["checks"],
    }


def _worst(results: list[Result]) -> tuple[TestResult, ...]:
    """Of each test the worse result, as every run tells it but for addresses and temporary paths."""
    found: dict[str, TestResult] = {}
    for result in results:
        for test in result.tests:
            kept = found.get(test.test)
            if kept is None or _rank(test) > _rank(kept):
                found[test.test] = test
    return tuple(_repeatable(test) for test in found.values())


def _repeatable(test: TestResult) -> TestResult:
    told: dict[str, Any] = {part: _scrubbed(getattr(test, part)) for part in PARTS}
    return replace(test, seconds=0.0, **told)


def _rank(test: TestResult) -> int:
    return OUTCOMES.index(test.outcome)


def _differ(results: list[Result]) -> bool:
    told = [sorted((test.test, test.outcome) for test in result.tests) for result in results]
    return any(one != told[0] for one in told)


def _scrubbed(text: str) -> str:
    """Without what changes from run to run."""
    text = re.sub(r"\b0x[0-9a-fA-F]+", "0x...", text)
    return re.sub(r"\S*/labs-\w+/", "", text)


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def _compares(text: str) -> set[str]:
    """The comparisons that classes of a file define themselves: an object may equal anything by these."""
    nodes = [node for node in _nodes(text) if isinstance(node, ast.FunctionDef)]
    return {node.name for node in nodes if node.name in COMPARES}


def _words(text: str) -> set[str]:
    """Attributes and strings of a file."""
    nodes = _nodes(text)
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return named | {str(node.value) for node in nodes if isinstance(node, ast.Constant)}


def _nodes(text: str) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def fingerprint(text: str) -> str:
    """The same for files that differ only in layout, comments and docstrings; empty where it is no Python."""
    try:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
                node
            ):
                node.body = node.body[1:]
        return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
