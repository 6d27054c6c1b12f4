"""Data files that may be damaged: whatever goes wrong while reading one is told as that file's fault."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tarfile import TarError
from zipfile import BadZipFile

from lab.errors import LabError

FORMATS = (struct.error, zlib.error, TarError, BadZipFile)
FAILURES = (OSError, EOFError, KeyError, ValueError, *FORMATS)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Around the code that reads a file.

    Raises:
        LabError: the file is missing, damaged or in another format.
    """
    try:
        yield
    except FAILURES as error:
        raise LabError(
            f"{path}: cannot be read ({error}).\nIf it is damaged: delete it, then run again."
        ) from error
