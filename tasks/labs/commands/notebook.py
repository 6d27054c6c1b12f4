"""Write the notebook of a week, made from its sheets."""

import argparse
from pathlib import Path

from lab.errors import LabError
from tasks.labs import catalog, notebook


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--week", type=int, required=True, help="number of the week")


def run(options: argparse.Namespace, root: Path) -> int:
    known = {week.number: week for week in catalog.weeks(root)}
    if options.week not in known:
        raise LabError(f"no week {options.week}; there are: {', '.join(map(str, known))}")
    week = known[options.week]
    file = notebook.path(week)
    text = notebook.text(week)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    print(file)
    return 0
