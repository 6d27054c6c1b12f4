"""What a check found, as lines for the student: a line for each test, and failures at length."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.labs import places, screen
from tasks.labs.catalog import Task
from tasks.labs.reports import FLAGS
from tasks.labs.runner import ERROR, FAILED, NOT_STARTED, PASSED, TIMEOUT, Result, TestResult

SIGNS = {PASSED: "✓", FAILED: "✗", NOT_STARTED: "·", ERROR: "✗", TIMEOUT: "✗"}
STYLES = {PASSED: "green", FAILED: "red", NOT_STARTED: "yellow", ERROR: "red", TIMEOUT: "red"}
UNREACHED = "not reached"
# What a message of Python means here, where it does not say so itself.
TIPS = {
    r"module 'task' has no attribute '(\w+)'": r"Your file has no `\1`: was it renamed or deleted?",
    r"NoneType": r"Something is None: does a function lack its `return`?",
    r"(missing|takes) \d+ .*argument|unexpected keyword": r"The arguments differ from those of the stub.",
    r"checks have no network|checks start no other process": r"Leave that out: the task needs no such thing.",
    r"RecursionError": r"A function calls itself without an end.",
    r"MemoryError|cannot allocate memory": r"The memory of a check ran out: are arrays larger than needed?",
}


@dataclass(frozen=True)
class Finding:
    """Tests that failed for one reason; `first` stands for all of them."""

    first: TestResult
    tests: tuple[TestResult, ...]


def restored(plain: dict[str, Any] | None) -> Result | None:
    """A Result from what `Result.plain` gave; None where it is not one."""
    try:
        values = dict(plain or {})
        tests = tuple(TestResult(**test) for test in values.pop("tests"))
        flags = tuple(values.pop("flags", ()))
        return Result(**values, tests=tests, flags=flags)
    except (KeyError, TypeError):
        return None


def verdict(result: Result) -> str:
    """The outcome in a word; where nothing failed but some is open, not the hard one."""
    if result.outcome == FAILED and not result.counts[FAILED]:
        return screen.paint("unfinished", STYLES[NOT_STARTED])
    return screen.paint(result.outcome, STYLES[result.outcome])


def headline(task: Task, result: Result) -> str:
    """Id, title, outcome, and how many tests passed in how long."""
    facts = [verdict(result)]
    if result.tests:
        facts.append(f"{result.counts[PASSED]} of {len(result.tests)} tests pass")
    if result.seconds:
        facts.append(f"{result.seconds:.1f} s")
    return f"{screen.paint(f'{task.id} {task.title}', 'bold')}: {', '.join(facts)}"


def test_lines(result: Result, *, verbose: bool = False) -> list[str]:
    """A line for each test, or for its cases that ended alike; with `verbose` for each case, with its seconds
    and what it says of itself.
    """
    cases: dict[tuple[str, ...], list[TestResult]] = {}
    for test in result.tests:
        key = test.test if verbose else _function(test)
        cases.setdefault((key, test.outcome, test.concept, test.message), []).append(test)
    lines = []
    titles = [_titles(tests) for tests in cases.values()]
    room = max(map(len, titles), default=0)
    for named, (test, *_) in zip(titles, cases.values(), strict=True):
        reached = test.message != UNREACHED
        sign = screen.paint(SIGNS[test.outcome], STYLES[test.outcome]) if reached else " "
        note = {FAILED: test.concept, PASSED: "", NOT_STARTED: "not written yet"}.get(
            test.outcome, test.outcome if reached else UNREACHED
        )
        if verbose:
            note = f"{note:<{24}}{test.seconds:.2f} s" if reached else note
        text = screen.cut(f"{named:<{room}}  {note}".rstrip(), screen.width() - 4)
        lines.append(f"  {sign} {text}")
        if verbose and test.says:
            lines += screen.wrapped(test.says, indent="      ")
    return lines


def title(test: TestResult) -> str:
    return test.name.removeprefix("test_").replace("_", " ")


def open_parts(result: Result) -> list[str]:
    """What is not written yet, each part once, in the order of the file."""
    waiting = [test for test in result.tests if test.outcome == NOT_STARTED]
    waiting.sort(key=lambda test: test.line or 0)
    parts = [
        (f"line {test.line}, " if test.line else "")
        + (test.message.partition(" ")[2] or test.message)
        for test in waiting
    ]
    return [screen.printable(part) for part in dict.fromkeys(parts)]


def failures(result: Result) -> list[Finding]:
    """Failed tests in order; a finding has the cases of a test, or all that an error stopped in one line."""
    groups: dict[tuple[Any, ...], list[TestResult]] = {}
    for test in result.tests:
        if test.outcome in (FAILED, ERROR, TIMEOUT) and test.message != UNREACHED:
            same = (
                (test.message, test.line)
                if test.outcome == ERROR and test.message
                else (_function(test), test.concept)
            )
            groups.setdefault(same, []).append(test)
    return [Finding(tests[0], tuple(tests)) for tests in groups.values()]


def told(
    task: Task, finding: Finding, source: str, *, says: bool = False, name: str = ""
) -> list[str]:
    """A finding at length: what was expected, what came, why, and where to look.

    Args:
        says: tell what the test says of itself too.
        name: what to call the finding instead of by its tests.
    """
    test = finding.first
    sign = screen.paint(SIGNS[test.outcome], STYLES[test.outcome])
    lines = [f"{sign} {screen.paint(name or _titles(finding.tests), 'bold')}"]
    if says and test.says and len(finding.tests) == 1:
        lines += screen.wrapped(test.says, indent="    ")
    facts = [
        ("concept", test.concept if test.outcome == FAILED else ""),
        ("error", _error(test)),
        ("expected", test.expected),
        ("got", test.got),
        ("differs", test.where),
        ("why", test.why),
    ]
    for label, text in facts:
        if text:
            head = f"    {screen.paint(f'{label:<9}', 'dim')} "
            rows = screen.wrapped(screen.printable(text), indent=" " * 14, first=" " * 14)
            lines += [head + rows[0].lstrip(), *rows[1:]]
    for pattern, tip in TIPS.items():
        match = re.search(pattern, test.message)
        if match:
            lines += screen.wrapped(match.expand(tip), indent=" " * 14)
            break
    return [*lines, *_where(task, test, source)]


def flag_lines(result: Result) -> Iterator[str]:
    for flag in result.flags:
        yield f"Noted: {FLAGS[flag].says}."


def _function(test: TestResult) -> str:
    """A test without its case."""
    return test.test.partition("[")[0]


def _titles(tests: Sequence[TestResult]) -> str:
    first, others = tests[0], len(tests) - 1
    if others and len({_function(test) for test in tests}) == 1:
        return f"{title(first).partition('[')[0]}, {len(tests)} cases"
    return f"{title(first)} and {others} more" if others else title(first)


def _error(test: TestResult) -> str:
    """What stopped a test, in words where Python has none."""
    if test.outcome == TIMEOUT:
        return "no end in time: does a loop go on, or are there many more steps than needed?"
    if test.outcome == ERROR and not test.message:
        return "the process ended here: a check goes on after your code, so leave out any exit"
    return test.message.removesuffix(":")


def _where(task: Task, test: TestResult, source: str) -> list[str]:
    """The line that the failure went through, or else the functions that the test calls."""
    there = screen.place(task.file)
    label = f"    {screen.paint('look at', 'dim')}   "
    if test.line is not None:
        rows = source.splitlines()
        text = rows[test.line - 1].strip() if test.line <= len(rows) else ""
        code = [" " * 14 + screen.cut(text, screen.width() - 14)] if text else []
        return [f"{label}{there}:{test.line}", *code]
    lines = places.defined(source)
    if "module 'task' has no" in test.message:
        return [f"{label}{there}"]
    names = places.called(task.folder / f"{test.test.partition('::')[0]}.py", test.name)
    known = [(lines[name], name) for name in names if name in lines]
    if not known:
        return [f"{label}{there}"]
    more = ", ".join(f"{name} in line {line}" for line, name in known[1:])
    also = screen.wrapped(f"and {more}", indent=" " * 14) if more else []
    return [f"{label}{there}:{known[0][0]} {known[0][1]}", *also]
