"""Pack your files into a zip to hand in."""

import argparse
from pathlib import Path

from lab.errors import LabError
from tasks.labs import submission


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("submission.zip"), metavar="ZIP")
    parser.add_argument("--week", type=int, metavar="N", help="only the tasks of this week")
    parser.add_argument("--name", default="", help="your name, as your teacher should see it")


def run(options: argparse.Namespace, root: Path) -> int:
    try:
        untouched = submission.pack(root, options.out, week=options.week, name=options.name)
    except OSError as error:
        raise LabError(f"{options.out} cannot be written: {error.strerror}") from error
    if untouched:
        print(f"still as they were given: {', '.join(untouched)}")
    print(options.out)
    return 0
