"""Draw the figure of a task with your own functions."""

import argparse
from pathlib import Path

from lab.errors import LabError
from tasks.labs import catalog, drawing, screen, student_file


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help="id, such as t03")
    parser.add_argument(
        "--sheet", action="store_true", help="draw the sheet's figure from the solution"
    )


def run(options: argparse.Namespace, root: Path) -> int:
    task = catalog.find(root, options.task)
    file, out = task.file, root / ".labs" / "figures" / f"{task.id}.png"
    if options.sheet:
        if not catalog.is_source(root):
            raise LabError("--sheet is for authors: a release has no solution to draw from")
        file, out = task.source, task.folder / "figure.png"
    else:
        student_file.read(task)
    out.parent.mkdir(parents=True, exist_ok=True)
    screen.say(screen.place(drawing.picture(task, file, out)))
    return 0
