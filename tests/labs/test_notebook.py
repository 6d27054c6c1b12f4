"""The notebook of a week: made from its sheets, runs without network, ends in claims that mean something."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

from lab.errors import LabError
from tasks.labs import catalog, cli, notebook, proof
from tasks.labs.live import Bench

WEEKS = [week for week in catalog.weeks(ROOT) if (week.folder / "notebook.md").is_file()]
# The first cell of a run in a test: whatever asks for another machine is refused.
SHUT = """import sys

def shut(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise PermissionError(f"the notebook asks for the network: {arguments}")

sys.addaudithook(shut)"""
SECONDS = "import time\n\nprint(time.process_time())"


def short(task: catalog.Task) -> str:
    return task.id.partition(".")[2]


def claims(week: catalog.Week) -> dict[str, list[str]]:
    """The claims of notebook.md by task, for the tasks that the week has."""
    parts = notebook.sections((week.folder / "notebook.md").read_text())
    names = [short(task) for task in week.tasks]
    return {name: parts[name].claims for name in names if name in parts and parts[name].claims}


CLAIMED = [pytest.param(week, name, id=name) for week in WEEKS for name in claims(week)]


def code(week: catalog.Week, *, figures: bool = True) -> dict[str, str]:
    cells = notebook.build(week).cells
    found = {cell.id: cell.source for cell in cells if cell.cell_type == "code"}
    return {name: text for name, text in found.items() if figures or "-figure" not in name}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., catalog.Week]:
    """A copy of a week in a repository of its own, which is the current one; stubs make it a release."""

    def copy(week: catalog.Week, *, stubs: bool = False) -> catalog.Week:
        folder = tmp_path / "tasks" / week.folder.name
        shutil.copytree(week.folder, folder, ignore=shutil.ignore_patterns("*.png", "__pycache__"))
        (tmp_path / "notebooks").mkdir()
        if stubs:
            for task in week.tasks:
                (folder / task.folder.name / "task.py").write_text(task.stub())
            (tmp_path / "tasks" / "MANIFEST.json").write_text("{}")
        monkeypatch.chdir(tmp_path / "notebooks")
        return catalog.weeks(tmp_path)[0]

    return copy


def show(value: Any) -> None:
    if hasattr(value, "_repr_png_"):
        assert value._repr_png_().startswith(b"\x89PNG")


def hide(value: Any) -> None:
    pass


def run(
    cells: list[str], display: Callable[[Any], None] = show, names: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Runs cells in this process as Jupyter would, with these names defined before; the names after."""
    names = {"__name__": "__main__", **(names or {}), "display": display}
    for text in cells:
        *rows, last = ast.parse(text).body
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(rows, []), "cell", "exec"), names)
            display(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
        else:
            exec(compile(text, "cell", "exec"), names)
    return names


@pytest.mark.parametrize("week", WEEKS, ids=lambda week: week.folder.name)
class TestNotebook:
    def test_committed_one_is_the_generated_one(self, week: catalog.Week) -> None:
        assert notebook.path(week).read_text() == notebook.text(week), (
            f"run `labs notebook --week {week.number}`"
        )

    def test_is_valid_and_the_same_each_time(self, week: catalog.Week) -> None:
        made = notebook.build(week)
        nbformat.validate(made)
        assert notebook.text(week) == notebook.text(week)
        names = [cell.id for cell in made.cells]
        assert len(set(names)) == len(names)
        assert all(not cell.get("outputs") for cell in made.cells)
        headings = [name for name in names if name in {short(task) for task in week.tasks}]
        assert headings == sorted(short(task) for task in week.tasks)
        assert names[-1] == "claims"

    def test_make_format_leaves_it_alone(self, week: catalog.Week, tmp_path: Path) -> None:
        line = next(
            row for row in (ROOT / "Makefile").read_text().splitlines() if "nbstripout" in row
        )
        options = line.partition("nbstripout")[2].split()[:-2]
        copied = Path(shutil.copy(notebook.path(week), tmp_path))
        subprocess.run([sys.executable, "-m", "nbstripout", *options, str(copied)], check=True)
        assert copied.read_text() == notebook.path(week).read_text()

    @pytest.mark.slow
    def test_runs_without_network_in_time(self, week: catalog.Week) -> None:
        made = notebook.build(week)
        made.cells = [
            nbformat.v4.new_code_cell(SHUT),
            *made.cells,
            nbformat.v4.new_code_cell(SECONDS),
        ]
        where = {"metadata": {"path": str(notebook.path(week).parent)}}
        NotebookClient(made, timeout=300, kernel_name="python3", resources=where).execute()
        said = "".join(output.text for output in made.cells[-2].outputs)
        assert said.endswith("claims hold, 0 wait for their tasks.\n")
        assert said.startswith(f"{sum(map(len, claims(week).values()))} claims")
        assert float(made.cells[-1].outputs[0].text) < 45
        images = [
            output
            for cell in made.cells
            for output in cell.get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        assert len(images) >= len(
            [task for task in week.tasks if (task.folder / "plot.py").exists()]
        )

    def test_release_with_nothing_done_runs_to_its_end(
        self,
        week: catalog.Week,
        tree: Callable[..., catalog.Week],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        run(list(code(tree(week, stubs=True)).values()))
        said = capsys.readouterr().out
        wanted = claims(week)
        count = sum(map(len, wanted.values()))
        assert f"\n0 claims hold, {count} wait for their tasks.\n" in said
        assert all(f"\n  {name}: " in said for name in wanted)
        for task in week.tasks:
            assert f"not started: {task.id}" in said

    def test_release_with_one_task_done_checks_that_one(
        self,
        week: catalog.Week,
        tree: Callable[..., catalog.Week],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        release = tree(week, stubs=True)
        task = next(task for task in week.tasks if short(task) in claims(week))
        shutil.copy(task.source, release.folder / task.folder.name / "task.py")
        run(list(code(release, figures=False).values()))
        held = len(claims(week)[short(task)])
        assert f"\n{held} claims hold, " in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("week, name", CLAIMED)
def test_wrong_functions_fail_the_last_cell(
    week: catalog.Week, name: str, tree: Callable[..., catalog.Week]
) -> None:
    copied = tree(week)
    task = next(task for task in copied.tasks if short(task) == name)
    cells = code(copied, figures=False)
    start = run([text for key, text in cells.items() if key.startswith("part")], hide)
    own = [text for key, text in cells.items() if key.startswith(f"{name}-")]
    right, checked = task.source.read_text(), [*own, *claims(week)[name]]
    run(checked, hide, start)
    for mutant in proof.mutants(task):
        task.source.write_text(right)
        task.source.write_text(proof.mutated(task, mutant))
        try:
            run(checked, hide, start)
        except AssertionError as error:
            assert f"{name} should show: " in error.__notes__[0]
            return
        except Exception:
            continue
    pytest.fail(f"no mutant of {name} contradicts what the notebook claims of it")


def test_parts_of_notebook_md() -> None:
    source = "Hello\n\n```python\na = 1\n```\n\n## Data\ntext\n\n## t02\n```python claim\nassert a\n```\n"
    parts = notebook.sections(source)
    assert list(parts) == ["", "Data", "t02"]
    assert parts[""].cells == [("markdown", "Hello"), ("code", "a = 1")]
    assert parts["Data"].cells == [("markdown", "## Data\ntext")]
    assert (parts["t02"].cells, parts["t02"].claims) == ([], ["assert a"])


@pytest.mark.parametrize("source", ["```python\na = 1\n", "```bash\nls\n```\n"])
def test_wrong_blocks_are_named(source: str) -> None:
    with pytest.raises(LabError, match="notebook.md: "):
        notebook.sections(source)


def a_release(folder: Path, task: str) -> Bench:
    """A release of one task with the given file."""
    week = folder / "tasks" / "week01_few"
    (week / "t01_one").mkdir(parents=True)
    (folder / "tasks" / "MANIFEST.json").write_text("{}")
    (week / "week.toml").write_text('title = "Few"\nlecture = ""\nobjectives = []\n')
    stated = {"id": "w01.t01", "title": "One", "topic": "a", "data": "generated"}
    rows = [f"{key} = {json.dumps(value)}" for key, value in stated.items()]
    numbers = ["minutes = 1", "difficulty = 1", "points = 1", "budget = 20", "sources = []"]
    (week / "t01_one" / "task.toml").write_text("\n".join([*rows, *numbers]))
    (week / "t01_one" / "task.py").write_text(task)
    (week / "t01_one" / "README.md").write_text("# One\n\nAn idea.\n\nMore.\n")
    return Bench(1, folder)


@pytest.mark.parametrize(
    "task, told",
    [
        ("def one():\n    return 1 / 0\n", "t01 ended in ZeroDivisionError: division by zero"),
        ("def one(:\n", "not started: SyntaxError: "),
        ("x = 1\n", "t01 ended in AttributeError: "),
    ],
)
def test_broken_file_of_a_student_stops_its_cell_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, told: str
) -> None:
    bench = a_release(tmp_path, task)
    with bench.use("t01") as t01:
        made = t01.one()
    with bench.claim("t01", "one is one"):
        assert made == 1
    bench.report()
    said = capsys.readouterr().out
    assert said.startswith(told)
    assert "0 claims hold, 1 wait for their tasks.\n  t01: one is one\n" in said


def test_wrong_result_of_a_student_fails_and_counts_no_longer(tmp_path: Path) -> None:
    bench = a_release(tmp_path, "def one():\n    return 2\n")
    with pytest.raises(AssertionError) as caught, bench.claim("t01", "one is one") as t01:
        assert t01.one() == 1
    assert caught.value.__notes__ == ["t01 should show: one is one"]
    with pytest.raises(NameError), bench.claim("t01", "one is one"):
        raise NameError("a slip in the notebook itself")
    assert bench.claims == {}


def test_command_writes_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    week = a_release(tmp_path, "x = 1\n").root / "tasks" / "week01_few"
    monkeypatch.chdir(tmp_path)
    assert cli.main(["notebook", "--week", "1"]) == 2
    assert "notebook.md" in capsys.readouterr().err
    (week / "notebook.md").write_text("Hello\n\n## t01\nSeen.\n\n## t02\nUnseen.\n")
    assert cli.main(["notebook", "--week", "1"]) == 0
    made = nbformat.read(tmp_path / "notebooks" / "week01_few.ipynb", 4)
    said = "\n".join(cell.source for cell in made.cells)
    assert "## t01. One\n\nAn idea." in said and "More." not in said
    assert "Seen." in said and "Unseen." not in said
    assert cli.main(["notebook", "--week", "3"]) == 2
    assert capsys.readouterr().err == "labs: no week 3; there are: 1\n"
