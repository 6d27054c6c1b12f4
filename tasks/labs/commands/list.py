"""List all tasks: outcome, minutes, difficulty, points."""

import argparse
from pathlib import Path

from tasks.labs import catalog, course, findings, screen
from tasks.labs.catalog import Task
from tasks.labs.runner import PASSED
from tasks.labs.state import State


def arguments(parser: argparse.ArgumentParser) -> None:
    """It has no options."""


def run(options: argparse.Namespace, root: Path) -> int:
    state = State.load(root)
    after = course.current(root, state)
    room = max((len(task.title) for task in catalog.tasks(root)), default=0)
    room = min(room, screen.width() - 48)
    for week in catalog.weeks(root):
        screen.say(course.week_line(root, state, week.number), "")
        head = f"{'':12}{'':<{room}}  minutes  difficulty  points"
        screen.say(screen.paint(head, "dim"))
        screen.say(*(row(task, state, room, next_one=task == after) for task in week.tasks), "")
    if after is not None:
        screen.say(f"> is the next: `{screen.me()} next`")
    return 0


def row(task: Task, state: State, room: int, *, next_one: bool) -> str:
    """One task in one line."""
    progress = state.of(task.id)
    result = findings.restored(progress.last)
    said = findings.verdict(result) if result else ""
    if progress.passed and progress.outcome != PASSED:
        said = screen.paint(f"passed before, now {progress.outcome}", "green")
    elif progress.gave_up and not progress.passed:
        said = screen.paint("given up", "yellow")
    elif progress.opened and not said:
        said = screen.paint("begun", "yellow")
    sign = screen.paint(findings.SIGNS[PASSED], "green") if progress.passed else " "
    title = screen.cut(task.title, room)
    return (
        f"{'>' if next_one else ' '} {sign} {task.id} {title:<{room}}  {task.minutes:>7}"
        f"  {task.difficulty:>10}  {task.points:>6}  {said}"
    ).rstrip()
