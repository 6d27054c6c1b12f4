"""Go through what the last check found, at length."""

import argparse
from pathlib import Path

from lab.errors import LabError
from tasks.labs import course, findings, screen, sheet, student_file
from tasks.labs.state import State


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", nargs="?", help="id, such as t03; by default the one in hand")


def run(options: argparse.Namespace, root: Path) -> int:
    state = State.load(root)
    task = course.chosen(root, state, options.task)
    result = findings.restored(state.of(task.id).last)
    found = findings.failures(result) if result else []
    if result is None or not found:
        if result is None:
            screen.say(f"{task.id} has not been checked yet; this is its sheet.", "")
        elif result.message:
            screen.say(findings.headline(task, result), "", f"  {result.message}", "")
        screen.say(*screen.markdown(sheet.whole(task), task.folder))
        parts = findings.open_parts(result) if result else []
        if parts:
            screen.say("", "Not written yet:", *(f"  · {part}" for part in parts))
        return 0
    try:
        source = student_file.read(task)
    except LabError:
        source = ""
    screen.say(findings.headline(task, result), "")
    if result.message:
        screen.say(f"  {result.message}", "")
    for finding in found:
        screen.say(*findings.told(task, finding, source, says=True), "")
    screen.say(screen.paint("The idea", "bold"), "")
    screen.say(*screen.markdown(sheet.idea(task), task.folder))
    screen.say("", f"The whole sheet: {screen.place(task.folder / 'README.md')}")
    return 0
