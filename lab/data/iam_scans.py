"""Parts of IAM's scans: lines and paragraphs, found by the boxes in the descriptions of the forms."""
# from week 3

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from lab.data.iam import IAM, Box, Form, Line, form_of
from lab.errors import LabError
from lab.ink import open_image

# Pixels of the scan around the ink of what is cut out.
MARGIN = 8


def line_images(iam: IAM, lines: Sequence[Line]) -> Iterator[Path | Image.Image]:
    """Of each line its own image, or where there is none the part of its form's scan.

    Raises:
        LabError: there is neither.
    """
    scan = Scan(iam)
    for line in lines:
        if line.id in iam.files.lines:
            yield iam.files.lines[line.id]
        else:
            yield scan.part(iam.forms[form_of(line.id)], line.box, line.id)


class Scan:
    """Parts of forms; the one that was read last is kept, so that its lines take no more time."""

    def __init__(self, iam: IAM) -> None:
        self.iam = iam
        self.form: Form | None = None

    def part(self, form: Form, box: Box | None, name: str) -> Image.Image:
        """The part of a form in a box, and a margin around it; scans that were scaled fit as well.

        Raises:
            LabError: there is no scan of the form, or no box.
        """
        root, scans = self.iam.files.root, self.iam.files.forms
        if form.id not in scans:
            raise LabError(f"{root}: there is no image of {name}, nor of form {form.id}")
        if box is None:
            raise LabError(f"{self.iam.files.xml[form.id]}: it does not tell where {name} is")
        if form is not self.form:
            self.form, self.image = form, open_image(scans[form.id])
        scale = self.image.width / form.width
        left, top, right, bottom = box
        return self.image.crop(
            (
                max(round((left - MARGIN) * scale), 0),
                max(round((top - MARGIN) * scale), 0),
                min(round((right + MARGIN) * scale), self.image.width),
                min(round((bottom + MARGIN) * scale), self.image.height),
            )
        )
