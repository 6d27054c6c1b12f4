"""Reads a zip that somebody handed in, without trusting it.

Nothing is unpacked to disk, sizes are limited, and what is wrong becomes a line of text, never an exception.
"""

import hashlib
import json
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.labs.runner import OUTCOMES
from tasks.labs.submission import MANIFEST

MOST_FILES, MOST_BYTES, MOST_ZIP = 500, 2 * 2**20, 32 * 2**20
MOST_TOTAL = 64 * 2**20
WANTED = re.compile(r"tasks/week\d+_\w+/t\d+_\w+/(task|test_task)\.py")
FAULTS: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, struct.error)
FAULTS += (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, MemoryError)


@dataclass(frozen=True)
class Submission:
    """The files that count, by their paths in the zip; the manifest; and what was wrong, in words."""

    files: dict[str, bytes]
    manifest: dict[str, Any]
    problems: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        stated = self.manifest.get("name")
        return "".join(filter(str.isprintable, stated))[:80] if isinstance(stated, str) else ""

    def progress(self, task: str) -> dict[str, Any]:
        """What the student's own records say of a task, each value in its range; nothing is proven by it."""
        stated = _section(self.manifest, "progress").get(task)
        stated = stated if isinstance(stated, dict) else {}
        hints = stated.get("hints")
        outcome = stated.get("outcome")
        return {
            "outcome": outcome if outcome in OUTCOMES else "",
            "checks": int(_number(stated.get("checks"))),
            "hints": sorted({level for level in (1, 2, 3) if level in hints})
            if isinstance(hints, list)
            else [],
            "gave_up": bool(stated.get("gave_up")),
            "minutes": None
            if stated.get("minutes") is None
            else round(_number(stated["minutes"]), 1),
        }


def read(path: Path) -> Submission:
    """What a zip holds."""
    try:
        if path.stat().st_size > MOST_ZIP:
            return Submission({}, {}, (f"the zip is larger than {MOST_ZIP // 2**20} MiB",))
        with zipfile.ZipFile(path) as archive:
            files, problems = _contents(archive)
    except FAULTS as error:
        return Submission({}, {}, (f"it cannot be read as a zip: {_first_line(error)}",))
    manifest, wrong = _manifest(files.pop(MANIFEST, None))
    problems += wrong
    stated = _section(manifest, "files")
    for name, content in files.items():
        if manifest and stated.get(name) != hashlib.sha256(content).hexdigest():
            problems.append(f"{name} is not the file that the manifest was made for")
    return Submission(files, manifest, tuple(problems))


def _contents(archive: zipfile.ZipFile) -> tuple[dict[str, bytes], list[str]]:
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        return {}, [f"it has {len(entries)} files, more than {MOST_FILES}: nothing was read"]
    files: dict[str, bytes] = {}
    problems: list[str] = []
    names = [entry.filename for entry in entries]
    total = 0
    for entry in entries:
        name, label = entry.filename, ascii(entry.filename[:100])
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if _outside(name):
            problems.append(f"{label}: a path that leads elsewhere; not read")
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            problems.append(f"{label}: a link or a device, not a file; not read")
        elif entry.is_dir() or not (name == MANIFEST or WANTED.fullmatch(name)):
            continue
        elif names.count(name) > 1:
            line = f"{label}: stands {names.count(name)} times in the zip; none was read"
            problems += [line] if line not in problems else []
        else:
            content, wrong = _content(archive, entry)
            total += len(content)
            if total > MOST_TOTAL:
                return {}, [*problems, f"more than {MOST_TOTAL // 2**20} MiB: nothing was read"]
            if wrong:
                problems.append(f"{label}: {wrong}")
            else:
                files[name] = content
    return files, problems


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[bytes, str]:
    """At most so much of a file, whatever size the zip states, and what is wrong."""
    try:
        with archive.open(entry) as file:
            content = file.read(MOST_BYTES + 1)
    except FAULTS as error:
        return b"", f"cannot be read: {_first_line(error)}"
    if len(content) > MOST_BYTES:
        return content, f"larger than {MOST_BYTES // 2**20} MiB; not read"
    return content, ""


def _outside(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0] or "\0" in name


def _manifest(content: bytes | None) -> tuple[dict[str, Any], list[str]]:
    if content is None:
        return {}, ["it has no manifest.json: progress is unknown"]
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError):
        return {}, ["its manifest.json cannot be read: progress is unknown"]
    if not isinstance(found, dict):
        return {}, ["its manifest.json is not as `labs submit` writes it: progress is unknown"]
    return found, []


def _section(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    found = manifest.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    # A nan is in no range.
    return float(value) if usable and 0 <= value <= 1e6 else 0.0


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:150]
