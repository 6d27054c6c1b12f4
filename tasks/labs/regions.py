"""Solution regions: one `task.py` is both the solution and, with its regions cut out, the student's stub.

    # >>> solution: what the student's lines should give
    #| an optional line that the stub keeps
    return x + 1
    # <<< solution

Markers are comment lines of their own, found among the tokens of the file, so that text which only looks
like one is an error and never cut.
"""

import ast
import io
import re
import textwrap
import tokenize
from dataclasses import dataclass

from lab.errors import LabError

BEGIN, END = "# >>> solution", "# <<< solution"
PROMPT = "#| "
LIKE = re.compile(r"#\s*(>>>|<<<)\s*solution")
WIDTH = 100
IMPORT = "from tasks import NotDone"


class RegionError(LabError):
    """A task's source has a marker out of place; the message names the line."""


@dataclass(frozen=True)
class Region:
    """Lines `first` to `last` of the source, markers included, counted from 0; `last` is inclusive."""

    first: int
    last: int
    indent: str
    says: str
    function: str


def lines(source: str) -> list[str]:
    return source.splitlines(keepends=True)


def regions(source: str) -> list[Region]:
    """The solution regions in order.

    Raises:
        RegionError: markers that are unbalanced, nested, empty, inside a string, not on a line of their own,
            or that do not say what is wanted.
    """
    found: list[Region] = []
    begun: tuple[int, str, str] | None = None
    text = lines(source)
    for token in _tokens(source):
        row = token.start[0] - 1
        if token.type in (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)):
            if LIKE.search(token.string):
                raise RegionError(f"line {row + 1}: a solution marker inside a string")
            continue
        if token.type != tokenize.COMMENT or not LIKE.search(token.string):
            continue
        indent = text[row][: token.start[1]]
        if indent.strip() or not token.string.startswith((BEGIN, END)):
            raise RegionError(
                f"line {row + 1}: write `{BEGIN}: ...` or `{END}` on a line of its own"
            )
        if token.string.startswith(BEGIN):
            if begun:
                raise RegionError(
                    f"line {row + 1}: a region begins inside that of line {begun[0] + 1}"
                )
            says = token.string[len(BEGIN) :].removeprefix(":").strip()
            if not says:
                raise RegionError(f"line {row + 1}: say what is wanted: `{BEGIN}: return ...`")
            begun = (row, indent, says)
            continue
        if not begun:
            raise RegionError(f"line {row + 1}: a region ends that has not begun")
        first, indent, says = begun
        inner = [line.strip() for line in text[first + 1 : row]]
        if not any(line and not line.startswith("#") for line in inner):
            raise RegionError(f"line {first + 1}: the region has no code")
        found.append(Region(first, row, indent, says, _enclosing(source, first + 1)))
        begun = None
    if begun:
        raise RegionError(f"line {begun[0] + 1}: the region does not end")
    return found


def stub(source: str, task: str) -> str:
    """The student's file: each region becomes its prompt lines and a `raise NotDone(...)`.

    Raises:
        RegionError: as `regions` does, or the stub does not compile, has an import that only the solution
            uses, or lacks a function that the solution has.
    """
    found = regions(source)
    if not found:
        raise RegionError(f"{task} has no solution region")
    made = _cut(source, task, found)
    try:
        tree = ast.parse(made)
    except SyntaxError as error:
        raise RegionError(f"the stub of {task} does not compile: {error}") from error
    unused = _imported(tree) - _used(tree)
    if unused:
        raise RegionError(
            f"only the solution of {task} uses {', '.join(sorted(unused))}: import it inside of the region"
        )
    lost = _signatures(ast.parse(source)) ^ _signatures(tree)
    if lost:
        raise RegionError(f"stub and solution of {task} differ in {', '.join(sorted(lost))}")
    return made


