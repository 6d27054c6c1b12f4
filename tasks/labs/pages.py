"""A report for people: as Markdown, and as one HTML page that needs nothing else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tasks.labs.runner import NOT_STARTED, PASSED, TestResult

if TYPE_CHECKING:
    from tasks.labs.reports import Report, Row

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
.passed { color: #00695c; } .open { color: #a34700; } .flag { background: #fff3cd; padding: .1rem .4rem; }
summary { cursor: pointer; margin-top: .6rem; }
pre { background: #f5f5f5; padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
"""
HEADS = ("Task", "Points", "Tests", "Outcome", "Concepts that fail", "Hints", "Minutes")


def told(test: TestResult) -> str:
    """What a test that did not pass says, in a few lines."""
    lines = [f"{test.outcome}: {test.message}" if test.message else test.outcome]
    if test.concept:
        lines[0] += f" [{test.concept}]"
    if test.expected or test.got:
        place = f"   ({test.where})" if test.where else ""
        lines += [f"expected  {test.expected}", f"got       {test.got}{place}"]
    if test.why:
        lines.append(test.why)
    if test.line:
        lines.append(f"task.py, line {test.line}")
    return "\n".join(lines)


def cells(row: Row) -> tuple[str, ...]:
    hints = ", ".join(map(str, row.hints)) + (" gave up" if row.gave_up else "")
    return (
        f"{row.task} {row.title}".strip(),
        f"{row.score:g} / {row.points:g}",
        f"{row.passed} / {len(row.tests)}",
        row.outcome,
        ", ".join(row.concepts),
        hints.strip(),
        "" if row.minutes is None else f"{row.minutes:g}",
    )


def markdown(report: Report) -> str:
    lines = [
        f"# {_cell(report.title)}",
        "",
        f"**{report.score:g} of {report.points:g} points**",
        "",
    ]
    lines += [f"- {_cell(remark)}" for remark in report.remarks]
    lines += [""] if report.remarks else []
    lines += [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}"]
    lines += [f"| {' | '.join(map(_cell, cells(row)))} |" for row in report.rows]
    for row in report.rows:
        lines += [f"\n## {_cell(f'{row.task} {row.title}'.strip())}"] if _tells(row) else []
        lines += [f"\n{_cell(row.message)}"] if row.message else []
        if row.outcome == NOT_STARTED:
            continue
        for test in row.tests:
            if test.outcome != PASSED:
                # Four spaces: nothing in a student's text can end such a block.
                body = "\n".join("    " + line for line in told(test).splitlines())
                lines += ["", f"`{test.name}`: {_cell(test.says)}", "", body]
    lines += ["", "; ".join(f"{key} {value}" for key, value in report.environment.items())]
    return "\n".join(lines).rstrip() + "\n"


def html(report: Report) -> str:
    title = escape(report.title)
    lines = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width">',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        f"<p><strong>{report.score:g} of {report.points:g} points</strong></p>",
    ]
    if report.remarks:
        items = "".join(
            f'<li><span class="flag">{escape(remark)}</span></li>' for remark in report.remarks
        )
        lines.append(f"<ul>{items}</ul>")
    lines.append("<table><thead><tr>")
    lines += [f"<th{_number(place)}>{head}</th>" for place, head in enumerate(HEADS)]
    lines.append("</tr></thead><tbody>")
    for row in report.rows:
        state = "passed" if row.outcome == PASSED else "open"
        inner = [
            f"<td{_number(place)}>{escape(text)}</td>" for place, text in enumerate(cells(row))
        ]
        lines.append(f'<tr class="{state}">{"".join(inner)}</tr>')
    lines.append("</tbody></table>")
    for row in report.rows:
        if not _tells(row):
            continue
        lines.append(f"<h2>{escape(f'{row.task} {row.title}'.strip())}</h2>")
        if row.message:
            lines.append(f"<p>{escape(row.message)}</p>")
        for test in row.tests:
            if test.outcome not in (PASSED, NOT_STARTED):
                says = f"<code>{escape(test.name)}</code> {escape(test.says)}"
                lines.append(f"<details open><summary>{says}</summary>")
                lines.append(f"<pre>{escape(told(test))}</pre></details>")
    facts = "; ".join(f"{key} {value}" for key, value in report.environment.items())
    lines += [f"<p><small>{escape(facts)}</small></p>", "</body></html>"]
    return "\n".join(lines) + "\n"


def _tells(row: Row) -> bool:
    """Whether there is more to say of a task than its line in the table."""
    return bool(row.message) or row.outcome not in (PASSED, NOT_STARTED)


def _number(place: int) -> str:
    return ' class="number"' if HEADS[place] in ("Points", "Tests", "Minutes") else ""


def _cell(text: str) -> str:
    """Text that stays on its line and in its cell."""
    for mark in "\\|<`[":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
