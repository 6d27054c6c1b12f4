"""What a generator makes while it learns: a sheet of moments in training, and an animation of all."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lab.figures.animation import pixels_of, save_animation
from lab.figures.base import save_figure
from lab.figures.images import image_grid, tiles

# Samples in a frame, and frames that are kept; with more, every other one is dropped.
IMAGES, POINTS, MOST = 64, 500, 32


class SamplesOverTime(pl.Callback):
    """Keeps samples from the same noise at validations, and draws them when training ends.

    Figures: `samples_over_time.png` and `.gif`. Frames are part of the checkpoints, so that a resumed run
    shows its beginning too; there are never more than a few dozen, evenly spread.
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.frames: list[Tensor] = []
        self.seen, self.stride = 0, 1
        self.data: Tensor | None = None

    def state_dict(self) -> dict[str, Any]:
        frames = torch.stack(self.frames) if self.frames else torch.empty(0)
        return {"steps": self.steps, "frames": frames, "seen": self.seen, "stride": self.stride}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps, self.frames = list(state_dict["steps"]), list(state_dict["frames"].cpu())
        self.seen, self.stride = state_dict["seen"], state_dict["stride"]

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.data is None:
            self.data = batch[0][:POINTS].float().cpu()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        if self.seen % self.stride == 0:
            self.steps.append(trainer.global_step)
            self.frames.append(self.frame(pl_module))
        self.seen += 1
        if len(self.frames) > MOST:
            self.steps, self.frames = self.steps[::2], self.frames[::2]
            self.stride *= 2

    @torch.no_grad()
    def frame(self, module: Any) -> Tensor:
        """Images (64, C, H, W) as bytes, or points (500, 2)."""
        samples = module(module.noise(IMAGES if module.bounded else POINTS, 0)).float().cpu()
        return (samples * 255).round().to(torch.uint8) if module.bounded else samples

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or not self.frames:
            return
        chosen = torch.linspace(0, len(self.frames) - 1, min(8, len(self.frames))).round().long()
        if pl_module.bounded:
            figure = self.sheet_of_images(chosen.tolist())
            animation = [as_picture(frame) for frame in self.frames]
        else:
            figure = self.sheet_of_points(chosen.tolist())
            animation = self.animation_of_points()
        save_figure(trainer, figure, "samples_over_time")
        save_animation(trainer, animation, "samples_over_time", seconds=0.2)

    def sheet_of_images(self, chosen: list[int]) -> Figure:
        """A row of ten samples at each chosen moment, the same noise in each column."""
        rows = torch.cat([self.frames[place][:10] for place in chosen]) / 255
        labels = [f"step {self.steps[place]}" for place in chosen]
        title = "Samples over time, the same noise in each column"
        return image_grid(rows, columns=10, title=title, row_labels=labels)

    def sheet_of_points(self, chosen: list[int]) -> Figure:
        """A panel for each chosen moment."""
        figure = Figure(figsize=(10, 5.6), layout="constrained")
        figure.suptitle("Samples over time (red) and validation data (grey)")
        for axes, place in zip(figure.subplots(2, 4).flatten(), range(8), strict=True):
            axes.axis("off")
            if place < len(chosen):
                self.scatter(axes, chosen[place])
        return figure

    def animation_of_points(self) -> list[np.ndarray]:
        figure = Figure(figsize=(4, 4.2), dpi=70, layout="constrained")
        pictures = []
        for place in range(len(self.frames)):
            figure.clear()
            axes = figure.add_subplot()
            axes.axis("off")
            self.scatter(axes, place)
            pictures.append(pixels_of(figure))
        return pictures

    def scatter(self, axes: Axes, place: int) -> None:
        """Data and the samples of one frame, in a window around the data."""
        assert self.data is not None
        axes.plot(*self.data.T, ".", ms=4, color="0.75")
        axes.plot(*self.frames[place].T, ".", ms=2, color="tab:red")
        low, high = self.data.min(0).values, self.data.max(0).values
        margin = 0.25 * (high - low)
        axes.set_xlim(float(low[0] - margin[0]), float(high[0] + margin[0]))
        axes.set_ylim(float(low[1] - margin[1]), float(high[1] + margin[1]))
        axes.set_aspect("equal", adjustable="box")
        axes.set_title(f"step {self.steps[place]}", fontsize=10)


def as_picture(frame: Tensor) -> np.ndarray:
    """Images (N, C, H, W) of bytes as one picture (H', W') or (H', W', 3), enlarged."""
    sheet = (tiles(frame / 255, columns=8) * 255).round().to(torch.uint8)
    times = max(1, 320 // sheet.shape[0])
    large = sheet.repeat_interleave(times, 0).repeat_interleave(times, 1)
    return large.squeeze(-1).numpy()
