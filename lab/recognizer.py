"""Read handwriting in images with a trained net that was saved to one file.

The file has programs of `torch.export`, so neither the net's class nor Lightning nor W&B is needed to use it.

Run:  python -m lab.recognizer MODEL IMAGE...
      prints the text of each image, after its name if there are several; exit code 1 if one can't be read.
Make: python training/export_recognizer.py runs/NAME MODEL
"""
# from week 3

import argparse
import sys
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.ctc import greedy_with_confidence
from lab.errors import LabError
from lab.ink import LONGEST_SIDE, Source, line_ink, page_ink
from lab.recognizer_file import STEP, Facts, read_recognizer
from lab.transcribing import transcribe


@dataclass(frozen=True)
class Reading:
    """What is written in an image, and how sure the net is of each character, from 0 to 1."""

    text: str
    confidences: tuple[float, ...]

    @property
    def confidence(self) -> float:
        """The mean over the characters; 0 if there are none."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0


class _Recognizer:
    """What readers of lines and of paragraphs have in common.

    Attributes:
        alphabet: characters by number; tokens that are none, such as the unknown one, are never read.
    """

    kind: str

    def __init__(self, facts: Facts, programs: dict[str, Any]) -> None:
        self.facts, self.programs = facts, programs
        self.alphabet = facts.alphabet
        self.never = [number for number, token in enumerate(self.alphabet) if len(token) != 1]

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Any:
        """The reader in a file that `training/export_recognizer.py` made.

        Raises:
            LabError: there is no such file, it has no reader, or one of the other kind.
        """
        facts, programs = read_recognizer(Path(path))
        if facts.kind != cls.kind:
            other = KINDS[facts.kind].__name__
            raise LabError(
                f"{path}: it does not read a {cls.kind}, but a {facts.kind}: use {other}"
            )
        return cls(facts, programs)

    def read(self, image: Source) -> Reading:
        """What is written in an image: a file, its bytes, an array (H, W) or (H, W, C), or a PIL image.

        Dark on light or light on dark, of any size, turned as its EXIF data say.

        Raises:
            LabError: no image, or none that can be read.
        """
        ink = self.ink(image)
        height, width = ink.shape
        images = F.pad(ink, (0, -width % STEP, 0, self.below(height)))[None, None].float() / 255
        sizes = torch.tensor([[height, width]])
        with torch.no_grad():
            decode = self.spelled if "logits" in self.programs else self.written
            numbers, confidences = decode(images, sizes)
        text = "".join(self.alphabet[number] for number in numbers.tolist())
        return Reading(text, tuple(confidences.tolist()))

    def ink(self, image: Source) -> Tensor:
        """What the net is shown of an image: (H, W), uint8."""
        raise NotImplementedError

    def below(self, height: int) -> int:
        """How many rows of paper the net needs below so many."""
        return 0

    def spelled(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers and confidences (L,) of a net's output positions, for CTC."""
        logits, frames = self.programs["logits"](images, sizes)
        hidden = torch.tensor(self.never, dtype=torch.long)
        numbers, sure = greedy_with_confidence(logits.index_fill(2, hidden, -torch.inf), frames)
        return numbers[0], sure[0]

    def written(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers and confidences (L,) of what a decoder writes, token by token."""
        found = transcribe(
            _Writer(self.programs),
            images,
            sizes,
            end=len(self.alphabet),
            length=self.facts.text_length,
            beam=self.facts.beam,
            never=self.never,
        )
        return found.tokens[0], found.probabilities[0]


class LineRecognizer(_Recognizer):
    """Reads images of one line of writing each."""

    kind = "line"

    def ink(self, image: Source) -> Tensor:
        # Output positions go on as long as the line does; a decoder knows none longer than in training.
        width = LONGEST_SIDE if "logits" in self.programs else self.facts.width
        return line_ink(image, height=self.facts.height, width=width)


class ParagraphRecognizer(_Recognizer):
    """Reads images of several lines of writing each."""

    kind = "paragraph"

    def ink(self, image: Source) -> Tensor:
        return page_ink(image, height=self.facts.height, width=self.facts.width)

    def below(self, height: int) -> int:
        return -height % STEP


KINDS = {cls.kind: cls for cls in (LineRecognizer, ParagraphRecognizer)}


class _Writer:
    """An encoder-decoder net of exported programs, for `transcribe`; one image at a time."""

    def __init__(self, programs: dict[str, Any]) -> None:
        self.programs = programs
        self.decoder = self

    def encode(self, images: Tensor, sizes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        memory, mask = self.programs["encode"](images, sizes)
        # What is beyond the image is left out rather than masked, and so never looked at.
        return memory[mask][None], None

    def start(self, memory: Tensor, mask: Tensor | None, room: int | None = None) -> "_State":
        keys, values = self.programs["remember"](memory)
        return _State(keys[:, :, :, :0], values[:, :, :, :0], keys, values)

    def step(self, tokens: Tensor, state: "_State") -> Tensor:
        logits, state.keys, state.values = self.programs["step"](tokens, *state.tensors())
        return logits


@dataclass
class _State:
    """Keys and values (depth, B, H, n, D/H) of the tokens so far, and of what was seen."""

    keys: Tensor
    values: Tensor
    memory_keys: Tensor
    memory_values: Tensor

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.keys, self.values, self.memory_keys, self.memory_values

    def keep(self, rows: Tensor) -> None:
        """Go on with these texts only, by their numbers; one may come several times."""
        self.keys, self.values, self.memory_keys, self.memory_values = (
            tensor[:, rows] for tensor in self.tensors()
        )

    def swap(self, rows: Tensor) -> None:
        """As `keep`, where all have seen the same."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]


def main(words: list[str]) -> int:
    """The command: 0 if all images were read, 1 if some could not be, 2 if there is no reader."""
    parser = argparse.ArgumentParser(
        "python -m lab.recognizer", description="Print what is written in images."
    )
    parser.add_argument("model", help="file that training/export_recognizer.py made")
    parser.add_argument("images", nargs="+", metavar="image", help="image files")
    given = parser.parse_args(words)
    try:
        facts, programs = read_recognizer(Path(given.model))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    recognizer = KINDS[facts.kind](facts, programs)
    code = 0
    for image in given.images:
        try:
            text = recognizer.read(image).text
        except LabError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 1
        else:
            gap = "\n" if "\n" in text else " "
            print(f"{image}:{gap}{text}" if len(given.images) > 1 else text)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
