"""Shows that the tests of a task are good: solutions pass, stubs fail, and mutants are caught.

A mutant is a solution with one bug that students make. The public tests have to catch it, and the message
has to name the concept that the bug contradicts.
"""

import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from tasks.labs import regions, runner
from tasks.labs.catalog import Task
from tasks.labs.runner import NOT_STARTED, PASSED, Result, TestResult

TABLE = Path("tasks/MUTATION.md")


@dataclass(frozen=True)
class Mutant:
    """A bug: `find` in the solution becomes `replace`; `test` should fail with `concept`."""

    name: str
    concept: str
    test: str
    find: str
    replace: str


@dataclass(frozen=True)
class Verdict:
    """What the public tests said of a mutant. `intended`: the named test failed with the named concept."""

    mutant: Mutant
    killed: bool
    intended: bool
    told: str


def mutants(task: Task) -> tuple[Mutant, ...]:
    """The mutants of a task.

    Raises:
        LabError: a mutant that does not change the solution at exactly one place, or is not Python then.
    """
    stated = tomllib.loads((task.folder / "mutants.toml").read_text())["mutant"]
    found = tuple(Mutant(**one) for one in stated)
    for mutant in found:
        mutated(task, mutant)
    return found


def mutated(task: Task, mutant: Mutant) -> str:
    source = task.source.read_text()
    times = source.count(mutant.find)
    if times != 1 or mutant.find == mutant.replace:
        raise LabError(f"{task.id}, mutant {mutant.name!r}: `find` stands {times} times in task.py")
    text = source.replace(mutant.find, mutant.replace)
    try:
        compile(text, "task.py", "exec")
    except SyntaxError as error:
        raise LabError(f"{task.id}, mutant {mutant.name!r} is not Python: {error}") from error
    return text


@contextmanager
def written(text: str) -> Iterator[Path]:
    """The text as a `task.py` in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="labs-") as folder:
        file = Path(folder) / "task.py"
        file.write_text(text)
        yield file


def on_solution(task: Task, *, seed: int = 0, order: int | None = None) -> Result:
    """All tests, hidden ones too, on the solution."""
    return runner.run(task, task.source, hidden=True, seed=seed, order=order)


def on_stub(task: Task) -> Result:
    """All tests, hidden ones too, on the stub."""
    with written(regions.stub(task.source.read_text(), task.id)) as file:
        return runner.run(task, file, hidden=True)


def judge(task: Task, mutant: Mutant) -> Verdict:
    """The public tests on a mutant: first the one that should catch it, then if need be all."""
    with written(mutated(task, mutant)) as file:
        first = runner.run(task, file, only=(mutant.test,))
        for test in first.tests:
            if test.concept == mutant.concept:
                return Verdict(mutant, killed=True, intended=True, told=test.concept)
        result = runner.run(task, file)
    told = sorted({test.concept or test.outcome for test in result.tests if test.outcome != PASSED})
    return Verdict(
        mutant,
        killed=result.outcome != PASSED,
        intended=False,
        told=", ".join(told) or result.outcome,
    )


@dataclass(frozen=True)
class Report:
    """What was found of a task: `faults` as lines of text, and a verdict on each mutant."""

    task: Task
    faults: tuple[str, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def killed(self) -> int:
        return sum(verdict.killed for verdict in self.verdicts)

    @property
    def intended(self) -> int:
        return sum(verdict.intended for verdict in self.verdicts)


def solution_faults(task: Task, *, seeds: tuple[int, ...], orders: int = 2) -> list[str]:
    """How the solution fails its own tests, with each seed in `orders` random orders."""
    found = []
    for seed in seeds:
        for order in range(orders):
            result = on_solution(task, seed=seed, order=1000 * order + seed)
            wrong = [one for one in result.tests if one.outcome != PASSED]
            found += [f"solution, seed {seed}: {told(one)}" for one in wrong]
            if not wrong and (result.outcome != PASSED or result.flags):
                found.append(
                    f"solution, seed {seed}: {result.outcome} {result.message} {result.flags}"
                )
    return found


def stub_faults(task: Task) -> list[str]:
    """Tests that do something else on the stub than to say what is not done."""
    result = on_stub(task)
    wrong = [one for one in result.tests if one.outcome != NOT_STARTED]
    found = [f"stub: {told(one)}" for one in wrong]
    if not wrong and (result.outcome != NOT_STARTED or result.flags):
        found.append(f"stub: {result.outcome} {result.message} {result.flags}")
    return found


def told(one: TestResult) -> str:
    """A test's outcome in one line."""
    values = f"expected {one.expected}, got {one.got}" if one.expected or one.got else one.message
    return f"{one.test} {one.outcome} [{one.concept}] {values}"


def prove(task: Task) -> Report:
    """All of it: the solution on its seeds, the stub, each mutant."""
    found = [*solution_faults(task, seeds=task.seeds), *stub_faults(task)]
    verdicts = tuple(judge(task, mutant) for mutant in mutants(task))
    for verdict in verdicts:
        name, wanted = verdict.mutant.name, verdict.mutant.concept
        if not verdict.killed:
            found.append(f"mutant survives: {name}")
        elif not verdict.intended:
            found.append(f"mutant {name}: wanted {wanted}, told {verdict.told}")
    return Report(task, tuple(found), verdicts)


def score(report: Report) -> str:
    """The task's line of the first table."""
    counts = f"{len(report.verdicts)} | {report.killed} | {report.intended}"
    return f"| {report.task.id} {report.task.title} | {counts} |"


def rows(report: Report) -> list[str]:
    """The task's lines of the second table."""
    found = []
    for verdict in report.verdicts:
        test = (
            verdict.mutant.test if verdict.intended else "another test" if verdict.killed else "-"
        )
        found.append(
            f"| {report.task.id} | {verdict.mutant.name} | {test} | {verdict.told or '-'} |"
        )
    return found


def table(reports: list[Report]) -> str:
    """The text of MUTATION.md."""
    total = sum(len(report.verdicts) for report in reports)
    killed = sum(report.killed for report in reports)
    intended = sum(report.intended for report in reports)
    lines = [
        "# Mutants",
        "",
        "A mutant is a solution with one bug that students make. `labs prove --write` writes this table: it",
        "runs the public tests of each task on each of its mutants, and a slow test finds the same anew.",
        "*Caught*: at least one test does not pass. *As meant*: the named test fails and names the concept.",
        "",
        f"{killed} of {total} are caught ({killed / total:.1%}), {intended} of these as meant "
        f"({intended / max(killed, 1):.1%}).",
        "",
        "| task | mutants | caught | as meant |",
        "|---|---|---|---|",
    ]
    lines += [score(report) for report in reports]
    lines += ["", "| task | mutant | caught by | told |", "|---|---|---|---|"]
    lines += [row for report in reports for row in rows(report)]
    return "\n".join(lines) + "\n"
