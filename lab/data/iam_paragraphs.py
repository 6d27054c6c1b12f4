"""IAM's paragraphs of English handwriting: pages read as a whole, by the official split.

Batch: see `lab.data.text_images`; "\\n" is between two lines. What the files say, and the split: see
`lab.data.iam`; a form is in the part that has its lines, and all of its lines are in the paragraph.
"""
# from week 6

from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from lab.data.augment_text import text_augmentations
from lab.data.base import LabData
from lab.data.download import data_folder
from lab.data.iam import CHARACTERS, IAM, Box, Form, check_lengths, form_of, read_iam
from lab.data.iam_files import provide
from lab.data.iam_scans import MARGIN, Scan
from lab.data.stacked_lines import StackedLines, random_plan
from lab.data.stored_text_images import JoinedTextImages, StoredTextImages
from lab.data.text_images import state_text_images
from lab.data.vocabulary import stated_vocabulary
from lab.errors import LabError
from lab.ink import shrink_into, to_ink

# Pixels of a scan from one line to the next, as most write.
LINE = 180
# Of a stacked paragraph, as of a form.
MOST_LINES = 13
SEED = 0


class IAMParagraphs(LabData):
    """The handwriting of IAM's 1199 forms in the writer-independent task; with your account, or a folder.

    The part of a form with handwriting is cut out and scaled down.

    Args:
        path: a folder with IAM's files, packed or not; LAB_DATA_DIR/iam when not given.
        scale: of the scans, which have 300 dots per inch.
        height: H, the highest that an image may be; what is larger is scaled down further.
        width: W, the widest that an image may be.
        synthetic: so many training paragraphs more, stacked from random training lines of one writer.
        augment: strength of random changes of training images, 1 for those as between people.
        characters: the alphabet beside the line break, as such or by the path of a text file; by default
            that of IAM.

    Raises:
        LabError: an option out of range, or files that are missing or damaged.
    """

    # No text of IAM is longer; other data in its form may be.
    text_length = 700

    def __init__(
        self,
        *,
        batch_size: int = 8,
        num_workers: int = 0,
        path: str | None = None,
        scale: float = 0.25,
        height: int = 576,
        width: int = 640,
        synthetic: int = 0,
        augment: float = 0.0,
        characters: str | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        if not 0.05 <= scale <= 1:
            raise LabError(f"--data.scale {scale}: choose 0.05 to 1")
        if not (64 <= height <= 8192 and 64 <= width <= 8192):
            raise LabError(f"--data.height {height}, --data.width {width}: choose 64 to 8192")
        if synthetic < 0:
            raise LabError(f"--data.synthetic {synthetic}: choose 0 (none) or more")
        self.root = Path(path) if path else data_folder() / "iam"
        self.scale, self.height, self.width, self.synthetic = scale, height, width, synthetic
        chosen = CHARACTERS if characters is None else characters
        self.characters = stated_vocabulary(chosen, several_lines=True)
        self.alphabet = self.characters.tokens
        chain = text_augmentations(augment, line=round(LINE * scale))
        state_text_images(self, height=height, width=width, augmentations=chain)

    def prepare_data(self) -> None:
        provide(self.root, ("forms",))

    def setup(self, stage: str) -> None:
        if hasattr(self, "train_set"):
            return
        iam = read_iam(self.root)
        self.writers = iam.writers
        real, self.val_set, self.test_set = (
            self.paragraphs(iam, part) for part in ("train", "val", "test")
        )
        self.train_set = JoinedTextImages([real, self.stacked(iam)]) if self.synthetic else real

    def paragraphs(self, iam: IAM, part: str) -> StoredTextImages:
        """The handwriting of all forms of one part, read into memory."""
        forms, scan = iam.forms_of(part), Scan(iam)
        texts = [form.text for form in forms]
        check_lengths(texts, self.text_length, self.root)
        bar = tqdm(forms, f"IAM, {part}", delay=2, leave=False)
        images = [self.ink(scan, form, form.box, form.id) for form in bar]
        writers = [self.writers.index(form.writer) for form in forms]
        return StoredTextImages(images, texts, writers, self.characters)

    def stacked(self, iam: IAM) -> StackedLines:
        """Paragraphs of training lines, which are as large as in the forms."""
        lines, scan = iam.lines_of("train"), Scan(iam)
        forms = [iam.forms[form_of(line.id)] for line in lines]
        pairs = tqdm(list(zip(forms, lines, strict=True)), "IAM, lines", delay=2, leave=False)
        images = [self.ink(scan, form, line.box, line.id) for form, line in pairs]
        writers = [self.writers.index(form.writer) for form in forms]
        stored = StoredTextImages(images, [line.text for line in lines], writers, self.characters)
        return StackedLines(
            stored,
            random_plan(stored.writers, self.synthetic, most=MOST_LINES, seed=SEED),
            newline=self.alphabet.index("\n"),
            height=self.height,
            width=self.width,
            text_length=self.text_length,
            seed=SEED,
        )

    def ink(self, scan: Scan, form: Form, box: Box | None, name: str) -> Tensor:
        """Ink (H, W) of a part of a form, scaled down."""
        ink = to_ink(scan.part(form, box, name))
        left, top, right, bottom = box or (0, 0, 0, 0)
        high, wide = (
            round((length + 2 * MARGIN) * self.scale) for length in (bottom - top, right - left)
        )
        return shrink_into(ink, min(high, self.height), min(wide, self.width))
