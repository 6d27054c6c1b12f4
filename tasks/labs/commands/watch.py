"""Check again whenever you save your file; Ctrl-C ends it."""

import argparse
import itertools
import time
from datetime import datetime
from pathlib import Path

from lab.errors import LabError
from tasks.labs import course, screen, student_file
from tasks.labs.catalog import Task
from tasks.labs.commands import check
from tasks.labs.commands.next import introduction
from tasks.labs.runner import PASSED
from tasks.labs.state import State

PAUSE = 0.3
# Editors that write beside and rename leave no file for a moment.
PATIENCE = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", nargs="?", help="id, such as t03; by default the one in hand")


def run(options: argparse.Namespace, root: Path) -> int:
    task = course.chosen(root, State.load(root), options.task)
    student_file.make(task)
    try:
        follow(task, root)
    except KeyboardInterrupt:
        screen.say("")
    return 0


def follow(
    task: Task | None, root: Path, *, pause: float = PAUSE, polls: int | None = None
) -> None:
    """Checks whenever the file changes, and goes on to the next task after passing.

    Args:
        polls: after so many looks at the file it ends; None is never.
    """
    last: tuple[int, int] | None = None
    missing, over = 0, True
    for count in itertools.count():
        if task is None or count == polls:
            return
        now = signature(task)
        missing = missing + 1 if now is None else 0
        if missing == PATIENCE or (now is not None and now != last):
            last = now
            if look(task, root, over=over):
                # The good news stay on the screen, above the next task.
                task, last, over = _after(root), None, False
                continue
            over = True
        time.sleep(pause)


def signature(task: Task) -> tuple[int, int] | None:
    """What changes when the file is saved; None where there is no file."""
    try:
        facts = task.file.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def look(task: Task, root: Path, *, over: bool) -> bool:
    """Checks once, `over` what was on the screen; whether it passed."""
    if over:
        screen.clear()
    done = False
    try:
        done = check.one(task, root).outcome == PASSED
    except LabError as error:
        screen.say(f"labs: {error}")
    if not done:
        at = screen.paint(f"{datetime.now():%H:%M:%S}, waiting for you to save; Ctrl-C ends", "dim")
        screen.say("", at)
    return done


def _after(root: Path) -> Task | None:
    """The next task, shown, and its file made."""
    after = course.current(root, State.load(root))
    if after is None:
        return None
    made = student_file.make(after)
    screen.say("", "-" * screen.width(), "", *introduction(after, made), "")
    return after
