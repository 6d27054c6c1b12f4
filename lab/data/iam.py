"""What IAM says of its forms: texts, writers, places on the page, and the official split.

A form is a page of handwriting below a printed text. Its lines are transcribed whole; "segmentation" in the
files tells whether the words of a line were parted rightly, which by IAM's own word affects neither the
line nor its text, so lines with errors there are kept, as in the official split. A word that the writer
struck out is `#`.
Split: "Large Writer Independent Text Line Recognition Task": 6161 lines for training, 900 + 940 for
validation, 1861 for the test, of 283, 46 + 43 and 128 writers, none of whom is in two parts.
"""
# from week 3

import html
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from lab.data.iam_files import IAMFiles
from lab.data.reading import reading
from lab.errors import LabError

LISTS_OF = {
    "train": ("trainset",),
    "val": ("validationset1", "validationset2"),
    "test": ("testset",),
}
# Of all texts of IAM.
CHARACTERS = " !\"#&'()*+,-./0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Line:
    """A line of a form; the box (left, top, right, bottom) is that of its ink, if that is known."""

    id: str
    text: str
    box: Box | None


@dataclass(frozen=True)
class Form:
    """A form: who wrote it, its scan's width and height, and its lines from top to bottom."""

    id: str
    writer: str
    width: int
    height: int
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """All that was written by hand."""
        return "\n".join(line.text for line in self.lines)

    @property
    def box(self) -> Box | None:
        """Around all handwriting."""
        return around([line.box for line in self.lines if line.box])


def around(boxes: list[Box]) -> Box | None:
    """The smallest box with all of these in it."""
    if not boxes:
        return None
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


@dataclass(frozen=True)
class IAM:
    """All forms by their names, and of each part the names of its forms and its lines, in order."""

    files: IAMFiles
    forms: dict[str, Form]
    form_names: dict[str, tuple[str, ...]]
    line_names: dict[str, tuple[str, ...]]

    @property
    def writers(self) -> tuple[str, ...]:
        """All writers, by number."""
        return tuple(sorted({form.writer for form in self.forms.values()}))

    def lines_of(self, part: str) -> list[Line]:
        """The lines of a part, those of a form one after another."""
        known = {line.id: line for form in self.forms.values() for line in form.lines}
        return [known[name] for name in sorted(self.line_names[part])]

    def forms_of(self, part: str) -> list[Form]:
        """The forms of a part."""
        return [self.forms[name] for name in self.form_names[part]]


def read_iam(root: Path) -> IAM:
    """Read all descriptions and lists in a folder.

    Raises:
        LabError: a file is damaged, a line of a list has no description, or a writer is in two parts.
    """
    files = IAMFiles(root)
    lists = {
        part: [name for stem in stems for name in read_list(files, stem)]
        for part, stems in LISTS_OF.items()
    }
    form_names = {part: tuple(dict.fromkeys(map(form_of, lines))) for part, lines in lists.items()}
    forms = {}
    for part, names in form_names.items():
        for name in names:
            if name not in files.xml:
                raise LabError(f"{root}: {name}.xml is missing, of which {part} has lines")
            forms[name] = read_form(files.xml[name])
    known = {line.id for form in forms.values() for line in form.lines}
    for part, lines in lists.items():
        for line in lines:
            if line not in known:
                raise LabError(
                    f"{files.xml[form_of(line)]}: no line {line}, which is one of {part}"
                )
    check_writers(root, forms, form_names)
    return IAM(files, forms, form_names, {part: tuple(lines) for part, lines in lists.items()})


def form_of(line: str) -> str:
    """The name of a line's form: a01-000u of a01-000u-00."""
    return line.rpartition("-")[0]


def read_list(files: IAMFiles, stem: str) -> list[str]:
    """The names of lines in one of the lists."""
    if stem not in files.task:
        raise LabError(f"{files.root}: {stem}.txt is missing, a list of IAM's split")
    path = files.task[stem]
    with reading(path):
        names = path.read_text(encoding="utf-8").split()
    if not names:
        raise LabError(f"{path}: it names no line")
    return names


def read_form(path: Path) -> Form:
    """A form's description, an XML file."""
    with reading(path):
        try:
            form = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise LabError(f"{path}: this is no XML ({error})") from error
        lines = [read_line(line) for line in form.iterfind("handwritten-part/line")]
        size = int(form.attrib["width"]), int(form.attrib["height"])
        return Form(path.stem, form.attrib["writer-id"], *size, tuple(lines))


def read_line(line: ElementTree.Element) -> Line:
    """A line of a form: its text, and a box around the components of its words."""
    boxes = []
    for part in line.iterfind("word/cmp"):
        left, top, width, height = (int(part.attrib[key]) for key in ("x", "y", "width", "height"))
        boxes.append((left, top, left + width, top + height))
    # The files say &amp;quot; where a quotation mark is meant, so entities remain after parsing.
    text = " ".join(html.unescape(line.attrib["text"]).split())
    return Line(line.attrib["id"], text, around(boxes))


def check_writers(root: Path, forms: dict[str, Form], names: dict[str, tuple[str, ...]]) -> None:
    """Refuse lists that are not IAM's own: in those no writer is in two parts."""
    part_of: dict[str, str] = {}
    for part, chosen in names.items():
        for name in chosen:
            other = part_of.setdefault(forms[name].writer, part)
            if other != part:
                raise LabError(
                    f"{root}: writer {forms[name].writer} is in {other} and in {part}, so these are not "
                    "the lists of IAM's writer-independent task"
                )


def check_lengths(texts: list[str], longest: int, root: Path) -> None:
    """Refuse texts that are longer than was stated before any was read."""
    length = max(map(len, texts), default=0)
    if length > longest:
        raise LabError(
            f"{root}: a text has {length} characters; those of IAM have {longest} at most"
        )
