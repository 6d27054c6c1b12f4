"""Text for a terminal: colours, width, bars, and Markdown as far as task sheets use it.

Colours are for terminals only, and not where NO_COLOR is set (https://no-color.org).
"""

import os
import re
import shutil
import sys
import textwrap
from pathlib import Path

STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
WIDEST = 100
# For screens that have ASCII only.
PLAIN = str.maketrans({"✓": "+", "✗": "x", "·": "-", "█": "#", "░": ".", "…": "~"})


def on_terminal() -> bool:
    return sys.stdout.isatty()


def coloured() -> bool:
    return on_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, *styles: str) -> str:
    """The text in these styles, where the screen has colours."""
    if not text or not styles or not coloured():
        return text
    return f"\x1b[{';'.join(str(STYLES[style]) for style in styles)}m{text}\x1b[0m"


def width() -> int:
    """Columns to write in."""
    return max(40, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def cut(text: str, columns: int) -> str:
    """The text without styles, shortened where it is longer."""
    return text if len(text) <= columns else text[: max(columns - 4, 0)] + " ..."


def printable(text: str) -> str:
    """A text of unknown origin on one line, without anything that would move the cursor."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def wrapped(text: str, *, indent: str = "", first: str | None = None) -> list[str]:
    """Lines of a paragraph; the first begins with `first`, the others with `indent`.

    What is between backticks stays on one line.
    """
    joined = " ".join(text.split())
    lines = textwrap.wrap(
        re.sub(r"`[^`]+`", lambda code: code[0].replace(" ", "\0"), joined),
        width(),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace("\0", " ") for line in lines] or [
        (indent if first is None else first).rstrip()
    ]


def bar(done: int, total: int, *, cells: int = 20) -> str:
    """A bar that is full only when all is done, and empty only when nothing is."""
    full = 0 if not total else done * cells // total
    if done and not full:
        full = 1
    return paint("█" * full, "green") + paint("░" * (cells - full), "dim")


def clock(minutes: int) -> str:
    """Minutes as hours and minutes."""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


def place(path: Path) -> str:
    """A path as one would type it here."""
    near = os.path.relpath(path)
    return str(path) if near.startswith(os.path.join("..", "..", "..")) else near


def me() -> str:
    """How this command is called, in what students are told to type."""
    called = Path(sys.argv[0])
    return "python -m tasks" if called.parts[-2:] == ("tasks", "__main__.py") else "labs"


def say(*lines: str) -> None:
    """Prints lines; signs that the screen lacks are replaced."""
    text = "\n".join(lines)
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    print(text, flush=True)


def passing(text: str) -> None:
    """A line that the next output takes the place of; on terminals only."""
    if on_terminal() and os.environ.get("TERM") != "dumb":
        print(f"\r\x1b[K{text}", end="", flush=True)


def clear() -> None:
    """An empty screen; what was there stays above it. On terminals only."""
    if on_terminal() and os.environ.get("TERM") != "dumb":
        print("\x1b[2J\x1b[H", end="", flush=True)


def markdown(text: str, folder: Path | None = None) -> list[str]:
    """Markdown as lines for the screen; pictures become their description, and where they are."""
    lines: list[str] = []
    fenced = False
    paragraph = ""

    def flush() -> None:
        nonlocal paragraph
        if paragraph:
            item = re.match(r"(-|\d+\.) ", paragraph)
            hanging = " " * len(item[0]) if item else ""
            lines.extend(wrapped(_plain(paragraph), indent=hanging, first=""))
        paragraph = ""

    for row in text.strip("\n").splitlines():
        picture = re.fullmatch(r"!\[(.*)\]\((.*)\)", row.strip())
        if row.startswith("```"):
            flush()
            fenced = not fenced
        elif fenced or (row.startswith("    ") and not paragraph):
            lines.append(row if row.startswith("    ") else f"    {row}".rstrip())
        elif picture:
            flush()
            there = place(folder / picture[2]) if folder else picture[2]
            lines.extend(wrapped(f"[figure: {picture[1]}; {there}]"))
        elif row.startswith("#"):
            flush()
            lines.append(paint(row.lstrip("# ").replace("`", ""), "bold"))
        elif not row.strip() or row.startswith(("|", "$$")):
            flush()
            lines.append(row.rstrip())
        else:
            if re.match(r"(-|\d+\.) ", row):
                flush()
            paragraph = f"{paragraph} {row.strip()}".strip()
    flush()
    if not coloured():
        return lines
    return [re.sub(r"`([^`]+)`", lambda code: paint(code[1], "cyan"), line) for line in lines]


def _plain(text: str) -> str:
    """Formulas without a command of LaTeX lose their dollars."""
    return re.sub(r"\$([^$]+)\$", lambda one: one[0 if "\\" in one[1] else 1], text)