def splice(made: str, source: str, task: str) -> str:
    """The source again, from an untouched stub and the source's regions alone."""
    text = lines(source)
    for region in regions(source):
        replaced = _replacement(text, region, task)
        if made.count(replaced) < 1:
            raise RegionError(f"the stub of {task} lacks the region of line {region.first + 1}")
        made = made.replace(replaced, "".join(text[region.first : region.last + 1]), 1)
    at, added = _import_lines(source)
    rows = lines(made)
    if rows[at : at + len(added)] != added:
        raise RegionError(f"the stub of {task} lacks its import of NotDone")
    return "".join(rows[:at] + rows[at + len(added) :])


def _cut(source: str, task: str, found: list[Region]) -> str:
    text = lines(source)
    made, at = [], 0
    for region in found:
        made += [*text[at : region.first], _replacement(text, region, task)]
        at = region.last + 1
    rows = lines("".join([*made, *text[at:]]))
    at, added = _import_lines(source)
    return "".join(rows[:at] + added + rows[at:])


def _replacement(text: list[str], region: Region, task: str) -> str:
    prompts = [
        region.indent + row.lstrip()[len(PROMPT) :]
        for row in text[region.first + 1 : region.last]
        if row.lstrip().startswith(PROMPT)
    ]
    where = f"{task} {region.function}" if region.function else task
    message = f"{where}: {region.says}"
    call = f"{region.indent}raise NotDone({_quoted(message)})\n"
    if len(call) > WIDTH + 1:
        inner = region.indent + "    "
        room = WIDTH - len(inner) - 2
        # All parts but the last end in a blank.
        room -= len(message) > room
        parts = textwrap.wrap(message, room, break_on_hyphens=False)
        parts = [part + " " for part in parts[:-1]] + parts[-1:]
        rows = "".join(f"{inner}{_quoted(part)}\n" for part in parts)
        call = f"{region.indent}raise NotDone(\n{rows}{region.indent})\n"
    return "".join(prompts) + call


def _quoted(message: str) -> str:
    return '"' + message.replace("\\", "\\\\").replace('"', "'") + '"'


def _import_lines(source: str) -> tuple[int, list[str]]:
    """Where the stub imports NotDone, and by which lines; before the first region in any case."""
    body = ast.parse(source).body
    top = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    own = [node for node in top if isinstance(node, ast.ImportFrom) and _first_party(node)]
    if own:
        below = [node for node in own if (node.module or "") > "tasks"]
        return (below[0].lineno - 1 if below else (own[-1].end_lineno or 0)), [IMPORT + "\n"]
    if top:
        return top[-1].end_lineno or 0, ["\n", IMPORT + "\n"]
    says = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return (body[0].end_lineno or 0 if says else 0), ["\n", IMPORT + "\n"]


def _first_party(node: ast.ImportFrom) -> bool:
    return (node.module or "").split(".")[0] in ("lab", "tasks")


def _tokens(source: str) -> list[tokenize.TokenInfo]:
    try:
        return list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError) as error:
        raise RegionError(f"not Python: {error}") from error


def _enclosing(source: str, row: int) -> str:
    """The dotted name of the function around a line, or an empty text."""
    name = ""
    nodes: list[tuple[ast.AST, str]] = [(ast.parse(source), "")]
    for node, above in nodes:
        for child in ast.iter_child_nodes(node):
            inside = above
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                inside = f"{above}.{child.name}" if above else child.name
                if child.lineno <= row <= (child.end_lineno or 0):
                    name = inside
            nodes.append((child, inside))
    return name


def _imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return found


def _used(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _signatures(tree: ast.Module) -> set[str]:
    """Names, arguments and results of all functions of the module and of its classes."""
    found = set()
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        above = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for member in members:
            if isinstance(member, ast.FunctionDef):
                returns = f" -> {ast.unparse(member.returns)}" if member.returns else ""
                found.add(f"{above}{member.name}({ast.unparse(member.args)}){returns}")
    return found
