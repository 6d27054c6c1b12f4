"""Which week a part of the repository belongs to, told by comments; `labs release` leaves out later weeks.

    from lab.nets.resnet import ResNet  # from week 2

    # >>> from week 4
    anything, over several lines
    # <<< from week 4

A line `# from week 3` of its own at the top gives the whole file to week 3; a comment at the end of a line
gives that line. In Markdown the comments are `<!-- from week 3 -->` and so on, which no page shows. There
the two of a region may also stand within one line, and a row of a table is given to a week by a comment in
its last cell: on a line of its own a comment would end the table.

What no release has is marked `for teachers` in place of `from week 4`.
"""

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePath

from lab.errors import LabError

LAST = 10
KNOWN = range(1, LAST + 1)
TEACHERS, NEVER = "for teachers", LAST + 1
HASHED = (".py", ".yaml", ".yml", ".toml", ".in", ".sh")
NAMES = ("Makefile", ".gitignore", "run")
MARK = re.compile(rf"(?:(>>>|<<<) )?(?:from week (\d+)|{TEACHERS})")
# Whatever looks like a mark has to be one.
LIKE = re.compile(rf"^\W*(>>>|<<<)?\s*(from\s+week\b|{TEACHERS}$)", re.IGNORECASE)
MENTIONED = re.compile(rf"from\s+week|{TEACHERS}", re.IGNORECASE)
LEFT = re.compile(rf"(#|<!--)\s*((>>>|<<<)\s*)?(from week \d|{TEACHERS})")
HTML = re.compile(r"<!--(.*?)-->")
TOP = 30


@dataclass(frozen=True)
class Mark:
    """A mark in columns `begin` to `end` of row `row`, from 0. kind: `>>>`, `<<<` or nothing.

    alone: whether nothing else stands in its line.
    """

    row: int
    begin: int
    end: int
    kind: str
    week: int
    alone: bool


def released(text: str, *, week: int, name: str) -> str | None:
    """A file's text as it stands in a week, without marks; None if the file is of a later week.

    Raises:
        LabError: a mark that is malformed, nested, unbalanced or of an unknown week, or code that is none
            any more; `name` and line are told.
    """
    # Reading the tokens of every file takes longer than all the rest.
    if not marked(name) or not MENTIONED.search(text):
        return text
    found = marks(text, name)
    whole = [mark for mark in found if mark.alone and not mark.kind]
    if len(whole) > 1 or (whole and (whole[0].row > TOP or whole[0] != found[0])):
        raise _error(name, whole[-1].row, "the mark of a whole file stands once, and at its top")
    if whole and whole[0].week > week:
        return None
    rest = _without(text, _cuts(text, found, week, name))
    if name.endswith(".py") and found:
        try:
            ast.parse(rest)
        except SyntaxError as error:
            raise LabError(
                f"{name}: what is left of it in week {week} is no Python: {error}"
            ) from error
    return rest


def _cuts(text: str, found: list[Mark], week: int, name: str) -> list[tuple[int, int]]:
    """Where to cut: the marks, and what belongs to later weeks; from and to, in characters."""
    rows = text.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, rows))]
    cuts, begun = [], None
    for mark in found:
        own = starts[mark.row] + mark.begin, starts[mark.row] + mark.end
        line = starts[mark.row], starts[mark.row + 1]
        if mark.kind == "<<<":
            if not begun or begun.week != mark.week:
                raise _error(name, mark.row, f"no part from week {mark.week} has begun")
            if mark.alone != begun.alone or not (mark.alone or mark.row == begun.row):
                raise _error(name, mark.row, "both marks stand in one line, or each in its own")
            own = line if mark.alone else own
            cuts.append((cuts.pop()[0], own[1]) if mark.week > week else own)
            begun = None
        elif begun:
            raise _error(name, mark.row, f"a mark in the part that begins in line {begun.row + 1}")
        elif mark.kind == ">>>":
            begun = mark
            cuts.append(line if mark.alone else own)
        else:
            # The blanks before a mark at the end of a line go with it.
            before = rows[mark.row][: mark.begin]
            own = starts[mark.row] + len(before.rstrip()), own[1]
            if mark.week > week:
                # With all that was to be cut out of the line.
                cuts = [cut for cut in cuts if cut[0] < line[0]]
            cuts.append(line if mark.alone or mark.week > week else own)
    if begun:
        raise _error(name, begun.row, f"the part from week {begun.week} does not end")
    return cuts


def _without(text: str, cuts: list[tuple[int, int]]) -> str:
    """The rest; where lines were cut, as many blank lines as stood on the side that has more of them."""
    out, at = "", 0
    for first, last in cuts:
        out, at = out + text[at:first], max(at, last)
        if text[last - 1] == "\n":
            before, after = (
                _blank_lines(out.splitlines()[::-1]),
                _blank_lines(text[at:].splitlines()),
            )
            for _ in range(min(before, after) if out else after):
                at = text.index("\n", at) + 1
    out += text[at:]
    return out.rstrip() + "\n" if cuts else out


def _blank_lines(lines: list[str]) -> int:
    """How many there are at the beginning."""
    return next((number for number, line in enumerate(lines) if line.strip()), len(lines))


def marked(name: str) -> bool:
    """Whether a file of this name may have marks."""
    path = PurePath(name)
    return path.suffix in (*HASHED, ".md") or path.name in NAMES


def marks(text: str, name: str) -> list[Mark]:
    """All marks of a file in order.

    Raises:
        LabError: one is malformed or of an unknown week.
    """
    rows = text.splitlines(keepends=True)
    found = []
    for row, begin, end, comment in _comments(text, rows, name):
        words = re.sub(r"^(#|<!--)|-->$", "", comment).strip()
        if not LIKE.search(words):
            continue
        match = MARK.fullmatch(words)
        if not match:
            raise _error(name, row, f"not a mark: {comment!r}; write `>>> from week 3`")
        number = int(match[2]) if match[2] else NEVER
        if match[2] and number not in KNOWN:
            raise _error(name, row, f"there is no week {match[2]}, only 1 to {LAST}")
        before, after = rows[row][:begin], rows[row][end:]
        alone = not before.strip() and not after.strip()
        if match[1] and not alone and not name.endswith(".md"):
            raise _error(name, row, f"`{match[1]}` stands on a line of its own")
        found.append(Mark(row, begin, end, match[1] or "", number, alone))
    return found


def _comments(text: str, rows: list[str], name: str) -> list[tuple[int, int, int, str]]:
    """Row, first and last column, and text of each comment."""
    if name.endswith(".md"):
        return [
            (row, match.start(), match.end(), match[0])
            for row, line in enumerate(rows)
            for match in HTML.finditer(line)
        ]
    if not name.endswith(".py"):
        hits = [(row, re.search(r"(^|\s)#.*", line)) for row, line in enumerate(rows)]
        return [
            (row, hit.end() - len(hit[0].lstrip()), hit.end(), hit[0].lstrip())
            for row, hit in hits
            if hit
        ]
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError) as error:
        raise LabError(f"{name}: not Python: {error}") from error
    return [
        (one.start[0] - 1, one.start[1], one.end[1], one.string)
        for one in tokens
        if one.type == tokenize.COMMENT
    ]


def _error(name: str, row: int, message: str) -> LabError:
    return LabError(f"{name}, line {row + 1}: {message}")
