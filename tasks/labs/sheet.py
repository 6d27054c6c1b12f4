"""The parts of a task's sheet (README.md) and its hints (hints.md), by their headings."""

import re

from lab.errors import LabError
from tasks.labs.catalog import Task


def whole(task: Task) -> str:
    return _text(task, "README.md")


def idea(task: Task) -> str:
    """What the sheet says before its first heading of the second order."""
    return _parts(whole(task))[""].partition("\n")[2].strip()


def section(task: Task, heading: str) -> str:
    """The section whose heading begins so, its heading included; an empty text where there is none."""
    for name, text in _parts(whole(task)).items():
        if name.lower().startswith(heading.lower()):
            return f"## {name}\n\n{text.strip()}"
    return ""


def hints(task: Task) -> dict[int, str]:
    """Hints by level."""
    parts = _parts(_text(task, "hints.md"))
    return {int(name): text.strip("\n") for name, text in parts.items() if name.isdigit()}


def _parts(text: str) -> dict[str, str]:
    """Texts by the headings of second order above them; what precedes the first has an empty name."""
    pieces = re.split(r"^## +(.+?) *$", text, flags=re.M)
    return {"": pieces[0].strip(), **dict(zip(pieces[1::2], pieces[2::2], strict=True))}


def _text(task: Task, name: str) -> str:
    path = task.folder / name
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path} cannot be read; fetch the repository anew") from error
