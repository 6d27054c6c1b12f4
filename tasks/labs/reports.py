"""Reports of checks and grades: report.json (as Gradescope reads it), report.md, report.html and junit.xml.

Their bytes depend on the results alone, but for `created` in report.json; measured times stand in none.
"""

import json
import xml.etree.ElementTree as xml
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.labs import pages
from tasks.labs.runner import ERROR, HIDDEN, PASSED, TIMEOUT, Result, TestResult

SCHEMA = 1
PARTS = ("concept", "why", "expected", "got", "where", "message")


@dataclass(frozen=True)
class Flag:
    """What a flag means; `void`: the task counts nothing."""

    says: str
    void: bool = False


FLAGS = {
    "checker-changed": Flag("the file changed what tests assert with, or pytest", void=True),
    "forged": Flag("the file wrote results of its own to the grader's pipe", void=True),
    "read-tests": Flag("the file tried to read tests or solutions, which was refused", void=True),
    "looks-inside": Flag("the file tried to look into the code that calls it", void=True),
    "network": Flag("the file tried to reach the network, which was refused"),
    "process": Flag("the file tried to start or stop a process, which was refused"),
    "write-outside": Flag("the file tried to write outside of its folder, which was refused"),
    "ended-early": Flag("the process ended before its tests did: what was not reached fails"),
    "nondeterministic": Flag("two runs with the same seed differ: the worse result counts"),
    "edited-tests": Flag("test_task.py is not the one that was released: the grader used its own"),
    "own-comparison": Flag("a class compares by its own rules: see whether it equals anything"),
}


@dataclass(frozen=True)
class Row:
    """One task in a report. checks, hints, gave_up and minutes are what the student's own records say."""

    task: str
    outcome: str
    points: float
    score: float
    title: str = ""
    tests: tuple[TestResult, ...] = ()
    flags: tuple[str, ...] = ()
    message: str = ""
    hints: tuple[int, ...] = ()
    gave_up: bool = False
    minutes: float | None = None
    checks: int = 0
    seconds: tuple[float, ...] = ()
    fingerprint: str = ""

    @property
    def passed(self) -> int:
        return sum(test.outcome == PASSED for test in self.tests)

    @property
    def void(self) -> bool:
        return any(FLAGS[flag].void for flag in self.flags)

    @property
    def concepts(self) -> list[str]:
        """The tags of what fails, most frequent first."""
        counts = Counter(test.concept for test in self.tests if test.concept)
        return sorted(counts, key=lambda tag: (-counts[tag], tag))


@dataclass(frozen=True)
class Report:
    """A report. `unread`: the zip had no file that could be graded."""

    title: str
    rows: tuple[Row, ...]
    name: str = ""
    problems: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    unread: bool = False

    @property
    def points(self) -> float:
        return sum(row.points for row in self.rows)

    @property
    def score(self) -> float:
        return round(sum(row.score for row in self.rows), 2)

    @property
    def remarks(self) -> list[str]:
        """What somebody should look at: problems of the zip, then flags."""
        told = [
            f"{row.task}: {flag}: {FLAGS[flag].says}" for row in self.rows for flag in row.flags
        ]
        return [*self.problems, *told]


def write(results: list[Result], out: Path, *, title: str) -> None:
    """The reports of checks; a point for each test."""
    rows = tuple(
        Row(
            task=result.task,
            outcome=result.outcome,
            points=float(len(result.tests)),
            score=float(result.counts[PASSED]),
            tests=result.tests,
            flags=result.flags,
            message=result.message,
        )
        for result in results
    )
    save(Report(title, rows), out, page=False)


def save(report: Report, out: Path, *, page: bool = True) -> None:
    """The files of one report in a folder; `page`: report.html too."""
    out.mkdir(parents=True, exist_ok=True)
    facts = {**plain(report), "created": datetime.now(UTC).isoformat(timespec="seconds")}
    texts = {
        "report.json": json.dumps(facts, indent=1, sort_keys=True) + "\n",
        "report.md": pages.markdown(report),
        "junit.xml": junit(report),
    }
    if page:
        texts["report.html"] = pages.html(report)
    for name, text in texts.items():
        # A lone surrogate, which a student's text may hold, has no bytes in UTF-8.
        (out / name).write_bytes(text.encode(errors="backslashreplace"))


