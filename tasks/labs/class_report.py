"""What a class's grades tell of the tasks: item analysis as class.json, class.md and grades.csv.

Discrimination says whether a test parts strong from weak submissions, in two ways. `correlation`: of passing
the test with the score on everything else (point-biserial, corrected for the item). `upper_lower`: the share
that passes among the best 27 % less that among the weakest 27 % (Kelley 1939). A test that all
pass or all fail has no correlation.
"""

import csv
import io
import json
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tasks.labs.reports import FLAGS, Report, Row
from tasks.labs.runner import PASSED

SCHEMA = 1
TAIL = 0.27
FREQUENT = 5


def write(reports: list[Report], out: Path) -> None:
    """The three files of a class."""
    out.mkdir(parents=True, exist_ok=True)
    facts = analysis(reports)
    (out / "class.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    (out / "class.md").write_text(_markdown(facts))
    (out / "grades.csv").write_text(_table(reports))


def analysis(reports: list[Report]) -> dict[str, Any]:
    graded = [report for report in reports if not report.unread]
    names = sorted({row.task for report in reports for row in report.rows})
    return {
        "schema_version": SCHEMA,
        "submissions": len(reports),
        "graded": len(graded),
        "unread": [report.name for report in reports if report.unread],
        "tasks": [_task(name, graded) for name in names],
        "flagged": [
            {"name": report.name, "task": row.task, "flag": flag, "says": FLAGS[flag].says}
            for report in reports
            for row in report.rows
            for flag in row.flags
        ],
        "problems": {report.name: list(report.problems) for report in reports if report.problems},
        "same_files": _same(graded),
    }


def discrimination(passed: np.ndarray, rest: np.ndarray) -> dict[str, float | None]:
    """Of one test: passed (n,) in {0, 1}, and the score on everything else (n,)."""
    count = len(passed)
    found: dict[str, float | None] = {"correlation": None, "upper_lower": None}
    if count < 2:
        return found
    if np.ptp(passed) > 0 and np.ptp(rest) > 0:
        found["correlation"] = round(float(np.corrcoef(passed, rest)[0, 1]), 4)
    found["upper_lower"] = round(_of_best(passed, rest) - _of_best(passed, -rest), 4)
    return found


def _of_best(passed: np.ndarray, rest: np.ndarray) -> float:
    """The share that passes among the best by `rest`; those who tie at the cut count in part, all alike."""
    count = max(1, round(TAIL * len(passed)))
    cut = np.sort(rest)[-count]
    above, at = rest > cut, rest == cut
    weight = above + at * (count - above.sum()) / at.sum()
    return float((weight * passed).sum() / count)


def _task(name: str, reports: list[Report]) -> dict[str, Any]:
    pairs = [(report, row) for report in reports for row in report.rows if row.task == name]
    rows = [row for _, row in pairs]
    minutes = [row.minutes for row in rows if row.minutes is not None]
    concepts = Counter(tag for row in rows for tag in row.concepts)
    frequent = sorted(concepts, key=lambda tag: (-concepts[tag], tag))[:FREQUENT]
    tests = list(dict.fromkeys(test.test for row in rows for test in row.tests))
    return {
        "id": name,
        "title": rows[0].title if rows else "",
        "submissions": len(rows),
        "pass_rate": _share([row.outcome == PASSED and not row.void for row in rows]),
        "mean_score": _share([row.score / row.points if row.points else 0.0 for row in rows]),
        "median_minutes": median(minutes) if minutes else None,
        "hints": sum(bool(row.hints) for row in rows),
        "gave_up": sum(row.gave_up for row in rows),
        "concepts": [{"tag": tag, "submissions": concepts[tag]} for tag in frequent],
        "tests": [_test(test, pairs) for test in tests],
    }


def _test(test: str, pairs: list[tuple[Report, Row]]) -> dict[str, Any]:
    passed, rest = [], []
    for report, row in pairs:
        hit = any(one.test == test and one.outcome == PASSED for one in row.tests)
        # Of a task that counts nothing no test has a share in the score.
        share = row.points / len(row.tests) if hit and not row.void else 0.0
        passed.append(float(hit))
        rest.append(round(report.score - share, 6))
    return {
        "test": test,
        "pass_rate": _share(passed),
        **discrimination(np.array(passed), np.array(rest)),
    }


def _share(values: list[Any]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _same(reports: list[Report]) -> list[dict[str, Any]]:
    """Groups of submissions with the same code in a task, whatever its layout and comments."""
    groups: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        for row in report.rows:
            if row.fingerprint:
                groups.setdefault((row.task, row.fingerprint), []).append(report.name)
    return [
        {"task": task, "names": sorted(names)}
        for (task, _), names in sorted(groups.items())
        if len(names) > 1
    ]


def _markdown(facts: dict[str, Any]) -> str:
    lines = ["# Class", "", f"{facts['graded']} of {facts['submissions']} submissions graded.", ""]
    lines += [
        "| Task | Passed | Mean score | Median minutes | Hints | Gave up | Concepts that fail |"
    ]
    lines += ["|---|---|---|---|---|---|---|"]
    for task in facts["tasks"]:
        concepts = ", ".join(f"{one['tag']} ({one['submissions']})" for one in task["concepts"])
        values = [
            f"{task['id']} {task['title']}",
            _percent(task["pass_rate"]),
            _percent(task["mean_score"]),
            _or_dash(task["median_minutes"]),
            str(task["hints"]),
            str(task["gave_up"]),
            concepts,
        ]
        lines.append(f"| {' | '.join(values)} |")
    lines += [
        "",
        "## Tests",
        "",
        "Correlation: of passing with the score on everything else. Upper less",
    ]
    lines += ["lower: the share that passes in the best 27 % less that in the weakest 27 %.", ""]
    lines += ["| Test | Passed | Correlation | Upper less lower |", "|---|---|---|---|"]
    for task in facts["tasks"]:
        for test in task["tests"]:
            numbers = [_percent(test["pass_rate"]), _or_dash(test["correlation"])]
            name = f"{task['id']} {test['test'].partition('::')[2]}"
            lines.append(f"| {' | '.join([name, *numbers, _or_dash(test['upper_lower'])])} |")
    sections = {
        "Flags": [
            f"{one['name']}, {one['task']}: {one['flag']}: {one['says']}"
            for one in facts["flagged"]
        ],
        "Problems": [
            f"{name}: {line}" for name, told in facts["problems"].items() for line in told
        ],
        "The same code": [
            f"{one['task']}: {', '.join(one['names'])}" for one in facts["same_files"]
        ],
    }
    for title, items in sections.items():
        if items:
            lines += ["", f"## {title}", "", *(f"- {item}" for item in items)]
    return "\n".join(lines) + "\n"


def _table(reports: list[Report]) -> str:
    """One line for each submission. Names begin with no sign that a spreadsheet takes for a formula."""
    names = sorted({row.task for report in reports for row in report.rows})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "score", "points", *names, "flags"])
    for report in reports:
        scores = {row.task: f"{row.score:g}" for row in report.rows}
        flags = sorted({flag for row in report.rows for flag in row.flags})
        name = f"'{report.name}" if report.name[:1] in "=+-@" else report.name
        cells = [scores.get(task, "") for task in names]
        writer.writerow([name, f"{report.score:g}", f"{report.points:g}", *cells, " ".join(flags)])
    return text.getvalue()


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
