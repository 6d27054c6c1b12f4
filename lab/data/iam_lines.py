"""IAM's lines of English handwriting, by its official split, in which no writer is in two parts.

Batch: see `lab.data.text_images`. What the files say, and the split: see `lab.data.iam`.
"""
# from week 3

from pathlib import Path

from tqdm import tqdm

from lab.data.augment_text import text_augmentations
from lab.data.base import LabData
from lab.data.download import data_folder
from lab.data.iam import CHARACTERS, IAM, check_lengths, form_of, read_iam
from lab.data.iam_files import provide
from lab.data.iam_scans import line_images
from lab.data.line_folder import check_line_size
from lab.data.stored_text_images import StoredTextImages
from lab.data.text_images import state_text_images
from lab.data.vocabulary import stated_vocabulary
from lab.ink import line_ink


class IAMLines(LabData):
    """The 9862 lines of IAM's writer-independent task; downloaded with your account, or a folder.

    Line images are taken as they are; where there are scans of forms only, lines are cut out of them.

    Args:
        path: a folder with IAM's files, packed or not; LAB_DATA_DIR/iam when not given.
        height: H, to which each image is scaled.
        width: the widest that an image may be; what is wider is squeezed.
        augment: strength of random changes of training images, 1 for those as between people.
        characters: the alphabet, as such or by the path of a text file; by default that of IAM.

    Raises:
        LabError: an option out of range, or files that are missing or damaged.
    """

    # No text of IAM is longer; other data in its form may be.
    text_length = 96

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
        self.root = Path(path) if path else data_folder() / "iam"
        self.height, self.width = height, width
        self.characters = stated_vocabulary(CHARACTERS if characters is None else characters)
        self.alphabet = self.characters.tokens
        state_text_images(
            self, height=height, width=width, augmentations=text_augmentations(augment)
        )

    def prepare_data(self) -> None:
        provide(self.root, ("lines", "forms"))

    def setup(self, stage: str) -> None:
        if hasattr(self, "train_set"):
            return
        iam = read_iam(self.root)
        self.writers = iam.writers
        self.train_set, self.val_set, self.test_set = (
            self.stored(iam, part) for part in ("train", "val", "test")
        )

    def stored(self, iam: IAM, part: str) -> StoredTextImages:
        """The lines of one part, read into memory."""
        lines = iam.lines_of(part)
        check_lengths([line.text for line in lines], self.text_length, self.root)
        images = []
        for image in tqdm(
            line_images(iam, lines), f"IAM, {part}", len(lines), delay=2, leave=False
        ):
            images.append(line_ink(image, height=self.height, width=self.width))
        writers = [self.writers.index(iam.forms[form_of(line.id)].writer) for line in lines]
        return StoredTextImages(images, [line.text for line in lines], writers, self.characters)
