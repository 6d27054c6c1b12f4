"""Paragraphs stacked from the lines of a folder: real handwriting, as many different pages as one likes.

Batch: see `lab.data.text_images`; "\\n" is between two lines. The form of the folder: see
`lab.data.line_table`. Split: as the table says. Training paragraphs are of random lines of one writer each;
those of validation and test are of lines in the order of the table, each line once.
"""
# from week 6

from functools import cached_property

from lab.data.augment_text import text_augmentations
from lab.data.base import LabData
from lab.data.line_folder import check_line_size, stored_lines
from lab.data.line_table import LineTable
from lab.data.stacked_lines import GAPS, StackedLines, random_plan, whole_plan
from lab.data.text_images import state_text_images
from lab.data.vocabulary import CharVocabulary, stated_vocabulary
from lab.errors import LabError
from lab.seeding import mixed_seed


class LineParagraphs(LabData):
    """Paragraphs put together from the line images of a folder or zip, as of LineFolder.

    Args:
        path: the folder or zip, as it is or below LAB_DATA_DIR; see `lab.data.line_table` for its form.
        train_size: different training paragraphs.
        lines: most lines of a paragraph.
        height: to which each line is scaled; H follows from it.
        width: W; lines that are wider are squeezed.
        augment: strength of random changes of training images, 1 for those as between people.
        characters: the alphabet beside the line break, see LineFolder.

    Raises:
        LabError: an option out of range; no such folder, a wrong line in its table, or a missing or
            damaged image.
    """

    def __init__(
        self,
        *,
        batch_size: int = 16,
        num_workers: int = 0,
        path: str | None = None,
        train_size: int = 5000,
        lines: int = 5,
        height: int = 32,
        width: int = 768,
        augment: float = 0.0,
        characters: str | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_line_size(height, width)
        if train_size < 1:
            raise LabError(f"--data.train_size {train_size}: choose 1 or more")
        if not 1 <= lines <= 40:
            raise LabError(f"--data.lines {lines}: choose 1 to 40")
        self.table = LineTable(path)
        self.train_size, self.lines, self.height, self.width = train_size, lines, height, width
        self.stated = characters
        # The first line may stand off the upper edge, too.
        self.page_height = int(lines * height * (1 + GAPS[1]))
        chain = text_augmentations(augment, line=height)
        state_text_images(self, height=self.page_height, width=width, augmentations=chain)

    @cached_property
    def characters(self) -> CharVocabulary:
        """The numbers of the characters; the table is read to know them."""
        if self.stated is not None:
            return stated_vocabulary(self.stated, several_lines=True)
        return CharVocabulary(self.table.training_characters + "\n", unknown=True)

    @property
    def alphabet(self) -> tuple[str, ...]:
        """Characters by number, the first of which is the unknown one."""
        return self.characters.tokens

    @property
    def text_length(self) -> int:
        """Characters that a paragraph can have."""
        return self.lines * (self.table.longest + 1) - 1

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
                self.stacked(part, seed) for seed, part in enumerate(("train", "val", "test"))
            )

    def stacked(self, part: str, seed: int) -> StackedLines:
        """The paragraphs of one part."""
        lines = stored_lines(
            self.table, part, self.characters, height=self.height, width=self.width
        )
        plan = (
            random_plan(lines.writers, self.train_size, most=self.lines, seed=mixed_seed(seed))
            if part == "train"
            else whole_plan(lines.writers, most=self.lines)
        )
        return StackedLines(
            lines,
            plan,
            newline=self.alphabet.index("\n"),
            height=self.page_height,
            width=self.width,
            text_length=self.text_length,
            seed=mixed_seed(seed),
        )
