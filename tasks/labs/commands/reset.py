"""Put a task's file back to how it began; yours is kept."""

import argparse
from pathlib import Path

from tasks.labs import catalog, screen, student_file
from tasks.labs.runner import NOT_STARTED
from tasks.labs.state import State


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help="id, such as t03")


def run(options: argparse.Namespace, root: Path) -> int:
    task = catalog.find(root, options.task)
    state = State.load(root)
    kept = student_file.put_back(task, root)
    progress = state.of(task.id)
    progress.outcome, progress.last = NOT_STARTED, None
    state.save()
    there = screen.place(task.file)
    if kept is None:
        screen.say(f"{there} is as it began; there was nothing of yours to keep.")
    else:
        screen.say(f"{there} is as it began.", f"Your file is kept: {screen.place(kept)}")
    return 0
