"""A folder or a zip of line images with a table: which files there are, and what the table says.

The table is a tab-separated UTF-8 file without quoting. Its first line names the columns: `id`, `split`
(train, val or test) and `text`, and if one likes `writer` and `file`, the path of the image in the folder
or zip; without it the image is the one whose name without its ending is the id. Images may lie in
subfolders, and in zips inside the folder.
"""
# from week 3

import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from lab.data.download import data_folder
from lab.data.reading import reading
from lab.data.vocabulary import ASCII
from lab.errors import LabError, nearest

PARTS = ("train", "val", "test")
NEEDED = ("id", "split", "text")
# What is stated of texts as long as there is no table to read it from.
LONGEST = 100
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".ppm", ".pgm")


@dataclass(frozen=True)
class Row:
    """A line of writing as the table tells of it; `number` is the row's own line, the first being 1."""

    number: int
    id: str
    split: str
    text: str
    writer: str
    file: str


class LineTable:
    """The table of a folder or zip, which is read when it is first asked for anything.

    Args:
        path: the folder or zip, as it is or below LAB_DATA_DIR; None as long as none was named, and then
            there are no rows.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path

    @property
    def root(self) -> Path:
        """Where the folder or zip is.

        Raises:
            LabError: nowhere.
        """
        if self.path is None:
            raise LabError(
                "--data.path: say which folder or zip has the lines: images, and a file lines.tsv with\n"
                "the columns id, split (train, val or test) and text, separated by tabs"
            )
        return located(self.path)

    @cached_property
    def rows(self) -> list[Row]:
        """All lines of writing."""
        return [] if self.path is None else read_table(self.root)

    @cached_property
    def writers(self) -> tuple[str, ...]:
        """Names of the writers; one without a name if the table has no such column."""
        return tuple(sorted({row.writer for row in self.rows}))

    @property
    def longest(self) -> int:
        """Characters of the longest text."""
        return max((len(row.text) for row in self.rows), default=LONGEST)

    @cached_property
    def training_characters(self) -> str:
        """The characters of the training texts; those of ASCII as long as there are no texts."""
        texts = [row.text for row in self.rows if row.split == "train"]
        return "".join(sorted(set("".join(texts) if texts else ASCII)))


def located(path: str) -> Path:
    """The path as it is, or below LAB_DATA_DIR.

    Raises:
        LabError: neither is there.
    """
    places = [Path(path), data_folder() / path]
    for place in places:
        if place.exists():
            return place
    raise LabError(f"--data.path {path}: there is no such file or folder,\nnor {places[1]}")


class Files:
    """The files of a folder or zip by their paths in it, those of zips in the folder among them."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self.archives: dict[str, zipfile.ZipFile] = {}
        self.names: list[str] = []
        if root.is_dir():
            found = sorted(path for path in root.rglob("*") if path.is_file())
            self.names = [path.relative_to(root).as_posix() for path in found]
            zips = [path for path in found if path.suffix.lower() == ".zip"]
        else:
            zips = [root]
        for path in zips:
            with reading(path):
                archive = stack.enter_context(zipfile.ZipFile(path))
            members = [info.filename for info in archive.infolist() if not info.is_dir()]
            self.archives |= dict.fromkeys(members, archive)
            self.names += members
        # What systems leave beside the files of their users.
        self.names = [name for name in self.names if not hidden(name)]

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            LabError: it is damaged, encrypted or packed in an unknown way.
        """
        with reading(self.root / name):
            if name not in self.archives:
                return (self.root / name).read_bytes()
            try:
                return self.archives[name].read(name)
            except RuntimeError as error:
                raise LabError(f"{self.root}: {name} can't be unpacked ({error})") from error


@contextmanager
def opened_files(root: Path) -> Iterator[Files]:
    """The files of a folder or zip, as long as they are needed."""
    with ExitStack() as stack:
        yield Files(root, stack)


def hidden(name: str) -> bool:
    """Whether any part of a path begins with a dot, or it is of the kind that macOS puts into zips."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def read_table(root: Path) -> list[Row]:
    """All rows of the one table in a folder or zip.

    Raises:
        LabError: no table or several, or one of its lines is wrong; the message tells its number.
    """
    with opened_files(root) as files:
        tables = [name for name in files.names if name.lower().endswith(".tsv")]
        if len(tables) > 1:
            tables = [name for name in tables if PurePosixPath(name).name == "lines.tsv"] or tables
        if len(tables) != 1:
            found = ", ".join(tables[:3]) or "none"
            raise LabError(f"{root}: one table is needed, such as lines.tsv; there is {found}")
        place = root / tables[0]
        with reading(place):
            lines = files.read(tables[0]).decode("utf-8-sig").split("\n")
    rows = parsed([line.removesuffix("\r") for line in lines], place)
    check_rows(rows, place)
    return rows


def parsed(lines: list[str], place: Path) -> list[Row]:
    """The rows of a table's lines, of which the first names the columns."""
    columns = lines[0].split("\t")
    for name in NEEDED:
        if name not in columns:
            close = nearest(name, columns)
            raise LabError(
                f"{place}, line 1: no column {name}; needed are {', '.join(NEEDED)}, and tabs between "
                f"them.\nNearest: {close}"
            )
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if not line and number == len(lines):
            break
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise LabError(
                f"{place}, line {number}: {len(cells)} cells, but {len(columns)} columns: "
                f"{', '.join(columns)}"
            )
        row = dict(zip(columns, cells, strict=True))
        text = unicodedata.normalize("NFC", row["text"]).strip()
        known = [row.get(name, "").strip() for name in ("id", "split", "writer", "file")]
        rows.append(Row(number, known[0], known[1], text, known[2], known[3]))
    return rows


def check_rows(rows: list[Row], place: Path) -> None:
    """Refuse rows without a text or of no known split, an id that comes twice, and a split without rows."""
    lines: dict[str, int] = {}
    for row in rows:
        if row.split not in PARTS:
            raise LabError(
                f"{place}, line {row.number}: no split is called {row.split!r}.\n"
                f"Nearest: {nearest(row.split, PARTS)}"
            )
        if not row.text or not row.id:
            raise LabError(
                f"{place}, line {row.number}: the {'id' if row.text else 'text'} is empty; "
                "leave out what nobody can read"
            )
        if lines.setdefault(row.id, row.number) != row.number:
            raise LabError(
                f"{place}, line {row.number}: id {row.id} is that of line {lines[row.id]} too"
            )
    for part in PARTS:
        if not any(row.split == part for row in rows):
            raise LabError(
                f"{place}: of {len(rows)} lines none has split {part}; needed are {', '.join(PARTS)}"
            )


def image_names(files: Files, rows: list[Row]) -> list[str]:
    """The path of each row's image among the files.

    Raises:
        LabError: there is none, or there are several.
    """
    images = [name for name in files.names if name.lower().endswith(IMAGES)]
    by_stem = defaultdict(list)
    for name in images:
        by_stem[PurePosixPath(name).stem].append(name)
    names = []
    for row in rows:
        found = [row.file] if row.file in files.names else by_stem[row.id] if not row.file else []
        if len(found) != 1:
            what = f"several images: {', '.join(found[:3])}" if found else "no such image"
            close = f"\nNearest: {nearest(row.id, by_stem)}" if by_stem and not found else ""
            raise LabError(
                f"{files.root}, line {row.number} of the table, {row.file or row.id}: {what}{close}"
            )
        names.append(found[0])
    return names
