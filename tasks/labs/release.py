"""The repository as students get it in a week: stubs for solutions, and nothing of later weeks.

A release is made from the files that git tracks, as they stand in the working tree, and is the same to
the last byte whenever it is made from the same files.
"""

import ast
import hashlib
import json
import posixpath
import re
import shutil
import subprocess
import tempfile
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from lab.errors import LabError
from tasks.labs import catalog, leaks, regions, sealing, weeks
from tasks.labs.catalog import Task

SCHEMA = 1
# What checks in a release draw their random numbers from.
SEED = 0
MANIFEST = "tasks/MANIFEST.json"
# What only teachers need, or cannot work without solutions.
KEPT_BACK = (
    *(f"tasks/week*/{name}" for name in leaks.HIDDEN),
    "*MUTATION.md",
    *(f"tasks/labs/commands/{name}.py" for name in ("grade", "notebook", "prove", "release")),
    *(f"tasks/labs/{name}.py" for name in ("class_report", "grading", "handed_in", "notebook")),
    *(f"tasks/labs/{name}.py" for name in ("leaks", "proof", "release", "weeks")),
    "tests/labs/*",
)
IMAGES = (".png", ".gif", ".jpg", ".svg")


def release(root: Path, out: Path, *, week: int, solutions: bool = True) -> list[str]:
    """Writes the release of a week into a new folder; the names of its files.

    Args:
        solutions: with each task's solution, sealed.

    Raises:
        LabError: this is a release itself or no git repository, the folder is in use, a mark is wrong,
            or a solution would be in what students read.
    """
    if week not in weeks.KNOWN:
        raise LabError(f"there is no week {week}, only 1 to {weeks.LAST}")
    if not catalog.is_source(root):
        raise LabError("this is a release itself: releases are made from the source repository")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise LabError(f"{out} is not empty: name a folder that is not there yet")
    modes = tracked(root)
    files = contents(root, list(modes), week=week, solutions=solutions)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as place:
        folder = Path(place) / "release"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(modes.get(name, 0o644))
        found = leaks.leaks(root, folder)
        if found:
            more = [f"and {len(found) - 4} more"] if len(found) > 4 else []
            raise LabError("\n".join(["no release, since it would leak:", *found[:4], *more]))
        if out.exists():
            out.rmdir()
        shutil.move(folder, out)
    return list(files)


def tracked(root: Path) -> dict[str, int]:
    """The files that git tracks and their modes, in order.

    Raises:
        LabError: there is no git repository, or a file of it is gone.
    """
    # Git refuses a checkout of another owner, as there is in containers; its list of files is harmless.
    call = ["git", "-c", f"safe.directory={root}", "-C", str(root), "ls-files", "-s", "-z"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LabError(
            f"{root} is no git repository: a release is made of what git tracks"
        ) from error
    found = {}
    for entry in filter(None, done.stdout.split("\0")):
        facts, _, name = entry.partition("\t")
        found[name] = 0o755 if facts.startswith("100755") else 0o644
        if not (root / name).is_file():
            raise LabError(f"{name} is tracked but gone: `git checkout` or `git rm` it")
    return dict(sorted(found.items()))


def contents(
    root: Path, names: list[str], *, week: int, solutions: bool = True
) -> dict[str, bytes]:
    """The files of a release by name, its manifest among them."""
    found = {}
    for name in names:
        if kept_back(name) or week_of(name) > week:
            continue
        content = (root / name).read_bytes()
        if weeks.marked(name):
            text = weeks.released(content.decode(), week=week, name=name)
            if text is None:
                continue
            if weeks.LEFT.search(text):
                raise LabError(f"{name}: a week's mark inside a string would stay in the release")
            content = text.encode()
        found[name] = content
    check_imports(found)
    found |= of_tasks(root, found, week=week, solutions=solutions)
    found = shown(found)
    found[MANIFEST] = manifest(root, found, week).encode()
    return dict(sorted(found.items()))


def kept_back(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in KEPT_BACK)


def check_imports(files: dict[str, bytes]) -> None:
    """Raise LabError when something of `tasks/labs` imports a file that stays with the teachers."""
    for name, content in files.items():
        if not (name.startswith("tasks/labs/") and name.endswith(".py")):
            continue
        for node in ast.walk(ast.parse(content)):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
            for module in names:
                if kept_back(module.replace(".", "/") + ".py"):
                    raise LabError(f"{name} imports {module}, which is in no release")


def week_of(name: str) -> int:
    """The week of a file that belongs to one by its place, such as notebooks/week02.ipynb; otherwise 0."""
    match = re.match(r"(?:tasks|notebooks)/week(\d+)", name)
    return int(match[1]) if match else 0


def of_tasks(
    root: Path, names: dict[str, bytes], *, week: int, solutions: bool
) -> dict[str, bytes]:
    """Of each task its stub, twice, and its sealed solution."""
    found: dict[str, bytes] = {}
    for task in catalog.tasks(root):
        folder = task.folder.relative_to(root).as_posix()
        if task.week > week or f"{folder}/task.py" not in names:
            continue
        stub = checked_stub(task)
        found[f"{folder}/task.py"] = found[f"{folder}/stub.py"] = stub.encode()
        if solutions:
            text = sealing.plain(task.source.read_text())
            found[f"{folder}/{sealing.NAME}"] = sealing.seal(text).encode()
    return found


def checked_stub(task: Task) -> str:
    """A task's stub, from which, with the regions, the source can be had again.

    Raises:
        LabError: it cannot.
    """
    source = task.source.read_text()
    stub = regions.stub(source, task.id)
    if regions.splice(stub, source, task.id) != source:
        raise LabError(f"{task.id}: the stub and the solution regions do not give the source again")
    return stub


def shown(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files without images that no text of theirs shows any more."""
    targets = {
        posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        for name, content in files.items()
        if name.endswith((".md", ".ipynb"))
        for target in re.findall(r"\]\(([^)\s\\]+)", content.decode())
    }
    return {
        name: content
        for name, content in files.items()
        if not name.endswith(IMAGES) or name in targets
    }


def manifest(root: Path, files: dict[str, bytes], week: int) -> str:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    facts = {
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
        "schema": SCHEMA,
        "seed": SEED,
        "version": project["version"],
        "week": week,
    }
    return json.dumps(facts, indent=1, sort_keys=True) + "\n"
