"""Lines of stroke fonts as batches / the same strokes, without warps, drawn one by one by Pillow."""
# from week 3

import time
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.measuring import alternate, compare
from lab.data.pen_glyphs import STYLES, letters
from lab.data.pen_lines import PenLines

LINES, BATCH = 1024, 64
SCALE = 3


def by_pillow(text: str, random: np.random.Generator) -> np.ndarray:
    """A slanted line in a random style on noisy paper, drawn three times as large and reduced."""
    glyphs = letters(int(random.integers(len(STYLES))))
    size, slant = 0.6 + 0.1 * random.random(), 0.3 * random.random()
    wide = sum(glyphs[character][1] for character in text)
    image = Image.new("L", (round(SCALE * (0.8 * size * wide + 16)), SCALE * 32))
    draw, pen = ImageDraw.Draw(image), 0.0
    for character in text:
        strokes, width = glyphs[character]
        for stroke in strokes:
            points = [
                (
                    SCALE * (8 + 0.8 * size * (pen + x) - slant * size * y),
                    SCALE * (22 + size * y),
                )
                for x, y in stroke
            ]
            draw.line(points, fill=255, width=SCALE * 2, joint="curve")
        pen += width + random.normal()
    small = image.reduce(SCALE).filter(ImageFilter.GaussianBlur(0.5))
    ink = np.asarray(small) + random.normal(0, 8, small.size[::-1])
    ink = np.clip(ink - np.median(ink), 0, None)
    return (ink * (255 / ink.max())).astype(np.uint8)


def milliseconds(work: Callable[[], None], lines: int) -> float:
    """CPU time of one line."""
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started) / lines


def rows(repeats: int) -> Iterator[dict]:
    """Milliseconds of CPU time for a line."""
    data = PenLines(train_size=LINES, batch_size=BATCH)
    data.setup("fit")

    def ours() -> None:
        for _ in data.train_dataloader():
            pass

    def theirs() -> None:
        random = np.random.default_rng(0)
        for text in data.train_set.texts:
            by_pillow(text, random)

    ours()
    theirs()
    spent = alternate(
        repeats, lambda: milliseconds(ours, LINES), lambda: milliseconds(theirs, LINES)
    )
    yield compare("handwriting: PenLines / Pillow", "CPU ms / line", *spent)
