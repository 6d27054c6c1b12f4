"""Animated pictures as GIF files."""

from collections.abc import Sequence

import numpy as np
import pytorch_lightning as pl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from lab.figures.base import figure_path


def pixels_of(figure: Figure) -> np.ndarray:
    """A figure as an RGB picture (H, W, 3) of bytes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_animation(
    trainer: pl.Trainer, frames: Sequence[np.ndarray], name: str, *, seconds: float = 0.1
) -> None:
    """Write `figures/<name>.gif` of frames (H, W) or (H, W, 3) of bytes; loggers with `log_video` get it.

    Args:
        seconds: how long each frame stands; the last one stands for ten.
    """
    path = figure_path(trainer, f"{name}.gif")
    first, *rest = (Image.fromarray(frame) for frame in frames)
    milliseconds = round(1000 * seconds)
    durations = [milliseconds] * len(rest) + [10 * milliseconds]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0)
    for logger in trainer.loggers:
        if hasattr(logger, "log_video"):
            logger.log_video(key=f"figures/{name}", videos=[str(path)])
