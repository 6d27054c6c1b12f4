"""The proof of every task: solutions pass, stubs fail with NotDone only, mutants are caught."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from tasks.labs import catalog, cli, proof, regions
from tasks.labs.catalog import Task

TASKS = catalog.tasks(ROOT)
ids = [task.id for task in TASKS]
each = pytest.mark.parametrize("task", TASKS, ids=ids)
MUTATION = (ROOT / proof.TABLE).read_text()


def test_week_1_has_its_twenty_topics_in_order() -> None:
    assert [task.id for task in TASKS if task.week == 1] == [f"w01.t{n:02d}" for n in range(1, 21)]


@each
def test_solution_passes(task: Task) -> None:
    assert proof.solution_faults(task, seeds=(0,), orders=1) == []


@each
def test_stub_says_in_every_test_what_is_not_done(task: Task) -> None:
    assert proof.stub_faults(task) == []


@each
def test_folder_is_complete(task: Task) -> None:
    names = {path.name for path in task.folder.iterdir() if path.is_file()}
    texts = "README.md hints.md task.toml mutants.toml figure.png"
    assert names == {*texts.split(), "task.py", "test_task.py", "test_hidden.py", "plot.py"}
    sheet = (task.folder / "README.md").read_text()
    assert sheet.startswith(f"# {task.title}\n") and "](figure.png)" in sheet
    assert all(
        part in sheet for part in ("## What to write", "## Read", "$", f"labs check {task.id[4:]}")
    )
    assert len(sheet.splitlines()) <= 70, "a sheet is one page"
    assert re.findall(r"^## (\d)$", (task.folder / "hints.md").read_text(), re.MULTILINE) == [
        "1",
        "2",
        "3",
    ]
    assert task.minutes > 0 and 1 <= task.difficulty <= 5 and task.sources
    assert len(proof.mutants(task)) >= 5


@each
def test_tests_name_a_concept_for_all_they_assert(task: Task) -> None:
    for name in ("test_task.py", "test_hidden.py"):
        text = (task.folder / name).read_text()
        assert not re.search(r"^\s*assert\b", text, re.MULTILINE), name
        assert "import task" not in text and "from task " not in text
        for function in re.findall(r"^def (test_\w+)\(.*?\).*?:\n    (.*)", text, re.MULTILINE):
            assert function[1].startswith('"""'), f"{function[0]} has no line that says what holds"


def test_stubs_are_in_the_repository_s_style(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    # What is imported from here is first party.
    for name in ("tasks", "lab"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "stubs").mkdir()
    for task in TASKS:
        text = regions.stub(task.source.read_text(), task.id)
        (tmp_path / "stubs" / f"{task.folder.name}.py").write_text(text)
        assert "NotDone" in text
    for words in (["check"], ["format", "--check", "--diff"]):
        call = [sys.executable, "-m", "ruff", *words, "--no-cache", str(tmp_path / "stubs")]
        done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_mutation_table_reaches_what_is_asked() -> None:
    scores = re.findall(
        r"^\| (w\d\d\.t\d\d) .*? \| (\d+) \| (\d+) \| (\d+) \|$", MUTATION, re.MULTILINE
    )
    assert [one[0] for one in scores] == ids
    counts = [tuple(map(int, one[1:])) for one in scores]
    total, killed, intended = (sum(column) for column in zip(*counts, strict=True))
    assert killed >= 0.95 * total and intended >= 0.9 * killed
    assert all(caught >= 0.8 * number for number, caught, _ in counts)
    assert f"{killed} of {total} are caught" in MUTATION
    listed = re.findall(r"^\| (w\d\d\.t\d\d) \| (.*?) \| \S", MUTATION, re.MULTILINE)
    assert listed == [(task.id, one.name) for task in TASKS for one in proof.mutants(task)]


@pytest.mark.slow
@each
def test_proof(task: Task) -> None:
    report = proof.prove(task)
    assert report.faults == ()
    assert proof.score(report) in MUTATION.splitlines()
    assert all(row in MUTATION.splitlines() for row in proof.rows(report))


@pytest.mark.slow
def test_a_bad_task_is_found_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    folder = tmp_path / "tasks" / "week01_fundamentals" / "t01_sum"
    folder.mkdir(parents=True)
    (folder.parent / "week.toml").write_text('title = "a"\nlecture = "b"\nobjectives = []\n')
    (folder / "task.toml").write_text(
        'id = "w01.t01"\ntitle = "Sum"\ntopic = "sum"\nminutes = 1\ndifficulty = 1\npoints = 1\nbudget = 20\n'
        'data = "generated"\nsources = ["none"]\nseeds = [0]\n'
    )
    (folder / "task.py").write_text(
        '"""Sums."""\n\n\ndef plus(a: int, b: int) -> int:\n    # >>> solution: return the sum\n'
        "    return a + b\n    # <<< solution\n"
    )
    test = (
        "from tasks.labs import checking\n\n\ndef test_sum(impl):\n"
        '    checking.equal(impl.plus(2, 2), {}, concept="sum", why="add")\n'
    )
    (folder / "test_task.py").write_text(test.format(4))
    (folder / "test_hidden.py").write_text("def test_nothing():\n    pass\n")
    (folder / "mutants.toml").write_text(
        '[[mutant]]\nname = "product"\nconcept = "sum"\ntest = "test_sum"\nfind = "a + b"\n'
        'replace = "a * b"\n'
        '[[mutant]]\nname = "difference"\nconcept = "minus"\ntest = "test_sum"\nfind = "a + b"\n'
        'replace = "a - b"\n'
    )
    monkeypatch.chdir(tmp_path)
    assert cli.main(["prove", "t01"]) == 1
    out = capsys.readouterr().out
    assert "mutant survives: product" in out
    assert "mutant difference: wanted minus, told sum" in out
    assert "test_hidden::test_nothing passed" in out
    (folder / "test_task.py").write_text(test.format(5))
    assert cli.main(["prove", "t01"]) == 1
    assert (
        "solution, seed 0: test_task::test_sum failed [sum] expected 5, got 4"
        in capsys.readouterr().out
    )
    (folder / "mutants.toml").write_text(
        '[[mutant]]\nname = "a"\nconcept = "b"\ntest = "c"\nfind = "x"\nreplace = "y"\n'
    )
    assert cli.main(["prove", "t01"]) == 2
    assert "stands 0 times" in capsys.readouterr().err
