"""The way through the course: which task is next, and how much of a week is done."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from tasks.labs import catalog, screen
from tasks.labs.catalog import Task
from tasks.labs.state import State


@dataclass(frozen=True)
class Tally:
    """Sums over some tasks; `passed`, `points` and `minutes` count what is passed, `all_...` everything."""

    tasks: int
    passed: int
    gave_up: int
    hints: int
    points: int
    all_points: int
    minutes: int
    all_minutes: int


def current(root: Path, state: State) -> Task | None:
    """The task in hand: of the open ones that last taken up, else the first none of whose `deps` is open.

    Open is what is neither passed nor given up.
    """
    tasks = sorted(catalog.tasks(root), key=lambda task: task.id)
    still = {task.id: task for task in tasks if is_open(state, task)}
    taken = max(still, key=lambda name: state.of(name).taken, default="")
    if taken and state.of(taken).taken:
        return still[taken]
    return next((task for task in still.values() if not still.keys() & {*task.deps}), None)


def is_open(state: State, task: Task) -> bool:
    progress = state.of(task.id)
    return not progress.passed and not progress.gave_up


def chosen(root: Path, state: State, name: str | None) -> Task:
    """The task of this name, or the current one.

    Raises:
        LabError: no such task, or no name and nothing left to do.
    """
    if name is not None:
        return catalog.find(root, name)
    task = current(root, state)
    if task is None:
        raise LabError("no task is open any more: name one, such as `t01`; `labs list` shows all")
    return task


def tally(tasks: Iterable[Task], state: State) -> Tally:
    tasks = tuple(tasks)
    notes = [state.of(task.id) for task in tasks]
    passed = [task for task in tasks if state.of(task.id).passed]
    return Tally(
        tasks=len(tasks),
        passed=len(passed),
        gave_up=sum(bool(note.gave_up and not note.passed) for note in notes),
        hints=sum(len(note.hints) for note in notes),
        points=sum(task.points for task in passed),
        all_points=sum(task.points for task in tasks),
        minutes=sum(task.minutes for task in passed),
        all_minutes=sum(task.minutes for task in tasks),
    )


def week_line(root: Path, state: State, number: int) -> str:
    """One week in one line: its bar, tasks, and minutes done and left."""
    week = next(week for week in catalog.weeks(root) if week.number == number)
    sums = tally(week.tasks, state)
    left = sums.all_minutes - sums.minutes
    name = screen.paint(f"Week {week.number}, {week.title}", "bold")
    cells = 20 if screen.width() >= 90 else 10
    return (
        f"{name}  {screen.bar(sums.passed, sums.tasks, cells=cells)}  {sums.passed} of {sums.tasks} tasks, "
        f"{screen.clock(sums.minutes)} done, {screen.clock(left)} left"
    )


def finished(root: Path, state: State) -> list[str]:
    """What to say when no task is open."""
    given_up = [task for task in catalog.tasks(root) if not state.of(task.id).passed]
    if not given_up:
        return ["All tasks are passed. Well done!"]
    names = ", ".join(task.id for task in given_up)
    return [
        f"No task is open any more; given up: {names}. To try one again: `{screen.me()} next ID`"
    ]
