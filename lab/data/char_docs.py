"""The English reference text that ships inside CPython: real prose with some code, no download.

Shapes: x, y (B, T) token numbers; y is x moved on by one character.
Source: `pydoc_data.topics`, what `help("topics")` shows (Python Software Foundation licence). Releases of
CPython differ in it by some per cent.
"""

from bisect import bisect_right
from itertools import accumulate

from torch.utils.data import DataLoader

from lab.data.base import LabData
from lab.data.char_windows import check_windows, prompt_loader, window_sets
from lab.data.vocabulary import ASCII, CharVocabulary

# What every release of CPython is read with, whatever characters are in it.
CHARACTERS = CharVocabulary("\n" + ASCII, unknown=True)


def paragraphs() -> list[str]:
    """The topics' paragraphs in alphabetical order of topics, each once.

    Topics quote one another at length, so without this the test would hold what training has seen.
    """
    from pydoc_data.topics import topics

    found: dict[str, str] = {}
    for topic in sorted(topics):
        for paragraph in topics[topic].split("\n\n"):
            # The same words may be wrapped or indented differently.
            found.setdefault(" ".join(paragraph.split()), paragraph.strip("\n"))
    found.pop("", None)
    return list(found.values())


class PythonDocs(LabData):
    """The Python language reference of CPython itself, 370 000 characters; needs no download.

    Cut by position between paragraphs: the first 80 % are for training, 10 % for validation, 10 % for the
    test. No paragraph is there twice.

    Args:
        context: T, characters in a window.
        overlap: how many of them, in validation and test, are there for context only.
        prompt: the text that `predict` continues.

    Raises:
        LabError: an option out of range.
    """

    def __init__(
        self,
        *,
        batch_size: int = 32,
        num_workers: int = 0,
        context: int = 64,
        overlap: int = 32,
        prompt: str = "The ",
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        check_windows(context, overlap)
        self.context, self.overlap, self.prompt = context, overlap, prompt
        self.input_shape = (context,)
        self.vocabulary = CHARACTERS.tokens

    def setup(self, stage: str) -> None:
        parts = paragraphs()
        ends = list(accumulate(map(len, parts)))
        first, second = (bisect_right(ends, share * ends[-1]) for share in (0.8, 0.9))
        train, val, test = (
            CHARACTERS.encode("\n\n".join(part))
            for part in (parts[:first], parts[first:second], parts[second:])
        )
        self.train_set, self.val_set, self.test_set = window_sets(
            train, val, test, context=self.context, overlap=self.overlap
        )

    def predict_dataloader(self) -> DataLoader:
        return prompt_loader(CHARACTERS.encode(self.prompt))
