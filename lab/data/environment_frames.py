"""Pictures of states, (H, W, 3) bytes: drawn here, since Gymnasium's own need a game library."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Color = tuple[int, int, int]
WHITE, BLACK, GREY = (255, 255, 255), (30, 30, 30), (150, 150, 150)
BLUE, ORANGE = (31, 119, 180), (255, 127, 14)
GREEN, RED = (44, 160, 44), (214, 39, 40)
# What is drawn twice as large and made smaller has smooth edges.
FINER = 2


class Sheet:
    """A drawing in points, made into pixels at the end."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.image = Image.new("RGB", (width * FINER, height * FINER), WHITE)
        self.draw = ImageDraw.Draw(self.image)

    def box(self, left: float, top: float, right: float, bottom: float, color: Color) -> None:
        self.draw.rectangle([FINER * v for v in (left, top, right, bottom)], fill=color)

    def line(self, points: Sequence[float], color: Color, width: float) -> None:
        self.draw.line([FINER * v for v in points], fill=color, width=round(FINER * width))

    def disc(self, x: float, y: float, radius: float, color: Color) -> None:
        corners = (x - radius, y - radius, x + radius, y + radius)
        self.draw.ellipse([FINER * v for v in corners], fill=color)

    def text(self, x: float, y: float, words: str, color: Color, size: float = 14) -> None:
        self.draw.text(
            (FINER * x, FINER * y), words, fill=color, font_size=FINER * size, anchor="mm"
        )

    def pixels(self) -> np.ndarray:
        return np.asarray(self.image.resize(self.size, Image.Resampling.BOX))


def draw_cart_pole(observation: np.ndarray, action: int) -> np.ndarray:
    """Cart, pole and the push, for place (m), speed, angle (rad) and its speed."""
    place, _, angle, _ = (float(value) for value in observation)
    sheet, track, scale = Sheet(300, 150), 120, 55
    x, length = 150 + scale * place, 90
    sheet.line((0, track, 300, track), GREY, 1)
    for end in (-2.4, 2.4):
        sheet.line((150 + scale * end, track - 8, 150 + scale * end, track + 8), RED, 2)
    sheet.box(x - 18, track - 10, x + 18, track + 10, BLACK)
    tip = (x + length * math.sin(angle), track - 10 - length * math.cos(angle))
    sheet.line((x, track - 10, *tip), ORANGE, 6)
    sheet.disc(x, track - 10, 4, BLUE)
    side = 1 if action == 1 else -1
    sheet.line((x + 20 * side, track, x + 34 * side, track), BLUE, 3)
    return sheet.pixels()


def draw_grid(
    rows: Sequence[str], place: tuple[int, int], move: tuple[int, int], cell: int = 48
) -> np.ndarray:
    """A map of walls #, goals G and pits P; where the agent is (row, column) and where it means to go."""
    sheet = Sheet(cell * len(rows[0]), cell * len(rows))
    colors = {"#": GREY, "G": GREEN, "P": RED}
    for row, line in enumerate(rows):
        for column, kind in enumerate(line):
            left, top = column * cell, row * cell
            sheet.box(left, top, left + cell, top + cell, BLACK)
            inside = (left + 1, top + 1, left + cell - 1, top + cell - 1)
            sheet.box(*inside, colors.get(kind, WHITE))
            if kind in "GP":
                sheet.text(left + cell / 2, top + cell / 2, "+1" if kind == "G" else "-1", WHITE)
    y, x = (cell * (index + 0.5) for index in place)
    sheet.disc(x, y, cell / 5, BLUE)
    dy, dx = (0.38 * cell * part for part in move)
    sheet.line((x, y, x + dx, y + dy), BLUE, 4)
    return sheet.pixels()


def draw_digit(image: np.ndarray, action: int, right: int) -> np.ndarray:
    """An image (1, 8, 8) in [0, 1], and what was said of it, green if right."""
    sheet = Sheet(140, 96)
    grey = Image.fromarray((255 * (1 - image[0])).astype(np.uint8))
    side = 96 * FINER
    sheet.image.paste(grey.resize((side, side), Image.Resampling.NEAREST))
    sheet.text(118, 48, str(action), GREEN if action == right else RED, size=32)
    return sheet.pixels()
