"""Files from the network: checked, resumed, from several mirrors, never half written.

A file that is already there with the right size is used as it lies, so a read-only data folder works.
Its hash is computed when it is downloaded; afterwards its size is enough, where that is known.
"""

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lab.errors import LabError

CHUNK = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file that anybody can fetch: name, bytes (None when unknown), SHA-256 and where it lies."""

    name: str
    size: int | None
    sha256: str
    mirrors: tuple[str, ...]


def data_folder() -> Path:
    """Where data sets lie: `LAB_DATA_DIR`, else `data/` in the current folder."""
    return Path(os.environ.get("LAB_DATA_DIR") or "data")


def fetch(file: RemoteFile, folder: Path) -> Path:
    """Path of the file below `folder`, downloaded when it is not there.

    Raises:
        LabError: no mirror gave it, or the file that is there has another size.
    """
    path = folder / file.name
    if path.is_file():
        if file.size is not None and path.stat().st_size != file.size:
            raise LabError(
                f"{path}: {path.stat().st_size} bytes, but {file.name} has {file.size}.\n"
                "It is damaged or another file: delete it, then run again."
            )
        if file.size is None and sha256_of(path) != file.sha256:
            raise LabError(
                f"{path}: its SHA-256 is wrong.\nIt is damaged: delete it, then run again."
            )
        return path
    failures = []
    for url in file.mirrors:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return download(file, url, path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            failures.append(f"{url.split('/')[2]}: {reason}")
    size = f"{file.size} bytes, " if file.size is not None else ""
    raise LabError(
        f"cannot download {file.name} ({'; '.join(failures)}).\n"
        f"Fetch it elsewhere and put it at {path}\n"
        f"({size}sha256 {file.sha256}).\n"
        "Or point LAB_DATA_DIR to a folder that has it."
    )


def download(file: RemoteFile, url: str, path: Path) -> Path:
    """Fetch one URL to `path`, going on from a part that an earlier try left.

    Raises:
        OSError: the network, the server or the disk failed; what came so far stays for the next try.
        ValueError: the content is not the expected one; it is deleted.
    """
    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing is left to send: the part is whole, or longer than the file.
        answer = None
    if answer is not None:
        with answer:
            # A server that ignores the range answers 200 with the whole file.
            append = have > 0 and answer.status == 206
            write_stream(answer, part, append=append, title=file.name)
    if file.size is not None and part.stat().st_size < file.size:
        raise OSError(f"the connection ended after {part.stat().st_size} of {file.size} bytes")
    digest = sha256_of(part)
    if digest != file.sha256:
        part.unlink()
        raise ValueError(f"its SHA-256 is {digest[:12]}..., not {file.sha256[:12]}...")
    os.replace(part, path)
    return path


def write_stream(answer, part: Path, *, append: bool, title: str) -> None:  # type: ignore[no-untyped-def]
    """Write an HTTP answer to disk with a progress bar."""
    have = part.stat().st_size if append else 0
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length else None
    bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=title, leave=False)
    with part.open("ab" if append else "wb") as out, bar:
        while chunk := answer.read(CHUNK):
            out.write(chunk)
            bar.update(len(chunk))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
