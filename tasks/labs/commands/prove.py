"""Show that tasks are sound: solutions pass, stubs fail, mutants are caught (for authors)."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.errors import LabError
from tasks.labs import catalog, proof


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tasks", nargs="*", metavar="task", help="ids; without any, all tasks")
    parser.add_argument(
        "--write", action="store_true", help="write the table of mutants to MUTATION.md"
    )
    parser.add_argument("--workers", type=int, default=2, help="tasks at a time (default 2)")


def run(options: argparse.Namespace, root: Path) -> int:
    if not catalog.is_source(root):
        raise LabError("a release has no solutions and no mutants: prove tasks in their source")
    if options.write and options.tasks:
        raise LabError("MUTATION.md is about all tasks: give --write without names")
    named = [catalog.find(root, name) for name in options.tasks]
    chosen = named or list(catalog.tasks(root))
    with ThreadPoolExecutor(max(1, options.workers)) as pool:
        reports = []
        for report in pool.map(proof.prove, chosen):
            reports.append(report)
            score = f"{report.killed} of {len(report.verdicts)} mutants caught"
            print(f"{report.task.id}  {score}, {len(report.faults)} faults", flush=True)
            for fault in report.faults:
                print(f"  {fault}")
    text = proof.table(reports)
    if options.write:
        (root / proof.TABLE).write_text(text)
        print(f"wrote {proof.TABLE}")
    if not named and not options.write and (root / proof.TABLE).read_text() != text:
        print(f"{proof.TABLE} is not what was found: labs prove --write", file=sys.stderr)
        return 1
    return 1 if any(report.faults for report in reports) else 0
