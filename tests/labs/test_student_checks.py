"""`labs check`: every outcome, what is shown of it, and what is kept."""

from pathlib import Path
from typing import Any

import pytest
import small_repository as small
from small_repository import Labs

from tasks.labs import catalog, findings, places, runner
from tasks.labs.runner import ERROR, FAILED, NOT_STARTED, PASSED, TIMEOUT, Result, TestResult
from tasks.labs.state import State

ALL = small.TESTS


@pytest.fixture
def labs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Labs:
    """A clone of the source with t11 alone."""
    return Labs(tmp_path, small.source(tmp_path), capsys)


def progress(labs: Labs, task: str = "w01.t11") -> Any:
    return State.load(labs.root).of(task)


def test_right(labs: Labs) -> None:
    small.add(labs.root, 12)
    labs.write(small.solved())
    said = labs("check", "t11")
    assert said.code == 0, said.out
    for part in (
        f"passed, {ALL} of {ALL} tests pass",
        "✓ two steps of descent",
        "1 of 2 tasks, 25 min done, 25 min left",
        "labs solution w01.t11",
        "w01.t12 Linear regression",
    ):
        assert part in said.out
    assert progress(labs).outcome == PASSED and progress(labs).passed
    assert labs("list").out.count("✓ w01.t11") == 1


def test_right_in_a_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labs = Labs(tmp_path, small.release(tmp_path), capsys)
    labs.write(small.solved())
    said = labs("check")
    assert said.code == 0 and "All tasks are passed" in said.out


def test_wrong_in_four_places(labs: Labs) -> None:
    text = small.solved().replace("return 2 / len(y)", "return 1 / len(y)")
    text = text.replace("range(steps)", "range(steps + 1)").replace("** 2)", "** 2) + 1")
    labs.write(text)
    said = labs("check")
    assert said.code == 1
    place = labs.file.relative_to(labs.root)
    for part in (
        "✗ error of a case by hand                      mean-of-squares",
        "✓ residual is orthogonal",
        "concept   gradient-scale",
        "expected  5",
        "got       6",
        "at [0]; 4 of 4 differ",
        "no root, no half, no sum.",
        f"{place}:19 mse_grad",
        "and mse in line 14",
        "2 more failures",
    ):
        assert part in said.out, said.out
    assert "maximum-likelihood\n    expected" not in said.out
    assert progress(labs).outcome == FAILED and not progress(labs).passed
    said = labs("explain")
    assert "Exactly `steps` steps, from zeros." in said.out


def test_nothing_written(labs: Labs) -> None:
    labs("next")
    said = labs("check", "--verbose")
    assert said.code == 1 and f"not started, 0 of {ALL} tests pass" in said.out
    assert said.out.count("mse: return the mean squared error, a float") == 1
    assert "The gradient against central differences of your own mse." in said.out
    assert "Noted" not in said.out and "Nothing is wrong" not in said.out
    assert progress(labs).outcome == NOT_STARTED


def test_half_written(labs: Labs) -> None:
    labs("next")
    stub = labs.file.read_text()
    call = '    raise NotDone("w01.t11 mse: return the mean squared error, a float")\n'
    assert call in stub
    labs.write(stub.replace(call, "    return float(np.mean((with_ones(X) @ w - y) ** 2))\n"))
    said = labs("check")
    assert said.code == 1 and f"unfinished, 1 of {ALL} tests pass" in said.out
    assert "Nothing is wrong so far. Not written yet" in said.out
    parts = [row for row in said.out.splitlines() if row.startswith("  · line")]
    assert [row.split()[3] for row in parts] == [
        "mse_grad:",
        "fit_closed_form:",
        "max_lr:",
        "fit_gd:",
        "noise_variance:",
    ]
    assert labs("list").out.splitlines()[3].endswith("unfinished")


def test_not_python(labs: Labs) -> None:
    labs.write(small.solved().replace("return w\n", "return w)\n"))
    said = labs("check")
    assert said.code == 1 and f"error, 0 of {ALL} tests pass" in said.out
    assert said.out.count("SyntaxError: unmatched ')'") == 1 and f"all {ALL} tests" in said.out
    assert "task.py:47\n              return w)\n" in said.out
    assert progress(labs).outcome == ERROR


