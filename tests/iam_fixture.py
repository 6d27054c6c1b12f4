"""A small IAM in the layout of the real one: invented forms, drawn with Pillow's own font."""
# from week 3

import html
import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 620, 480
TOP, PITCH, LEFT = 150, 60, 40
# Form, writer, list, lines with their segmentation.
FORMS = {
    "a01-000u": (
        "000",
        "trainset",
        ('A tale of "two" cities,', "by an author & friend", "who's late."),
    ),
    "a01-003u": ("000", "trainset", ("More of the same", "hand; as it goes")),
    "b02-010": ("012", "trainset", ("Another person", "writes differently # here")),
    "c03-021a": ("150", "validationset1", ("The first validation", "set: one writer")),
    "d04-005": ("151", "validationset2", ("The second one", "has another?")),
    "e05-117": ("400", "testset", ("Tested are", "strangers (all)", "to the net!")),
}
LISTS = ("trainset", "validationset1", "validationset2", "testset")
# Marked as wrongly segmented, and in no list.
ERROR, UNLISTED = "a01-000u-01", "e05-117-02"


def drawn(form: str) -> tuple[Image.Image, str]:
    """The scan of a form, and its description."""
    writer, _, lines = FORMS[form]
    scan = Image.new("L", (WIDTH, HEIGHT), 235)
    pen = ImageDraw.Draw(scan)
    font = ImageFont.load_default(28)
    # What is printed above the handwriting, and must not be in any image.
    pen.rectangle((0, 0, WIDTH, 100), fill=0)
    parts = []
    for number, text in enumerate(lines):
        name = f"{form}-{number:02d}"
        left, top, words = LEFT + 7 * number, TOP + PITCH * number, []
        for place, word in enumerate(text.split()):
            box = pen.textbbox((left, top), word, font=font)
            x, y, right, bottom = map(round, box)
            pen.text((left, top), word, font=font, fill=40)
            component = f'<cmp x="{x}" y="{y}" width="{right - x}" height="{bottom - y}" />'
            words.append(
                f'<word id="{name}-{place:02d}" tag="NN" text="{twice(word)}">{component}</word>'
            )
            left = right + 12
        state = "err" if name == ERROR else "ok"
        parts.append(
            f'<line id="{name}" text="{twice(text)}" threshold="182" segmentation="{state}">\n'
            + "\n".join(words)
            + "</line>"
        )
    description = (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
        '<!DOCTYPE form SYSTEM "http://www.iam.unibe.ch/~fki/iamdb/form-metadata.dtd">\n'
        f'<form created="2000-01-01" height="{HEIGHT}" id="{form}" modified="" width="{WIDTH}"'
        f' version="1.0" writer-id="{writer}">\n<machine-printed-part>\n'
        f'<machine-print-line text="{twice(" ".join(lines))}" />\n</machine-printed-part>\n'
        "<handwritten-part>\n" + "\n".join(parts) + "\n</handwritten-part>\n</form>\n"
    )
    return scan, description


def twice(text: str) -> str:
    """Escaped twice, as the real files are."""
    return html.escape(html.escape(text), quote=True)


def files(*kinds: str) -> dict[str, dict[str, bytes]]:
    """The content of IAM's archives of these kinds, by kind and path."""
    found: dict[str, dict[str, bytes]] = {kind: {} for kind in kinds}
    listed: dict[str, list[str]] = {name: [] for name in LISTS}
    for form, (_, where, lines) in FORMS.items():
        scan, description = drawn(form)
        names = [f"{form}-{number:02d}" for number in range(len(lines))]
        listed[where] += [name for name in names if name != UNLISTED]
        everything = {
            "xml": {f"{form}.xml": description.encode()},
            "forms": {f"{form}.png": png(scan)},
            "lines": {
                f"{form[:3]}/{form}/{name}.png": png(line_of(scan, number))
                for number, name in enumerate(names)
            },
        }
        for kind in kinds:
            found[kind] |= everything.get(kind, {})
    if "task" in kinds:
        found["task"] = {f"{name}.txt": "\n".join(lines).encode() for name, lines in listed.items()}
    return found


def line_of(scan: Image.Image, number: int) -> Image.Image:
    """A line as IAM's own archive of lines has it."""
    return scan.crop((LEFT, TOP + PITCH * number, WIDTH, TOP + PITCH * number + 40))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def put(root: Path, kinds: Iterable[str] = ("xml", "task", "lines", "forms")) -> Path:
    """IAM's files in a folder, unpacked."""
    for kind, members in files(*kinds).items():
        for name, content in members.items():
            path = root / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return root


def archives() -> dict[str, bytes]:
    """IAM's archives by name; those of forms share the forms."""
    found = files("xml", "task", "lines", "forms")
    forms = sorted(found["forms"].items())
    packed = {"xml.tgz": tar(found["xml"]), "lines.tgz": tar(found["lines"])}
    for start, letters in enumerate(("A-D", "E-H", "I-Z")):
        packed[f"forms{letters}.tgz"] = tar(dict(forms[start::3]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in found["task"].items():
            archive.writestr(name, content)
    return packed | {"largeWriterIndependentTextLineRecognitionTask.zip": buffer.getvalue()}


def tar(members: dict[str, bytes]) -> bytes:
    """An archive packed with gzip."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
