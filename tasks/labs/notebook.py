"""Makes a week's notebook from its sheets and its notebook.md; the same text from the same files.

notebook.md holds text and Python, in sections by `## ` headings. What stands before `## t01` comes first; a
section named for a task follows that task's title, idea and figure, if the week has the task. A block

    ```python
    ...
    ```

is a cell where it stands. One that opens with ```python claim goes into the last cell, which checks all.
"""

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError
from tasks.labs.catalog import Task, Week

FENCE = "```"
LAST = """## What should hold

Each claim is an assertion about what you have seen above. Those of tasks that are not done yet wait."""


@dataclass
class Section:
    """A part of notebook.md: cells in order, each its kind (markdown or code) and text, and claims."""

    cells: list[tuple[str, str]] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)


def path(week: Week) -> Path:
    """Where the notebook of a week is kept."""
    return week.folder.parents[1] / "notebooks" / f"{week.folder.name}.ipynb"


def text(week: Week) -> str:
    """The notebook of a week as the text of its file.

    Raises:
        LabError: no notebook.md, one with an open block, or nbformat is not installed.
    """
    try:
        import nbformat
    except ImportError as error:
        raise LabError("making a notebook needs nbformat: `make setup` installs it") from error
    return nbformat.writes(build(week)) + "\n"


def build(week: Week) -> Any:
    """The notebook of a week, without outputs."""
    from nbformat import v4

    made = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    return v4.new_notebook(
        cells=[made[kind](source, id=name) for name, kind, source in _cells(week)],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )


def sections(source: str) -> dict[str, Section]:
    """The sections of a notebook.md by heading; the first one's is empty."""
    found = {"": Section()}
    current, rows, fence = found[""], list[str](), ""
    for row in source.splitlines():
        heading = not fence and row.startswith("## ")
        if heading or row.startswith(FENCE):
            _close(current, fence, rows)
        if heading:
            name = row.removeprefix("## ").strip()
            current = found.setdefault(name, Section())
            rows = [] if _names_task(name) else [row]
        elif row.startswith(FENCE):
            rows, fence = [], "" if fence else row
        else:
            rows.append(row)
    if fence:
        raise LabError(f"notebook.md: the block {fence} of {rows[:1]} does not end")
    _close(current, fence, rows)
    return found


def idea(task: Task) -> str:
    """The heading of a task's section: title and first paragraph of its sheet, and the way to it."""
    sheet = (task.folder / "README.md").read_text()
    title, _, rest = sheet.removeprefix("# ").partition("\n")
    first = rest.strip().partition("\n\n")[0]
    name = task.id.partition(".")[2]
    where = f"../tasks/{task.folder.parent.name}/{task.folder.name}/README.md"
    return f"## {name}. {title}\n\n{first}\n\n[The sheet]({where}), `labs check {name}`"


def _cells(week: Week) -> list[tuple[str, str, str]]:
    """Id, kind and text of every cell."""
    file = week.folder / "notebook.md"
    if not file.is_file():
        raise LabError(f"no {file}: it holds what a notebook says beside its sheets")
    parts = sections(file.read_text())
    aims = "\n".join(f"- {objective}" for objective in week.objectives)
    head = f"# Week {week.number}: {week.title}\n\nAfter this week you can\n\n{aims}"
    cells, claims = [("title", "markdown", head)], []
    for number, (name, part) in enumerate(parts.items()):
        if not _names_task(name):
            cells += _numbered(f"part{number}", part)
            claims += part.claims
    for task in week.tasks:
        name = task.id.partition(".")[2]
        part = parts.get(name, Section())
        cells.append((name, "markdown", idea(task)))
        if (task.folder / "plot.py").is_file():
            cells.append((f"{name}-figure", "code", f'figure("{name}")'))
        cells += _numbered(name, part)
        claims += part.claims
    last = "\n\n".join([*claims, "bench.report()"])
    return [*cells, ("last", "markdown", LAST), ("claims", "code", last)]


def _numbered(name: str, part: Section) -> list[tuple[str, str, str]]:
    return [
        (f"{name}-{number}", kind, text)
        for number, (kind, text) in zip(itertools.count(1), part.cells, strict=False)
    ]


def _close(section: Section, fence: str, rows: list[str]) -> None:
    """Adds the rows since the last fence or heading to a section."""
    source = "\n".join(rows).strip()
    if not source:
        return
    if fence.split() == [f"{FENCE}python", "claim"]:
        section.claims.append(source)
    elif fence and fence != f"{FENCE}python":
        raise LabError(f"notebook.md: {fence} is neither {FENCE}python nor {FENCE}python claim")
    else:
        section.cells.append(("code" if fence else "markdown", source))


def _names_task(heading: str) -> bool:
    return re.fullmatch(r"t\d\d", heading) is not None
