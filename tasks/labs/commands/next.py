"""Show the next task, and make the file for it."""

import argparse
from pathlib import Path

from tasks.labs import course, screen, sheet, student_file
from tasks.labs.catalog import Task
from tasks.labs.state import State


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", nargs="?", help="id, such as t03, for another than the next")


def run(options: argparse.Namespace, root: Path) -> int:
    state = State.load(root)
    if options.task is None and course.current(root, state) is None:
        screen.say(*course.finished(root, state))
        return 0
    task = course.chosen(root, state, options.task)
    made = student_file.make(task)
    state.of(task.id).take()
    state.save()
    screen.say(
        course.week_line(root, state, task.week), "", *introduction(task, made), "", *steps(task)
    )
    return 0


def introduction(task: Task, made: bool) -> list[str]:
    """What the task is, where its files are, and what the sheet asks for."""
    facts = f"{task.minutes} minutes, difficulty {task.difficulty} of 5, {task.points} points"
    note = "   (made for you just now)" if made else ""
    return [
        f"{screen.paint(f'{task.id} {task.title}', 'bold')}   {facts}",
        "",
        f"  read   {screen.place(task.folder / 'README.md')}",
        f"  write  {screen.place(task.file)}{note}",
        "",
        *screen.markdown(sheet.section(task, "what to write"), task.folder),
    ]


def steps(task: Task) -> list[str]:
    """What to type next."""
    me = screen.me()
    calls = {
        "check": "run the tests; they say what is wrong, and why",
        "watch": "the same again whenever you save the file; Ctrl-C ends it",
        "hint": "the first of three hints",
        f"plot {task.id}": "the figure of the sheet, by your own functions",
        "status": "how far you are",
    }
    room = max(map(len, calls))
    lines = [
        f"  {screen.paint(f'{me} {call:<{room}}', 'cyan')}  {text}" for call, text in calls.items()
    ]
    return ["Replace each `raise NotDone(...)` by your code, then type", "", *lines]