def test_no_end(labs: Labs) -> None:
    file = small.add(labs.root, 1, test="impl.one()")
    file.parent.mkdir(parents=True)
    file.write_text("def one():\n    while True:\n        pass\n")
    said = labs("check", "t01")
    assert said.code == 1 and "timeout" in said.out
    assert "no end after 1 s, in test_one" in said.out and "does a loop go on" in said.out
    assert progress(labs, "w01.t01").outcome == TIMEOUT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import os\n\n\ndef one():\n    os._exit(0)\n", "leave out any exit"),
        ("raise SystemExit\n", "RuntimeError: SystemExit while the file is imported"),
        ("def two():\n    return 1\n", "Your file has no `one`"),
        ("def one(x):\n    return 1\n", "differ from those of the stub"),
        ("def one():\n    return one()\n", "calls itself without an end"),
        (
            "from tasks.labs import checking\n\nchecking.that = None\n\n\ndef one():\n    return 1\n",
            "Noted: the file changed what tests assert with, or pytest.",
        ),
    ],
    ids=["exit", "exit at import", "renamed", "arguments", "recursion", "meddles"],
)
def test_other_ends(labs: Labs, text: str, told: str) -> None:
    file = small.add(labs.root, 1, test="impl.one()")
    file.parent.mkdir(parents=True)
    file.write_text(text)
    said = labs("check", "t01")
    assert said.code == 1 and told in said.out, said.out
    assert not progress(labs, "w01.t01").passed


def test_seed_reaches_the_tests(labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def noted(task: catalog.Task, file: Path, *, seed: int) -> Result:
        seeds.append(seed)
        return Result(task.id, ERROR, (), 0.0, message="the tests cannot be read")

    monkeypatch.setattr(runner, "run", noted)
    labs.write("")
    assert "the tests cannot be read" in labs("check", "--seed", "7").out
    labs("check")
    assert seeds == [7, 0]
    assert labs("check", "--seed", "x").code == 2


def test_all_and_a_report(labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    small.answers(monkeypatch)
    for number in (1, 2):
        file = small.add(labs.root, number)
        file.parent.mkdir(parents=True)
        file.write_text("right")
    said = labs("check", "--all", "--report", "out")
    assert said.code == 1 and "Report: out" in said.out
    assert said.out.count("passed, 1 of 1 tests pass") == 2
    assert "2 of 3 tasks" in said.out
    names = {path.name for path in Path("out").iterdir()}
    assert {"report.json", "report.md", "junit.xml"} <= names
    text = Path("out", "report.md").read_text()
    assert "all tasks" in text and all(one in text for one in (PASSED, NOT_STARTED, "w01.t02"))
    assert "not both" in labs("check", "t01", "--all").err
    labs.write("right")
    assert labs("check", "--all").code == 0
    labs("check", "t01", "--report", "out")
    assert "w01.t01 Linear regression by squared error" in Path("out", "report.md").read_text()


def test_line_beyond_the_file_and_long_code() -> None:
    """The file may have been changed since the check."""
    task = next(one for one in catalog.tasks(small.HOME) if one.id == "w01.t11")
    test = TestResult("test_task::test_a", ERROR, message="E: x", line=9)
    lines = findings.told(task, findings.Finding(test, (test,)), "a\n")
    assert lines[-1].endswith("task.py:9")


def test_places_are_those_that_a_test_calls(tmp_path: Path) -> None:
    tests = tmp_path / "test_task.py"
    tests.write_text(
        "def made(impl):\n    return impl.c()\n\n\ndef help(impl):\n    return impl.d(), help\n\n\n"
        "def test_a(impl, made):\n    x = impl.a()\n    checking.close(impl.b(x), 1)\n    help(impl)\n"
    )
    assert places.called(tests, "test_a[1-2]") == ["b", "a", "c", "d"]
    assert places.called(tests, "test_missing") == []
    assert places.called(tmp_path / "none.py", "test_a") == []
    assert places.defined("x = 1\n\ndef a(): pass\nclass B: pass\n") == {"a": 3, "B": 4}
    assert places.defined("def") == {}


def test_without_pytest_the_way_out_is_told(labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    labs("next")
    monkeypatch.setattr(runner, "find_spec", lambda name: None)
    said = labs("check")
    assert said.code == 2 and "`make setup`" in said.err
