"""What a student types, apart from checks: next, hint, reset, list, status, explain, solution, plot."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import small_repository as small
from small_repository import Labs

from tasks.labs import cli, runner, sealing, student_file
from tasks.labs.catalog import Task
from tasks.labs.runner import ERROR, FAILED, NOT_STARTED, PASSED, Result, TestResult
from tasks.labs.state import State

PLOT = """
import numpy as np

class Figure:
    def savefig(self, path, **options):
        open(path, "w").write(str(self.weights))

def draw(impl):
    figure = Figure()
    figure.weights = impl.fit_closed_form(np.array([[0.0], [1.0]]), np.array([0.0, 2.0])).round(6) + 0.0
    return figure
"""
FIGURE = Path(".labs/figures/w01.t11.png")


@pytest.fixture(params=["source", "release"])
def labs(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Labs:
    """A repository of either kind, with t11 alone."""
    return Labs(tmp_path, getattr(small, request.param)(tmp_path), capsys)


@pytest.fixture
def clone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Labs:
    """A clone of the source."""
    return Labs(tmp_path, small.source(tmp_path), capsys)


def mark(root: Path, **tasks: str) -> None:
    """Sets a field of the progress of tasks: passed or gave_up."""
    state = State.load(root)
    for name, field in tasks.items():
        setattr(state.of(f"w01.{name}"), field, "2026-01-01T00:00:00+00:00")
        if field == "passed":
            state.of(f"w01.{name}").outcome = PASSED
    state.save()


def note(root: Path, *tests: TestResult, outcome: str = FAILED) -> None:
    """Records a check of t11."""
    state = State.load(root)
    state.of("w01.t11").note(Result("w01.t11", outcome, tests, 1.0))
    state.save()


def test_help_begins_with_next(clone: Labs) -> None:
    said = clone()
    assert said.code == 0 and "Begin with `labs next`" in said.out
    assert {"next", "check", "watch", "hint", "reset", "list"} <= cli.commands().keys()
    for name in cli.commands():
        assert clone(name, "--help").code == 0
    assert clone("chekc").err == "labs: no command 'chekc'; nearest: check\n"
    assert clone("list", "--long").code == 2


def test_next_tells_all_and_makes_the_file(labs: Labs) -> None:
    said = labs("next")
    assert said.code == 0, said.err
    assert "raise NotDone(" in labs.file.read_text()
    there = labs.file.relative_to(labs.root)
    for part in (
        "w01.t11 Linear regression by squared error",
        "25 minutes, difficulty 2 of 5, 10 points",
        f"write  {there}",
        f"read   tasks/{small.T11}/README.md",
        "What to write, in task.py",
        "- `mse`, `mse_grad`",
        "labs check ",
        "labs watch ",
        "labs hint ",
    ):
        assert part in said.out
    assert State.load(labs.root).of("w01.t11").opened


def test_next_leaves_the_students_file_alone(labs: Labs) -> None:
    labs("next")
    labs.write("mine = 1\n")
    said = labs("next")
    assert said.code == 0 and "made for you" not in said.out
    assert labs.file.read_text() == "mine = 1\n"


def test_next_goes_by_id_past_what_is_passed_given_up_or_waits(clone: Labs) -> None:
    for number, deps in ((12, ()), (1, ()), (2, ("w01.t11",)), (3, ())):
        small.add(clone.root, number, deps=deps)
    found = []
    for name, field in (
        ("t01", "passed"),
        ("t03", "gave_up"),
        ("t11", "gave_up"),
        ("t02", "passed"),
        ("t12", "passed"),
    ):
        found.append(clone("next").out.split("\n")[2].split()[0])
        mark(clone.root, **{name: field})
    assert found == ["w01.t01", "w01.t03", "w01.t11", "w01.t02", "w01.t12"]
    said = clone("next")
    assert said.code == 0 and "No task is open any more; given up: w01.t03, w01.t11" in said.out
    mark(clone.root, t03="passed", t11="passed")
    assert clone("next").out == "All tasks are passed. Well done!\n"
    assert "no task is open any more" in clone("check").err


def test_next_makes_the_file_of_a_task_that_is_named(clone: Labs) -> None:
    other = small.add(clone.root, 1)
    assert clone("next", "t11").code == 0
    assert clone.file.is_file() and not other.exists()
    assert "nearest: w01.t11" in clone("next", "t112").err


def test_hints_go_up_by_one_and_are_recorded(labs: Labs) -> None:
    assert "Hint 1 of 3" in labs("hint").out
    assert "a mean of squares" in labs("hint", "1").out
    assert "Hint 2 of 3" in labs("hint", "t11").out
    assert State.load(labs.root).of("w01.t11").hints == [1, 2]
    assert "Hint 3 of 3" in labs("hint", "--task", "t11").out
    said = labs("hint")
    assert "Hint 3 of 3" in said.out and "the last one" in said.out
    assert State.load(labs.root).of("w01.t11").hints == [1, 2, 3]


def test_a_hint_above_is_refused_once(clone: Labs) -> None:
    said = clone("hint", "3")
    assert said.code == 1 and "hint 1, which you have not seen" in said.out
    assert State.load(clone.root).of("w01.t11").hints == []
    assert clone("hint", "2").code == 1
    assert clone("hint", "3").code == 1
    assert "Hint 3 of 3" in clone("hint", "3").out
    assert State.load(clone.root).of("w01.t11").hints == [3]
    assert "Hint 1 of 3" in clone("hint").out


@pytest.mark.parametrize("word", ["0", "4"])
def test_there_is_no_such_hint(clone: Labs, word: str) -> None:
    said = clone("hint", word)
    assert said.code == 2 and "hint" in said.err and not said.out
    assert clone("hint", "two", "--task", "t11").code == 2


def test_reset_keeps_what_was_there(labs: Labs) -> None:
    labs("next")
    stub = labs.file.read_text()
    assert "nothing of yours" in labs("reset", "t11").out
    names = []
    for text in ("mine = 1\n", "mine = 2\n"):
        labs.write(text)
        said = labs("reset", "t11")
        names.append(Path(said.out.split()[-1]))
        assert (said.code, names[-1].read_text(), labs.file.read_text()) == (0, text, stub)
    assert names[0].parent == Path(".labs/kept") and names[0] != names[1]
    assert names[0].name.startswith("w01.t11-")
    labs.file.write_bytes(b"\xff\xfe")
    assert Path(labs("reset", "t11").out.split()[-1]).read_bytes() == b"\xff\xfe"
    labs.file.unlink()
    assert labs("reset", "t11").code == 0 and labs.file.read_text() == stub


def test_reset_forgets_the_outcome_but_not_the_pass(clone: Labs) -> None:
    mark(clone.root, t11="passed")
    clone("reset", "t11")
    progress = State.load(clone.root).of("w01.t11")
    assert (progress.outcome, bool(progress.passed)) == (NOT_STARTED, True)
    assert "passed before, now not started" in clone("list").out


def test_list_and_status_count(clone: Labs) -> None:
    for number in (1, 2, 3, 4):
        small.add(clone.root, number)
    assert "> is the next" in clone("list").out
    clone("next", "t04")
    clone("hint", "--task", "t02")
    mark(clone.root, t01="passed", t02="gave_up")
    note(clone.root, TestResult("test_task::test_a", FAILED))
    said = clone("list")
    rows = {
        words[0]: line for line in said.out.splitlines() if (words := line.strip("> ✓").split())
    }
    assert rows["w01.t01"].endswith("25           2      10  passed") or "✓" in rows["w01.t01"]
    assert rows["w01.t02"].endswith("given up")
    assert rows["w01.t03"].endswith("10")
    assert rows["w01.t04"].endswith("begun")
    assert ">" in said.out and rows["w01.t11"].endswith("failed")
    said = clone("status")
    assert "1 of 5 tasks, 25 min done, 1 h 40 min left" in said.out
    for line in ("points     10 of 50", "hints      1", "given up   1", "Next: w01.t11"):
        assert line in said.out


def test_status_for_programs(clone: Labs) -> None:
    small.add(clone.root, 1)
    mark(clone.root, t01="passed")
    told = json.loads(clone("status", "--json").out)
    assert (told["schema"], told["next"]) == (1, "w01.t11")
    assert [week["passed"] for week in told["weeks"]] == [1]
    assert [task["outcome"] for task in told["tasks"]] == [PASSED, NOT_STARTED]
    assert told["tasks"][0]["points"] == 10


def test_explain_without_failures_is_the_sheet(labs: Labs) -> None:
    said = labs("explain")
    assert said.code == 0 and "has not been checked yet" in said.out
    assert "Linear regression by squared error" in said.out and "Prince" in said.out
    waits = TestResult("test_task::test_a", NOT_STARTED, message="w01.t11 mse: a float", line=7)
    note(labs.root, waits, outcome=NOT_STARTED)
    said = labs("explain", "t11")
    assert "line 7, mse: a float" in said.out and "Prince" in said.out


def test_explain_tells_failures_at_length(labs: Labs) -> None:
    labs.write(small.solved())
    failed = TestResult(
        "test_task::test_error_of_a_case_by_hand",
        FAILED,
        says="What the test does.",
        concept="some-idea",
        why="Because.",
        expected="1",
        got="2\x1b[2J",
        where="at [0]",
    )
    note(labs.root, failed, TestResult("test_task::test_b", ERROR, message="Boom: it", line=3))
    said = labs("explain")
    place = labs.file.relative_to(labs.root)
    for part in ("error of a case by hand", "What the test does.", "some-idea", "Because.", "Boom"):
        assert part in said.out
    assert f"{place}:14 mse" in said.out and f"{place}:3\n" in said.out
    assert "\x1b" not in said.out
    assert "A line, a plane" in said.out and "Prince" not in said.out
    labs.file.unlink()
    assert labs("explain").code == 0


def test_explain_is_not_put_off_by_what_another_version_kept(clone: Labs) -> None:
    state = State.load(clone.root)
    state.of("w01.t11").last = {"tests": [{"unheard": 1}]}
    state.save()
    assert "has not been checked yet" in clone("explain").out
    assert clone("list").code == 0


def test_solution_opens_by_passing_or_giving_up(clone: Labs) -> None:
    said = clone("solution", "t11")
    assert said.code == 1 and "--give-up" in said.out and "def mse" not in said.out
    assert not State.load(clone.root).of("w01.t11").gave_up
    said = clone("solution", "t11", "--give-up")
    assert said.code == 0 and said.out == small.solved()
    gave_up = State.load(clone.root).of("w01.t11").gave_up
    assert gave_up
    assert clone("solution", "t11").out == small.solved()
    assert clone("solution", "t11", "--give-up").code == 0
    assert State.load(clone.root).of("w01.t11").gave_up == gave_up


def test_passing_is_no_giving_up(clone: Labs) -> None:
    mark(clone.root, t11="passed")
    assert clone("solution", "t11", "--give-up").out == small.solved()
    assert not State.load(clone.root).of("w01.t11").gave_up


def test_giving_up_costs_nothing_where_there_is_no_solution(
    clone: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "solution", lambda task: None)
    said = clone("solution", "t11", "--give-up")
    assert said.code == 1 and "ask your instructor" in said.out
    assert not State.load(clone.root).of("w01.t11").gave_up


def test_plot_draws_with_the_students_functions(labs: Labs) -> None:
    labs("next")
    (labs.root / "tasks" / small.T11 / "plot.py").write_text(PLOT)
    said = labs("plot", "t11")
    assert (said.code, said.out) == (2, "")
    assert "not written yet: fit_closed_form: return" in said.err
    labs.write(small.solved())
    said = labs("plot", "t11")
    assert (said.code, said.out, FIGURE.read_text()) == (0, f"{FIGURE}\n", "[2. 0.]")
    labs.write("def fit_closed_form(X, y):\n    return 1 / 0\n")
    assert "division by zero (line 2 of task.py)" in labs("plot", "t11").err


def test_the_sheets_figure_is_for_authors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released = Labs(tmp_path, small.release(tmp_path), capsys)
    assert "for authors" in released("plot", "t11", "--sheet").err


@pytest.mark.parametrize("command", ["check", "plot", "watch", "next", "reset"])
def test_a_folder_in_place_of_the_file(labs: Labs, command: str) -> None:
    labs.file.unlink(missing_ok=True)
    labs.file.mkdir(parents=True)
    said = labs(command, "t11")
    assert said.code == 2 and "is a folder: move it away" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("command", ["check", "plot"])
def test_a_file_that_is_missing_or_no_text(labs: Labs, command: str) -> None:
    labs.file.unlink(missing_ok=True)
    said = labs(command, "t11")
    assert said.code == 2 and "is not there: `labs next w01.t11` makes it" in said.err
    labs.file.parent.mkdir(parents=True, exist_ok=True)
    labs.file.write_bytes("a\nb = 'ü'".encode("latin-1"))
    said = labs(command, "t11")
    assert said.code == 2 and "line 2: not UTF-8" in said.err


def test_a_file_that_may_not_be_read(clone: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.write("")
    real = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == clone.file:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    said = clone("check", "t11")
    assert said.code == 2 and "cannot be read: Permission denied" in said.err


def test_a_release_that_lost_a_file_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released = Labs(tmp_path, small.release(tmp_path), capsys)
    for name, words in (("stub.py", ("reset", "t11")), ("hints.md", ("hint",))):
        (released.file.parent / name).unlink()
        said = released(*words)
        assert said.code == 2 and f"{name} cannot be read; fetch" in said.err
    assert "raise NotDone" in released.file.read_text()


def test_interrupted_anywhere_without_a_traceback(
    clone: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(task: Task) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(student_file, "read", interrupted)
    said = clone("check", "t11")
    assert (said.code, said.err) == (130, "")


def test_results_come_back_from_what_is_kept() -> None:
    from tasks.labs import findings

    result = Result(
        "w01.t11", FAILED, (TestResult("a::test_b", FAILED, line=1),), 1.0, "", ("network",)
    )
    assert findings.restored(result.plain()) == result
    assert findings.restored(None) is None
    assert tuple(findings.SIGNS) == runner.OUTCOMES
    assert findings.verdict(replace(result, tests=())) == "unfinished"


def test_the_task_last_taken_up_is_in_hand(clone: Labs) -> None:
    for number in (1, 2, 3):
        small.add(clone.root, number)
    assert clone("next").out.count("w01.t01 ")
    assert "w01.t03 " in clone("next", "t03").out
    assert "w01.t03 " in clone("check").out
    clone("next", "t02")
    assert "w01.t03 " in clone("check", "t03").out
    assert "w01.t02 " in clone("next", "t02").out
    assert clone("solution", "t02", "--give-up").code == 0
    assert "w01.t01 " in clone("next").out, "t03 passes as it is"
