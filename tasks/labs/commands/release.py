"""Write the repository as students get it in a week."""

import argparse
from pathlib import Path

from tasks.labs import release, weeks


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--week", type=int, required=True, metavar="N", help=f"1 to {weeks.LAST}")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a folder that is not there yet"
    )
    parser.add_argument(
        "--without-solutions", action="store_true", help="without the sealed solutions"
    )


def run(options: argparse.Namespace, root: Path) -> int:
    solutions = not options.without_solutions
    names = release.release(root, options.out, week=options.week, solutions=solutions)
    print(f"{options.out}: {len(names)} files, week {options.week}")
    return 0