def plain(report: Report) -> dict[str, Any]:
    """The report as JSON: what Gradescope reads, and `tasks` for everything else."""
    return {
        "schema_version": SCHEMA,
        "title": report.title,
        "score": report.score,
        "max_score": report.points,
        "output": "\n".join(report.remarks),
        "tests": [test for row in report.rows for test in _tests(row)],
        "tasks": [
            {
                "id": row.task,
                "title": row.title,
                "points": row.points,
                "score": row.score,
                "outcome": row.outcome,
                "message": row.message,
                "passed": row.passed,
                "tests": len(row.tests),
                "concepts": row.concepts,
                "flags": list(row.flags),
                "checks": row.checks,
                "hints": list(row.hints),
                "gave_up": row.gave_up,
                "minutes": row.minutes,
            }
            for row in report.rows
        ],
        "problems": list(report.problems),
        "environment": report.environment,
    }


def _tests(row: Row) -> list[dict[str, Any]]:
    """One entry for each test; for a task without any, one for the task."""
    if not row.tests:
        entry = {
            "name": f"{row.task} {row.title}".strip(),
            "status": "failed",
            "tags": ["no-tests"],
        }
        return [{**entry, "score": 0.0, "max_score": row.points, "output": row.message}]
    share = row.points / len(row.tests)
    hidden = HIDDEN.removesuffix(".py")
    found = []
    for test in row.tests:
        passed = test.outcome == PASSED
        found.append(
            {
                "name": f"{row.task} {test.name}",
                "status": "passed" if passed else "failed",
                "score": round(share, 4) if passed and not row.void else 0.0,
                "max_score": round(share, 4),
                "output": "" if passed else pages.told(test),
                "tags": [tag for tag in (test.outcome, test.concept) if tag],
                "visibility": "hidden" if test.test.startswith(hidden) else "visible",
            }
        )
    return found


def junit(report: Report) -> str:
    """JUnit XML: a suite for each task, its points and records as properties."""
    top = xml.Element("testsuites", name=_clean(report.title))
    for row in report.rows:
        counts = Counter(test.outcome for test in row.tests)
        errors = counts[ERROR] + counts[TIMEOUT] if row.tests else 1
        suite = xml.SubElement(
            top,
            "testsuite",
            name=row.task,
            tests=str(len(row.tests) or 1),
            failures=str(max(len(row.tests) - counts[PASSED] - errors, 0)),
            errors=str(errors),
        )
        facts = {
            "points": f"{row.points:g}",
            "score": f"{row.score:g}",
            "outcome": row.outcome,
            "message": row.message,
            "concepts": " ".join(row.concepts),
            "flags": " ".join(row.flags),
            "hints": " ".join(map(str, row.hints)),
            "gave_up": str(row.gave_up).lower(),
            **report.environment,
        }
        properties = xml.SubElement(suite, "properties")
        for name, value in facts.items():
            xml.SubElement(properties, "property", name=name, value=_clean(value))
        if not row.tests:
            case = xml.SubElement(suite, "testcase", classname=row.task, name="task.py")
            xml.SubElement(case, "error", message=_clean(row.message))
        for test in row.tests:
            case = xml.SubElement(suite, "testcase", classname=row.task, name=_clean(test.name))
            if test.outcome != PASSED:
                kind = "error" if test.outcome in (ERROR, TIMEOUT) else "failure"
                message = test.concept or test.outcome
                child = xml.SubElement(case, kind, message=_clean(message))
                child.text = _clean(pages.told(test))
    xml.indent(top)
    return xml.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    """Without the characters that XML has no place for."""
    return "".join(
        letter
        for letter in text
        if letter in "\t\n\r"
        or (letter >= " " and not "\ud800" <= letter <= "\udfff" and letter not in "\ufffe\uffff")
    )
