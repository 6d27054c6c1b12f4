"""Releases of this repository: what is in them, that they work on their own, and that nothing leaks."""

import ast
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from lab.errors import LabError
from tasks.labs import catalog, cli, regions, release, sealing
from tasks.labs.catalog import Task

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="releases are made of what git tracks"
)
# A new name of each week.
NEW = {2: "ResNet", 3: "LineCTC", 4: "Transformer", 6: "DigitParagraphs"}
MADE = (1, 2, 3, 4, 6)
EACH = pytest.mark.parametrize(
    "week", [1, *(pytest.param(week, marks=pytest.mark.slow) for week in (2, 4, 6)), 3]
)
TASKS = catalog.tasks(ROOT)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The release of a week, made once."""
    folders: dict[int, Path] = {}

    def make(week: int) -> Path:
        if week not in folders:
            folders[week] = tmp_path_factory.mktemp("releases") / f"week{week}"
            release.release(ROOT, folders[week], week=week)
        return folders[week]

    return make


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def call(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A module or script of a release, without any settings of the user."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LD_LIBRARY_PATH")}
    env = {**kept, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "HOME": "", **more}
    call = [sys.executable, *words]
    return subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True)


def test_the_same_files_give_the_same_bytes(
    made: Callable[[int], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    os.chdir(ROOT)
    assert cli.main(["release", "--week", "3", "--out", str(out)]) == 0
    assert f"{len(tree(out))} files, week 3" in capsys.readouterr().out
    assert tree(out) == tree(made(3))
    assert os.access(out / ".ci" / "run", os.X_OK) and not os.access(out / "README.md", os.X_OK)
    assert [path.name for path in out.parent.iterdir()] == ["out"], "nothing else is left there"
    assert cli.main(["release", "--week", "3", "--out", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_the_manifest_knows_every_file(made: Callable[[int], Path]) -> None:
    files = tree(made(3))
    facts = json.loads(files.pop(release.MANIFEST))
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert facts == {"schema": 1, "seed": 0, "version": "0.1.0", "week": 3, "files": sums}
    assert list(facts["files"]) == sorted(sums)
    assert not catalog.is_source(made(3)) and catalog.is_source(ROOT)


@pytest.mark.parametrize("task", TASKS, ids=[task.id for task in TASKS])
def test_stub_and_sealed_solution_give_the_source_again(
    made: Callable[[int], Path], task: Task
) -> None:
    root, source = made(task.week), task.source.read_text()
    (there,) = [one for one in catalog.tasks(root) if one.id == task.id]
    stub = there.source.read_text()
    assert stub == there.stub() == regions.stub(source, task.id) and there.file == there.source
    assert regions.splice(stub, source, task.id) == source
    solution = sealing.solution(there)
    assert solution == sealing.solution(task)
    assert solution is not None and not regions.LIKE.search(solution)
    assert "NotDone" not in solution and regions.PROMPT not in solution
    compile(solution, "task.py", "exec")
    sealed = (there.folder / sealing.NAME).read_text()
    assert sealed.startswith("Sealed, not encrypted")
    names = {path.name for path in there.folder.iterdir()}
    assert {"README.md", "hints.md", "test_task.py", "plot.py", "figure.png"} <= names
    assert not {"test_hidden.py", "mutants.toml", "MUTATION.md"} & names


def test_solutions_can_stay_at_home_and_a_damaged_one_is_told(
    made: Callable[[int], Path], tmp_path: Path
) -> None:
    names = list(release.tracked(ROOT))
    files = release.contents(ROOT, names, week=1, solutions=False)
    assert not [name for name in files if name.endswith(sealing.NAME)]
    (folder,) = {path.parent for path in made(1).glob("tasks/*/t11*/task.py")}
    for broken in ("no text of base 64", base64.b64encode(b"none").decode()):
        with pytest.raises(LabError, match="solution.sealed is damaged"):
            sealing.unseal(broken, str(folder / sealing.NAME))


@EACH
def test_a_week_has_its_names_and_no_later_ones(made: Callable[[int], Path], week: int) -> None:
    root = made(week)
    helped = call(root, "training/run_experiment.py", "--help")
    assert helped.returncode == 0, helped.stderr
    for text in (helped.stdout, (root / "README.md").read_text()):
        for first, name in NEW.items():
            assert bool(re.search(rf"\b{name}\b", text)) == (first <= week), name
    texts = {name: text.decode() for name, text in tree(root).items() if not name.endswith("png")}
    assert not [name for name, text in texts.items() if re.search(r"(#|<!--) .*from week \d", text)]
    shown = "\n".join(text for name, text in texts.items() if name.endswith(".md"))
    images = [path.name for path in (root / ".github" / "images").iterdir()]
    assert all(name in shown for name in images) and ("attention.png" in images) == (week > 3)


@EACH
def test_what_is_imported_is_there(made: Callable[[int], Path], week: int) -> None:
    root = made(week)
    trees = {path: ast.parse(path.read_text()) for path in sorted(root.rglob("*.py"))}
    names = {path: set(re.findall(r"\w+", path.read_text())) for path in trees}
    for path, parsed in trees.items():
        for node in ast.walk(parsed):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            if node.module.split(".")[0] not in ("lab", "tasks", "benchmarks"):
                continue
            base = root / "training" if node.module.startswith("benchmarks") else root
            folder = base / node.module.replace(".", "/")
            file = folder.with_suffix(".py")
            known = names[file if file in names else folder / "__init__.py"]
            for alias in node.names:
                there = (folder / f"{alias.name}.py") in names or (folder / alias.name).is_dir()
                assert there or alias.name in known, f"{path}: {alias.name}"


def test_labs_works_in_a_release(made: Callable[[int], Path], tmp_path: Path) -> None:
    root = made(1)
    home = {"HOME": str(tmp_path)}
    helped = call(root, "-m", "tasks", **home)
    assert helped.returncode == 0 and "  plot " in helped.stdout, helped.stderr
    for name in ("release", "grade", "prove", "notebook"):
        assert f"  {name} " not in helped.stdout
    drawn = call(root, "-m", "tasks", "plot", "t11", **home)
    assert drawn.returncode == 2 and "w01.t11" in drawn.stderr
    file = next(root.glob("tasks/*/t11*/task.py"))
    stub = file.read_text()
    try:
        file.write_text(sealing.unseal((file.parent / sealing.NAME).read_text(), "t11"))
        code = (
            "from tasks.labs import catalog, runner; from pathlib import Path\n"
            "print(runner.run(catalog.find(Path.cwd(), 't11')).outcome)"
        )
        checked = call(root, "-c", code, **home)
        assert checked.stdout == "passed\n", checked.stderr
    finally:
        file.write_text(stub)


def test_a_release_is_made_of_a_source_repository_only(
    made: Callable[[int], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LabError, match="this is a release itself"):
        release.release(made(1), tmp_path / "out", week=1)
    with pytest.raises(LabError, match="there is no week 11, only 1 to 10"):
        release.release(ROOT, tmp_path / "out", week=11)
    with pytest.raises(LabError, match="is no git repository"):
        release.tracked(tmp_path)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_when_something_leaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [f"file {number}: has a part of a solution" for number in range(9)]
    monkeypatch.setattr(release.leaks, "leaks", lambda source, made: found)
    with pytest.raises(LabError, match="it would leak:\n(.*\n){4}and 5 more") as caught:
        release.release(ROOT, tmp_path / "out", week=1)
    assert len(str(caught.value).splitlines()) == 6 and list(tmp_path.iterdir()) == []


def test_what_stays_with_the_teachers_is_imported_by_nothing_else() -> None:
    files: dict[str, Any] = {"tasks/labs/course.py": b"from tasks.labs import proof\n"}
    with pytest.raises(LabError, match="course.py imports tasks.labs.proof, which is in no"):
        release.check_imports(files)


@pytest.mark.slow
@pytest.mark.parametrize("week", MADE)
def test_a_release_is_in_good_style(made: Callable[[int], Path], week: int) -> None:
    root = made(week)
    for words in (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)):
        done = call(root, "-m", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    done = call(root, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.slow
def test_the_tests_of_a_release_pass_in_it(made: Callable[[int], Path]) -> None:
    words = ("-m", "pytest", "-q", "-x", "-m", "not slow and not gpu", "-p", "no:cacheprovider")
    done = call(made(3), *words)
    assert done.returncode == 0, done.stdout[-4000:]
