"""Files from the network: checked, resumed, from several mirrors, never half written.

A file that is already there with the right size is used as it lies, so a read-only data folder works.
Its hash is computed when it is downloaded; afterwards its size is enough, where that is known.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from lab.errors import LabError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CHUNK = 1 << 16


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
    """Path of the file in `folder`, downloaded when it is not there.

    Raises:
        LabError: no mirror gave it, the folder takes no files, or the file that is there is another one.
    """
    path = folder / file.name
    if not path.is_file():
        with alone_with(path):
            # Another run may have fetched it while this one waited.
            if not path.is_file():
                return from_mirrors(file, path)
    if file.size is not None and path.stat().st_size != file.size:
        raise LabError(
            f"{path}: {path.stat().st_size} bytes, but {file.name} has {file.size}.\n"
            "It is damaged or another file: delete it, then run again."
        )
    if file.size is None and sha256_of(path) != file.sha256:
        raise LabError(f"{path}: its SHA-256 is wrong.\nIt is damaged: delete it, then run again.")
    return path


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Make the folder of a file to come, and keep other runs from writing there meanwhile.

    The system ends the lock with the process. Windows and some network drives have no such lock; there
    two runs at once may spoil each other's part, which the hash finds out.

    Raises:
        LabError: the folder can't be made or takes no files.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"{path} is missing, and its folder can't be made ({error.strerror}).\n"
            "Point LAB_DATA_DIR to a folder that has it or can be written."
        ) from error
    if not os.access(folder, os.W_OK):
        raise LabError(
            f"{path} is missing, and its folder can't be written.\n"
            "Point LAB_DATA_DIR to a folder that has it or can be written."
        )
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"waiting for another run that downloads to {folder}", file=sys.stderr)
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def from_mirrors(file: RemoteFile, path: Path) -> Path:
    """Download to `path` from the first mirror that has the right content."""
    failures = []
    for url in file.mirrors:
        try:
            return download(file, url, path)
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            failures.append(f"{url.split('/')[2]}: {reason}")
    size = f"{file.size} bytes, " if file.size is not None else ""
    raise LabError(
        f"cannot download {file.name} ({'; '.join(failures)}).\n"
        f"Run again later, or fetch it elsewhere and put it at {path}\n"
        f"({size}sha256 {file.sha256}).\n"
        "Or point LAB_DATA_DIR to a folder that has it."
    )


def download(file: RemoteFile, url: str, path: Path) -> Path:
    """Fetch one URL to `path`, going on from a part that an earlier try left.

    Raises:
        OSError, HTTPException: the network, the server or the disk failed; what came so far stays.
        ValueError: the content is not the expected one; it is deleted.
    """
    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urlopen(request, timeout=30) as answer:
            write_stream(answer, part, have=have, file=file)
    except HTTPError as error:
        error.close()
        # To a range beyond the end: the part is whole, or longer than the file.
        if not (have and error.code == 416):
            raise
    digest = sha256_of(part)
    if digest == file.sha256:
        os.replace(part, path)
        return path
    part.unlink()
    if have:
        # The earlier part may be to blame, so this URL gets another try.
        return download(file, url, path)
    raise ValueError(f"its SHA-256 is {digest[:12]}..., not {file.sha256[:12]}...")


def write_stream(answer: HTTPResponse, part: Path, *, have: int, file: RemoteFile) -> None:
    """Write an HTTP answer to disk with a progress bar, after the `have` bytes that it goes on from.

    Raises:
        ValueError: the answer is not as long as the file; nothing is written.
        OSError: the connection ended too early.
    """
    # A server that ignores the range answers 200 with the whole file.
    have = have if answer.status == 206 else 0
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length else file.size
    if file.size is not None and total != file.size:
        raise ValueError(f"it offers {total} bytes, not {file.size}")
    bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=file.name, leave=False)
    with part.open("ab" if have else "wb") as out, bar:
        while chunk := answer.read(CHUNK):
            out.write(chunk)
            bar.update(len(chunk))
    size = part.stat().st_size
    if total is not None and size < total:
        raise OSError(f"the connection ended after {size} of {total} bytes")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
