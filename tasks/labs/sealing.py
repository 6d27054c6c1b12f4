"""A task's solution as a release has it: sealed, so that nobody reads it by accident, and not encrypted."""

import base64
import textwrap
import zlib

from lab.errors import LabError
from tasks.labs import catalog, regions
from tasks.labs.catalog import Task

NAME = "solution.sealed"
HEAD = "Sealed, not encrypted: `labs solution` shows it once the task is solved or given up.\n"


def solution(task: Task) -> str | None:
    """The text of a task's solution; None where a release was made without.

    Raises:
        LabError: the sealed file is damaged.
    """
    if catalog.is_source(task.folder.parents[2]):
        return plain(task.source.read_text())
    file = task.folder / NAME
    return unseal(file.read_text(), str(file)) if file.is_file() else None


def plain(source: str) -> str:
    """A source without its markers and without the lines that only its stub shows."""
    rows = regions.lines(source)
    lost = set()
    for region in regions.regions(source):
        lost |= {region.first, region.last}
        lost |= {
            row
            for row in range(region.first, region.last)
            if rows[row].lstrip().startswith(regions.PROMPT)
        }
    return "".join(line for row, line in enumerate(rows) if row not in lost)


def seal(text: str) -> str:
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return HEAD + "\n".join(textwrap.wrap(packed, 100)) + "\n"


def unseal(text: str, name: str) -> str:
    """What was sealed.

    Raises:
        LabError: it is no such text; `name` is told.
    """
    try:
        return zlib.decompress(base64.b64decode(text.removeprefix(HEAD))).decode()
    except ValueError as error:
        raise LabError(f"{name} is damaged: take it from the release again") from error
    except zlib.error as error:
        raise LabError(f"{name} is damaged: take it from the release again") from error
