"""Lines of writing from a folder or zip of one's own, with a table of their texts.

Batch: see `lab.data.text_images`. The form of folder and table: see `lab.data.line_table`.
Split: as the table says. What the lines of a split have in common, such as their writers, is up to whoever
made it.
"""
# from week 3

from functools import cached_property

from lab.data.augment_text import text_augmentations
from lab.data.base import LabData
from lab.data.line_table import PARTS, LineTable, image_names, opened_files
from lab.data.stored_text_images import StoredTextImages
from lab.data.text_images import state_text_images
from lab.data.vocabulary import CharVocabulary, stated_vocabulary
from lab.errors import LabError
from lab.ink import line_ink


class LineFolder(LabData):
    """Lines of handwriting from images in a folder or zip, with a tab-separated file of id, split, text.

    Args:
        path: the folder or zip, as it is or below LAB_DATA_DIR; see `lab.data.line_table` for its form.
        height: H, to which each image is scaled.
        width: the widest that an image may be; what is wider is squeezed.
        augment: strength of random changes of training images, 1 for those as between people.
        characters: the alphabet, as such or by the path of a text file; by default that of the training
            texts. Say the same here and where a net is trained beforehand. All others are unknown.

    Raises:
        LabError: an option out of range; no such folder, a wrong line in its table, or a missing or
            damaged image.
    """

    def __init__(
        self,
        *,
        batch_size: int = 32,
        num_workers: int = 0,
        path: str | None = None,
        height: int = 56,
        width: int = 1536,
        augment: float = 0.0,
        characters: str | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_line_size(height, width)
        self.table = LineTable(path)
        self.height, self.width, self.stated = height, width, characters
        state_text_images(
            self, height=height, width=width, augmentations=text_augmentations(augment)
        )

    @cached_property
    def characters(self) -> CharVocabulary:
        """The numbers of the characters; the table is read to know them."""
        if self.stated is not None:
            return stated_vocabulary(self.stated)
        return CharVocabulary(self.table.training_characters, unknown=True)

    @property
    def alphabet(self) -> tuple[str, ...]:
        """Characters by number, the first of which is the unknown one."""
        return self.characters.tokens

    @property
    def text_length(self) -> int:
        """Characters of the longest text."""
        return self.table.longest

    @property
    def writers(self) -> tuple[str, ...]:
        """Names by number."""
        return self.table.writers

    def prepare_data(self) -> None:
        # Whoever named no folder is told so before anything else.
        _ = self.table.root

    def setup(self, stage: str) -> None:
        if not hasattr(self, "train_set"):
            self.train_set, self.val_set, self.test_set = (
                stored_lines(
                    self.table, part, self.characters, height=self.height, width=self.width
                )
                for part in PARTS
            )


def check_line_size(height: int, width: int) -> None:
    """Refuse images in which nobody could read, or that need too much memory."""
    if not 8 <= height <= 256:
        raise LabError(f"--data.height {height}: choose 8 to 256")
    if not height <= width <= 8192:
        raise LabError(f"--data.width {width}: choose {height} (--data.height) to 8192")


def stored_lines(
    table: LineTable, part: str, vocabulary: CharVocabulary, *, height: int, width: int
) -> StoredTextImages:
    """The lines of one part, read into memory."""
    rows = [row for row in table.rows if row.split == part]
    images = []
    with opened_files(table.root) as files:
        for name in image_names(files, rows):
            try:
                images.append(line_ink(files.read(name), height=height, width=width))
            except LabError as error:
                raise LabError(f"{table.root}, {name}: {error}") from error
    number = {writer: index for index, writer in enumerate(table.writers)}
    writers = [number[row.writer] for row in rows]
    return StoredTextImages(images, [row.text for row in rows], writers, vocabulary)
