"""The file of a reader: a zip with what it must know, in JSON, and its programs of `torch.export`.

Programs of a net for CTC: `logits`, from images and sizes to logits and frames. Of an encoder-decoder net:
`encode`, from images and sizes to a memory and where it is not padding; `remember`, from a memory to its keys
and values; `step`, from a token, keys and values to logits, and keys and values.
Images are (1, 1, H, W), W and, for paragraphs, H being multiples of `STEP`; sizes (1, 2) are the true ones.
"""
# from week 3

import io
import json
import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

# Programs may have an operator that this module registers.
import lab.nets.line_cnn_lstm as _  # noqa: F401
from lab.errors import LabError

STEP = 16
FORMAT = "deep-learning-lab reader 1"
FACTS = "facts.json"


@dataclass(frozen=True)
class Facts:
    """What a reader must know beside its programs.

    Attributes:
        kind: what is read at once, "line" or "paragraph".
        alphabet: characters by number.
        height: of a line, or of the largest page.
        width: of the widest image in training.
        text_length: most characters of a text.
        beam: how many beginnings of a text are followed at once.
    """

    kind: str
    alphabet: tuple[str, ...]
    height: int
    width: int
    text_length: int
    beam: int = 1


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch says of itself while it exports and loads."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def read_recognizer(path: Path) -> tuple[Facts, dict[str, Any]]:
    """The facts of a reader, and its programs as functions.

    Raises:
        LabError: there is no such file, it is damaged, or it is no reader.
    """
    if not path.is_file():
        raise LabError(f"{path}: there is no such file")
    try:
        with quiet(), zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(FACTS))
            if content.pop("format") != FORMAT:
                raise LabError(f"{path}: it was made by another version; export the reader again")
            facts = Facts(**content | {"alphabet": tuple(content["alphabet"])})
            names = [name for name in archive.namelist() if name.endswith(".pt2")]
            programs = {
                name.removesuffix(".pt2"): torch.export.load(
                    io.BytesIO(archive.read(name))
                ).module()
                for name in names
            }
    except LabError:
        raise
    # What is damaged fails in many ways inside of torch.
    except Exception as error:
        raise LabError(
            f"{path}: damaged, or not a reader.\n"
            "Make one from a run: python training/export_recognizer.py runs/NAME MODEL"
        ) from error
    return facts, programs
