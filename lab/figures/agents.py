"""Figures of agents: how their returns grow while they learn, and an episode that they play."""

from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lab.figures.animation import save_animation
from lab.figures.base import save_figure

# An animation of more pictures takes long to load.
MOST_FRAMES = 120
# Episodes that are averaged into a point of the curve.
POINTS = 200


class ReturnCurve(pl.Callback):
    """Returns of the training's episodes over environment steps, with the validations' means."""

    def __init__(self) -> None:
        self.train: list[list[float]] = []
        self.val: list[list[float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.train += [list(point) for point in pl_module.progress.ended]

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        # Callbacks come before the model, so the metric is asked itself.
        if not trainer.sanity_checking:
            value = pl_module.metrics["val"]["return"].compute().item()
            self.val.append([float(pl_module.progress.env_steps), value])

    def state_dict(self) -> dict[str, Any]:
        return {"train": torch.tensor(self.train), "val": torch.tensor(self.val)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train, self.val = state_dict["train"].tolist(), state_dict["val"].tolist()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.is_global_zero and self.train:
            save_figure(trainer, draw_returns(self.train, self.val), "returns")


def draw_returns(train: list[list[float]], val: list[list[float]]) -> Figure:
    """Pairs of environment steps and returns as a curve."""
    steps, returns = torch.tensor(train, dtype=torch.double).unbind(1)
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="environment steps", ylabel="return of an episode")
    axes.set_title(f"Returns while learning, {len(returns)} episodes")
    # Of returns that are only 0 or 1, points would tell nothing.
    if len(returns) <= 5000:
        axes.plot(steps, returns, ".", ms=3, color="0.75", label="training episodes")
    size = max(len(returns) // POINTS, 1)
    means = [[part.mean() for part in column.split(max(size, 5))] for column in (steps, returns)]
    axes.plot(*means, lw=1.5, color="tab:blue", label=f"mean of {max(size, 5)} of them")
    if val:
        axes.plot(
            *zip(*val, strict=True), "o-", ms=4, color="tab:orange", label="validation, greedy"
        )
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


class EpisodeFilm(pl.Callback):
    """An episode as the agent plays it after the training: a GIF, or, undrawn, its observations over time."""

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not trainer.is_global_zero or data is None:
            return
        observations, pictures = data.film(pl_module)
        if pictures:
            every = -(-len(pictures) // MOST_FRAMES)
            save_animation(trainer, pictures[::every], "episode")
        else:
            save_figure(trainer, draw_observations(observations), "episode")


def draw_observations(observations: Tensor) -> Figure:
    """Each number of the observations (T, *S) over the steps of an episode; the first twelve."""
    lines = observations.flatten(1).T[:12]
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="observation")
    axes.set_title(f"What the agent saw in an episode of {len(observations)} steps")
    for number, line in enumerate(lines):
        axes.plot(line, lw=1.2, label=f"number {number}")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    return figure
