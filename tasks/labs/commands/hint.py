"""Show a hint: 1 the idea, 2 a plan, 3 the steps in words."""

import argparse
from pathlib import Path

from lab.errors import LabError
from tasks.labs import course, screen, sheet
from tasks.labs.state import Progress, State


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("level", nargs="?", help="1, 2 or 3; by default the first not seen yet")
    parser.add_argument("--task", metavar="ID", help="such as t03; by default the task in hand")


def run(options: argparse.Namespace, root: Path) -> int:
    state = State.load(root)
    word, name = options.level or "", options.task
    if word and name is None and not word.isdecimal():
        word, name = "", word
    asked = _level(word)
    task = course.chosen(root, state, name)
    hints, progress = sheet.hints(task), state.of(task.id)
    unseen = [level for level in sorted(hints) if level not in progress.hints]
    level = asked or (unseen or sorted(hints))[0 if unseen else -1]
    if level not in hints:
        raise LabError(f"{task.id} has hints {', '.join(map(str, sorted(hints)))}, not {level}")
    lower = [one for one in unseen if one < level]
    if lower and progress.asked != level:
        progress.asked = level
        state.save()
        screen.say(
            f"Hint {level} of {task.id} gives more away than hint {lower[0]}, which you have not seen:"
            f" `{screen.me()} hint {lower[0]}`.",
            f"To see hint {level} anyway, type the same again.",
        )
        return 1
    _record(progress, level)
    state.save()
    name = screen.paint(f"Hint {level} of {len(hints)}, {task.id} {task.title}", "bold")
    screen.say(name, "", *screen.markdown(hints[level], task.folder))
    if not unseen and not asked:
        screen.say(
            "", f"That is the last one. `{screen.me()} explain {task.id}` goes through the check."
        )
    return 0


def _level(word: str) -> int:
    """The level asked for; 0 is none."""
    if not word:
        return 0
    if not word.isdecimal() or int(word) == 0:
        raise LabError(f"a hint is 1, 2 or 3, not {word!r}")
    return int(word)


def _record(progress: Progress, level: int) -> None:
    progress.hints = sorted({*progress.hints, level})
    progress.asked = 0
