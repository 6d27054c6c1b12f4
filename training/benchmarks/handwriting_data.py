"""Lines put together from glyphs, and augmented, a batch at a time / glyph by glyph, image by image.

By hand each glyph is chosen among those of its character, resized by PIL where sizes differ, and added to its
line. EMNIST's test part is used where it is in the data folder, else random pictures of its size.
"""
# from week 3

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.measuring import alternate, compare
from lab.data.augment import for_images
from lab.data.augment_text import text_augmentations
from lab.data.base import Batch
from lab.data.digit_lines import BOX, HEIGHT, DigitLines
from lab.data.digits import Digits
from lab.data.emnist_lines import ALPHABET, EMNISTLines
from lab.data.glyph_lines import GlyphImages, Glyphs
from lab.data.images import stored

BATCH, LINES, FEW = 64, 6400, 320


def speed(count: int, work: Callable[[], Any]) -> float:
    """How many of `count` lines are made for each CPU second."""
    started = time.process_time()
    work()
    return count / (time.process_time() - started)


def by_batches(part: GlyphImages, batches: Sequence[Tensor]) -> list[Batch]:
    """Our lines, a batch at a time."""
    return [part.__getitems__(batch.numpy()) for batch in batches]


def by_hand(
    texts: list[list[int]], glyphs: dict[int, list[np.ndarray]], box: int, high: int
) -> list[Tensor]:
    """Lines of character numbers, in which each has one of its glyphs of at most `box` pixels."""
    lines = []
    for text in texts:
        line = np.zeros((high, box * (2 * len(text) + 1)), dtype=int)
        overlap, x = np.random.uniform(0, 0.3), 0
        size = np.random.randint(box - 2, box + 1, 2)
        for character in text:
            if character not in glyphs:
                x += box // 2
                continue
            glyph = glyphs[character][np.random.randint(len(glyphs[character]))]
            if glyph.shape != (box, box):
                glyph = np.asarray(Image.fromarray(glyph).resize(size, Image.Resampling.BILINEAR))
            tall, wide = glyph.shape
            top = np.random.randint(high - tall + 1)
            line[top : top + tall, x : x + wide] += glyph
            x += int(wide * (1 - overlap))
        line = line[:, : x + box].clip(max=255)
        lines.append(torch.from_numpy(line.astype(np.uint8)))
    return lines


def texts_of(part: GlyphImages, count: int) -> list[list[int]]:
    """The first texts as lists of character numbers."""
    return [[number for number in row if number >= 0] for row in part.tokens[:count].tolist()]


def grouped(pictures: np.ndarray, numbers: np.ndarray) -> dict[int, list[np.ndarray]]:
    """Pictures, rows first, by their character."""
    return {number: list(pictures[numbers == number]) for number in set(numbers.tolist())}


def digits() -> tuple[GlyphImages, dict[int, list[np.ndarray]]]:
    """Our lines of digits, and the digits they are made of."""
    data, source = DigitLines(train_size=LINES), Digits()
    for module in (data, source):
        module.setup("fit")
    images, labels = source.train_set.tensors
    return data.train_set, grouped((images[:, 0] * 255).byte().numpy(), labels.numpy() + 1)


def letters() -> tuple[GlyphImages, dict[int, list[np.ndarray]]]:
    """Our lines of letters, and the letters they are made of."""
    data = EMNISTLines(source="test", train_size=LINES)
    if all(stored(file).is_file() for file in data.emnist.files()[2:]):
        glyphs = data.glyphs()[0]
    else:
        random = np.random.RandomState(0)
        numbers = np.arange(6200) % (len(ALPHABET) - 1) + 1
        pictures = random.randint(0, 256, (len(numbers), 28, 28)).astype(np.uint8)
        glyphs = Glyphs(pictures, numbers, alphabet=len(ALPHABET))
    numbers = np.empty(len(glyphs.order), dtype=int)
    numbers[glyphs.order] = np.repeat(np.arange(len(ALPHABET)), glyphs.counts)
    part = data.lines(glyphs, "train", LINES)
    return part, grouped(glyphs.pictures.transpose(0, 2, 1), numbers)


def augmented_by_hand(images: Tensor) -> list[Tensor]:
    """Images (B, 1, H, W) moved, bent and shaded one by one by torchvision."""
    from torchvision.transforms import v2

    chain = v2.Compose(
        [
            v2.RandomAffine(1, translate=(0.02, 0.04), scale=(0.9, 1.0), shear=(-14, 14)),
            v2.ElasticTransform(alpha=20.0, sigma=5.0),
            v2.ColorJitter(brightness=0.2, contrast=0.2),
            v2.GaussianNoise(sigma=0.03),
        ]
    )
    return [chain(image) for image in images]


def rows(repeats: int) -> Iterator[dict]:
    """Lines for each CPU second: of digits, of letters, and augmented in 48 x 640 pixels."""
    made = {"DigitLines": (digits(), BOX, HEIGHT), "EMNISTLines": (letters(), 28, 28)}
    for name, ((part, glyphs), box, high) in made.items():
        batches = torch.randperm(LINES, generator=torch.Generator().manual_seed(0)).split(BATCH)
        ours = partial(speed, LINES, partial(by_batches, part, batches))
        texts = texts_of(part, FEW)
        theirs = partial(speed, FEW, partial(by_hand, texts, glyphs, box, high))
        pair = alternate(repeats, ours, theirs)
        yield compare(f"handwriting: {name} / glyph by glyph", "lines / CPU s", *pair)

    images = (torch.rand(BATCH, 1, 48, 640) < 0.1).float()
    ours = partial(speed, BATCH, partial(for_images(text_augmentations(1.0)), (images,)))
    theirs = partial(speed, BATCH, partial(augmented_by_hand, images))
    yield compare(
        "handwriting: augmentation / torchvision's",
        "lines / CPU s",
        *alternate(repeats, ours, theirs),
    )
