"""Show the solution, after you have passed or given up."""

import argparse
from pathlib import Path

from tasks.labs import catalog, screen
from tasks.labs.state import State, now


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help="id, such as t03")
    parser.add_argument(
        "--give-up", action="store_true", help="open it without passing; this is recorded"
    )


def run(options: argparse.Namespace, root: Path) -> int:
    task = catalog.find(root, options.task)
    state, me = State.load(root), screen.me()
    progress = state.of(task.id)
    if not (progress.passed or progress.gave_up or options.give_up):
        screen.say(
            f"The solution of {task.id} opens when the task passes: `{me} hint --task {task.id}` helps.",
            f"To see it now, give the task up, which is recorded: `{me} solution {task.id} --give-up`",
        )
        return 1
    from tasks.labs.sealing import solution

    text = solution(task)
    if text is None:
        screen.say(f"This release has no solution of {task.id}: ask your instructor.")
        return 1
    if options.give_up and not progress.passed and not progress.gave_up:
        progress.gave_up = now()
        state.save()
    screen.say(text.rstrip("\n"))
    return 0
