"""Show how far you are: tasks, minutes and points per week, hints, what you gave up."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.labs import catalog, course, screen
from tasks.labs.state import State

SCHEMA = 1


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="everything, for programs")


def run(options: argparse.Namespace, root: Path) -> int:
    state = State.load(root)
    if options.json:
        screen.say(json.dumps(facts(root, state), indent=1))
        return 0
    sums = course.tally(catalog.tasks(root), state)
    after = course.current(root, state)
    checks = sum(state.of(task.id).checks for task in catalog.tasks(root))
    screen.say(
        *(course.week_line(root, state, week.number) for week in catalog.weeks(root)),
        "",
        f"  points     {sums.points} of {sums.all_points}",
        f"  hints      {sums.hints}",
        f"  given up   {sums.gave_up}",
        f"  checks     {checks}",
        "",
    )
    if after is None:
        screen.say(*course.finished(root, state))
    else:
        line = f"Next: {after.id} {after.title}, {after.minutes} minutes: `{screen.me()} next`"
        screen.say(line, f"All tasks: `{screen.me()} list`")
    return 0


def facts(root: Path, state: State) -> dict[str, Any]:
    """The state of every week and task as plain values."""
    after = course.current(root, state)
    weeks = [
        {"number": week.number, "title": week.title, **asdict(course.tally(week.tasks, state))}
        for week in catalog.weeks(root)
    ]
    tasks = []
    for task in catalog.tasks(root):
        progress = asdict(state.of(task.id))
        told = {name: progress[name] for name in progress if name not in ("last", "asked")}
        stated = {
            name: getattr(task, name) for name in ("id", "title", "minutes", "difficulty", "points")
        }
        tasks.append({**stated, **told})
    return {"schema": SCHEMA, "next": after.id if after else None, "weeks": weeks, "tasks": tasks}
