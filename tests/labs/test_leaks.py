"""The search for leaks finds a solution in any kind of file, and nothing where there is none."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import ROOT

from tasks.labs import catalog, leaks, regions

WEEK = "tasks/week01_fundamentals"
T11 = f"{WEEK}/t11_linear_regression"
LINES = "A = with_ones(X)\nreturn float(2 / np.linalg.eigvalsh(2 / len(X) * A.T @ A)[-1])\n"
FOUND = "has a part of the solution of w01.t11"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A source repository with one task, and its release."""
    source, release = tmp_path / "source", tmp_path / "release"
    (source / WEEK).mkdir(parents=True)
    shutil.copy(ROOT / WEEK / "week.toml", source / WEEK)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / T11, source / T11, ignore=ignore)
    shutil.copytree(source, release)
    stub = regions.stub((source / T11 / "task.py").read_text(), "w01.t11")
    for name in ("task.py", "stub.py"):
        (release / T11 / name).write_text(stub)
    for name in ("test_hidden.py", "mutants.toml"):
        (release / T11 / name).unlink()
    return source, release


def planted(pair: tuple[Path, Path], name: str, text: str) -> list[str]:
    """What is found when a text is added to the end of a file of the release."""
    file = pair[1] / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((file.read_text() if file.is_file() else "") + text)
    return leaks.leaks(*pair)


def test_a_good_release_has_no_leaks(pair: tuple[Path, Path]) -> None:
    assert leaks.leaks(*pair) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", f"\n```python\n{LINES}```\n"),
        ("hints.md", "\n    " + LINES.replace("\n", "\n    ")),
        ("test_task.py", "\n# " + LINES.replace("\n", "\n# ") + "\n"),
        ("test_task.py", f"\nTEXT = {LINES!r}\n"),
        ("plot.py", "\n\ndef f(X):\n    " + LINES.replace("\n", "  # a reason\n    ")),
        ("task.toml", f"\n# {LINES.splitlines()[1]}\n"),
        ("stub.py", "\n\ndef f(X):\n    " + LINES.replace("\n", "\n    ")),
        ("other.txt", LINES.replace(" ", "").replace("return", "return ")),
    ],
)
def test_a_planted_solution_is_found_in_any_file(
    pair: tuple[Path, Path], name: str, text: str
) -> None:
    (found,) = planted(pair, f"{T11}/{name}", text)
    assert found.startswith(f"{T11}/{name}: {FOUND}")


def test_a_planted_solution_is_found_in_a_notebook(pair: tuple[Path, Path]) -> None:
    cell = {"cell_type": "code", "source": LINES.splitlines(keepends=True)}
    text = json.dumps({"cells": [cell]})
    (found,) = planted(pair, "notebooks/week01_fundamentals.ipynb", text)
    assert FOUND in found


def test_hidden_tests_and_mutants_are_found_under_any_name(pair: tuple[Path, Path]) -> None:
    for name in ("test_hidden.py", "mutants.toml"):
        shutil.copy(pair[0] / T11 / name, pair[1] / T11 / name)
    shutil.copy(pair[0] / T11 / "mutants.toml", pair[1] / T11 / "notes.toml")
    found = "\n".join(leaks.leaks(*pair))
    assert f"{T11}/test_hidden.py: stays with the teachers" in found
    assert f"{T11}/mutants.toml: stays with the teachers" in found
    assert f"{T11}/notes.toml: is w01.t11's mutants.toml" in found


@pytest.mark.parametrize(
    "line",
    [
        "import importlib",
        "from task import mse",
        "from . import task",
        "from tasks.labs.sealing import solution",
        "from tasks.labs import proof",
        "import tasks.week01_fundamentals.t11_linear_regression.task as reference",
    ],
)
def test_a_test_that_could_reach_a_solution_is_found(pair: tuple[Path, Path], line: str) -> None:
    (found,) = planted(pair, f"{T11}/test_task.py", f"\n{line}\n")
    assert found.startswith(f"{T11}/test_task.py: imports ")


def test_markers_of_a_solution_are_found(pair: tuple[Path, Path]) -> None:
    (found,) = planted(pair, f"{T11}/plot.py", "\n# >>> solution: x\n")
    assert found == f"{T11}/plot.py: has solution markers"


def test_what_everybody_writes_is_no_leak(pair: tuple[Path, Path]) -> None:
    text = (
        "\nX = np.column_stack([X, np.ones(len(X))])\nfor row in table:\n    row.append(len(row))\n"
    )
    assert planted(pair, f"{T11}/README.md", text) == []


def test_every_task_has_runs_that_can_be_looked_for() -> None:
    assert [task.id for task in catalog.tasks(ROOT) if not leaks.runs_of(task)] == []
