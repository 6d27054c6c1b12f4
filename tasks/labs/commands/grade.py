"""Grade submissions (teachers; needs the hidden tests)."""

import argparse
from pathlib import Path

from lab.errors import LabError
from tasks.labs import class_report, grading


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("zips", nargs="*", type=Path, metavar="FILE.zip")
    parser.add_argument(
        "--class",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="all zips of a folder, and a report of the class",
    )
    parser.add_argument("--out", type=Path, default=Path("grades"), metavar="DIR")
    parser.add_argument(
        "--week",
        type=int,
        metavar="N",
        help="the tasks of this week, by default those of the weeks handed in",
    )


def run(options: argparse.Namespace, root: Path) -> int:
    zips = list(options.zips)
    if bool(zips) == bool(options.folder):
        raise LabError("name zips, or a folder of them: `labs grade FILE.zip` or `--class DIR`")
    if options.folder:
        zips = sorted(options.folder.glob("*.zip"))
        if not zips:
            raise LabError(f"no zip in {options.folder}")
    for path in zips:
        if not path.is_file():
            raise LabError(f"{path} is no file")
    reports = []
    for name, path in grading.named(zips):
        report = grading.grade(root, path, name=name, week=options.week)
        grading.write(report, options.out / name)
        reports.append(report)
        print(
            f"{name}: {report.score:g} of {report.points:g}",
            *report.remarks,
            sep="\n  ",
            flush=True,
        )
    if options.folder:
        class_report.write(reports, options.out)
    print(options.out)
    return 1 if any(report.unread for report in reports) else 0
