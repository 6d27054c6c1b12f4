"""Run the tests of a task on your file."""

import argparse
from dataclasses import replace
from pathlib import Path

from lab.errors import LabError
from tasks.labs import catalog, course, findings, runner, screen, student_file
from tasks.labs.catalog import Task
from tasks.labs.reports import FLAGS, write
from tasks.labs.runner import ERROR, NOT_STARTED, PASSED, Result
from tasks.labs.state import State

MOST = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", nargs="?", help="id, such as t03; by default the one in hand")
    parser.add_argument("--all", action="store_true", help="check all tasks, a line for each")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers in the tests")
    parser.add_argument("--verbose", action="store_true", help="all failures, and all of each test")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.json and others")


def run(options: argparse.Namespace, root: Path) -> int:
    if options.all:
        if options.task is not None:
            raise LabError("give a task or --all, not both")
        results = every(root, seed=options.seed)
        title = "all tasks"
    else:
        task = course.chosen(root, State.load(root), options.task)
        results = [one(task, root, seed=options.seed, verbose=options.verbose)]
        title = f"{task.id} {task.title}"
    if options.report is not None:
        write(results, options.report, title=title)
        screen.say(f"Report: {screen.place(options.report)}")
    return 0 if all(result.outcome == PASSED for result in results) else 1


def one(task: Task, root: Path, *, seed: int = 0, verbose: bool = False) -> Result:
    """Checks a task, records it, and shows what was found."""
    source = student_file.read(task)
    result = checked(task, root, seed=seed)
    screen.say(findings.headline(task, result), "")
    if result.outcome == PASSED:
        lines = [*findings.test_lines(result, verbose=verbose), "", *findings.flag_lines(result)]
        screen.say(*lines)
        screen.say(*passed(task, root))
        return result
    screen.say(*failed(task, result, source, most=None if verbose else MOST, verbose=verbose))
    return result


def checked(task: Task, root: Path, *, seed: int) -> Result:
    """The result of a check, recorded."""
    screen.passing(f"checking {task.id}, at most {task.budget:g} s ...")
    try:
        result = runner.run(task, task.file, seed=seed)
    finally:
        screen.passing("")
    if result.outcome == PASSED and any(FLAGS[flag].void for flag in result.flags):
        result = replace(result, outcome=ERROR, message="what passed so does not count")
    state = State.load(root)
    state.of(task.id).note(result)
    state.save()
    return result


def every(root: Path, *, seed: int) -> list[Result]:
    """All tasks, a line for each; those without a file are not started."""
    results = []
    for task in catalog.tasks(root):
        result = Result(task.id, NOT_STARTED, (), 0.0, message="no file yet")
        if task.file.exists():
            student_file.read(task)
            result = checked(task, root, seed=seed)
        results.append(result)
        screen.say(findings.headline(task, result))
    state = State.load(root)
    weeks = [course.week_line(root, state, week.number) for week in catalog.weeks(root)]
    screen.say("", *weeks)
    return results


def passed(task: Task, root: Path) -> list[str]:
    """What passing opens."""
    state, me = State.load(root), screen.me()
    after = course.current(root, state)
    lines = [
        course.week_line(root, state, task.week),
        "",
        f"  {me} plot {task.id}      your own figure",
        f"  {me} solution {task.id}  compare with ours; it is open to you now",
    ]
    if after is None:
        return [*lines, "", *course.finished(root, state)]
    return [*lines, f"  {me} next              {after.id} {after.title}, {after.minutes} minutes"]


def failed(
    task: Task, result: Result, source: str, *, most: int | None, verbose: bool
) -> list[str]:
    """Each test in a line, then the first failures at length, what is open, and what to type."""
    me = screen.me()
    lines = [f"  {result.message}", ""] if result.message else []
    found = findings.failures(result)
    # An error that stops all tests says everything; so does a file in which nothing is written.
    if verbose or (result.outcome != NOT_STARTED and not _stops_all(result, found)):
        lines += [*findings.test_lines(result, verbose=verbose), ""]
    name = f"all {len(result.tests)} tests" if _stops_all(result, found) else ""
    for finding in found[:most]:
        lines += [*findings.told(task, finding, source, name=name), ""]
    left = len(found) - len(found[:most])
    if left:
        noun = "failure" if left == 1 else "failures"
        lines += [f"{left} more {noun}: `{me} check {task.id} --verbose` shows all", ""]
    parts = findings.open_parts(result)
    if parts:
        good = "Nothing is wrong so far. " if result.counts[PASSED] and not found else ""
        begin = f"{good}Not written yet, in {screen.place(task.file)}:"
        lines += [begin, *(f"  · {part}" for part in parts), ""]
    if result.flags:
        lines += [*findings.flag_lines(result), ""]
    ways = f"`{me} explain {task.id}` says more; `{me} hint --task {task.id}` helps"
    return [*lines, ways]


def _stops_all(result: Result, found: list[findings.Finding]) -> bool:
    return len(found) == 1 and len(found[0].tests) == len(result.tests) > 1
