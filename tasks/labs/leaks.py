"""Looks for solutions in a release: in any text that a student gets, whatever its layout.

Texts are compared as runs of words and signs, without comments, quotes, commas and line ends, so that
a solution is found in a notebook, in a hint or inside a string too. A run counts if it says something, and
if the stub does not show it anyway.
"""

import ast
import io
import json
import keyword
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tasks.labs import catalog, regions
from tasks.labs.catalog import Task

LENGTH = 12
# Different names and numbers in a run; fewer make no solution, such as those of a bare loop.
DISTINCT = 5
FOLDERS = ("tasks", "notebooks")
SUFFIXES = (".md", ".py", ".ipynb", ".toml", ".txt", ".json", ".yaml", ".yml", "")
HIDDEN = ("test_hidden.py", "mutants.toml", "MUTATION.md")
# Through these a test would come to a solution.
DOORS = (
    "catalog",
    "proof",
    "regions",
    "runner",
    "sandbox",
    "sealing",
    "student_file",
    "submission",
)
FORBIDDEN = ("task", "stub", "solution", "tasks.week", *(f"tasks.labs.{name}" for name in DOORS))
WORD = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\.\d\w*|\*\*|//|[<>=!+\-*/@%]=|->|[^\s\w\"'`,;\\]")
# Everybody writes these, and sheets give them away where they are not the point.
IDIOMS = """
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
"""
LOADERS = ("importlib", "runpy", "subprocess")

Run = tuple[str, ...]


def leaks(source_root: Path, release_root: Path) -> list[str]:
    """What students should not get but would, one line each; empty when all is well."""
    tasks = catalog.tasks(source_root)
    known = {task.id: runs_of(task) for task in tasks}
    digests = {
        path.read_bytes(): f"{task.id}'s {name}"
        for task in tasks
        for name in HIDDEN
        if (path := task.folder / name).is_file()
    }
    found = []
    for path in _texts(release_root):
        name = path.relative_to(release_root).as_posix()
        if path.name in HIDDEN:
            found.append(f"{name}: stays with the teachers")
        elif path.read_bytes() in digests:
            found.append(f"{name}: is {digests[path.read_bytes()]}")
        text = path.read_text(errors="replace")
        runs = _runs(text, path.suffix)
        for task in tasks:
            for run in sorted(known[task.id] & runs)[:1]:
                found.append(f"{name}: has a part of the solution of {task.id}: {' '.join(run)}")
        if name.startswith("tasks/week") and path.suffix == ".py":
            found += [f"{name}: {fault}" for fault in _code_faults(text, path.name)]
    return found


def runs_of(task: Task) -> set[Run]:
    """The telling runs of a task's solution regions that its stub lacks."""
    source = task.source.read_text()
    rows = regions.lines(source)
    found: set[Run] = set()
    for region in regions.regions(source):
        inner = "".join(
            row
            for row in rows[region.first + 1 : region.last]
            if not row.lstrip().startswith(regions.PROMPT)
        )
        found |= {run for run in _windows(_words(_without_comments(inner))) if _telling(run)}
    return found - _runs(task.stub(), ".py") - set(_windows(_words(IDIOMS)))


def _texts(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES:
                yield path


def _runs(text: str, suffix: str) -> set[Run]:
    """All runs of a text, as it stands, without comments, and with the line ends that strings spell."""
    if suffix == ".ipynb":
        text = _cells(text)
    spelled = text.replace("\\n", "\n").replace('\\"', '"')
    found: set[Run] = set()
    for version in {text, spelled, _without_hashes(text), _without_hashes(spelled)}:
        found |= set(_windows(_words(version)))
    return found


def _cells(text: str) -> str:
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, KeyError, TypeError):
        return text
    return "\n".join("".join(cell.get("source", "")) for cell in cells)


def _words(text: str) -> list[str]:
    return WORD.findall(text)


def _windows(words: list[str]) -> Iterator[Run]:
    for at in range(len(words) - LENGTH + 1):
        yield tuple(words[at : at + LENGTH])


def _telling(run: Run) -> bool:
    names = {word for word in run if (word[0].isalnum() or word[0] == "_")}
    return len({word for word in names if not keyword.iskeyword(word)}) >= DISTINCT


def _without_comments(code: str) -> str:
    """A region's code without comments; a text that stands for nothing, as a docstring does, goes too."""
    rows = code.splitlines(keepends=True)
    indent = min((len(row) - len(row.lstrip()) for row in rows if row.strip()), default=0)
    plain = "".join(row[indent:] if row.strip() else row for row in rows)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(plain).readline))
    except (tokenize.TokenError, SyntaxError):
        return _without_hashes(code)
    kept, fresh = [], True
    for token in tokens:
        if token.type in (tokenize.COMMENT, tokenize.NL):
            continue
        if token.type == tokenize.STRING and fresh:
            continue
        fresh = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        kept.append(token.string)
    return " ".join(kept)


def _without_hashes(text: str) -> str:
    return re.sub(r"#.*", "", text)


def _code_faults(text: str, name: str) -> list[str]:
    """Solution markers in any file, and in tests what could reach a solution."""
    found = []
    if regions.LIKE.search(text):
        found.append("has solution markers")
    if not name.startswith("test_"):
        return found
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names = [f"{base}.{alias.name}" for alias in node.names]
        for module in names:
            top = module.split(".")[0]
            if top in (*FORBIDDEN, *LOADERS, "") or module.startswith(FORBIDDEN[3:]):
                found.append(f"imports {module}, by which a test could reach a solution")
    return found
