"""A game: the discriminator's loss over the steps, and generated points on real ones at its end."""

from types import ModuleType

import numpy as np
import torch
from matplotlib.figure import Figure


def draw(impl: ModuleType) -> Figure:
    game = impl.train_gan(0)
    smooth = np.convolve(game.losses, np.ones(25) / 25, mode="valid")
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(np.arange(len(smooth)) + 25, smooth, color="#0072b2", label="mean of 25 steps")
    left.axhline(2 * np.log(2), color="black", linestyle="--", linewidth=1, label="2 ln 2")
    left.set(xlabel="steps", ylabel="loss of the discriminator", ylim=(0, 1.8))
    left.legend(fontsize=8, loc="lower right")
    real = impl.real_points(400)
    with torch.no_grad():
        fake = game.generator(torch.randn(400, 2))
    right.scatter(*real.T.numpy(), s=10, marker="o", color="#56b4e9", label="real")
    right.scatter(*fake.T.numpy(), s=12, marker="x", linewidth=0.8, color="#d55e00", label="made")
    path = game.means.numpy()
    right.plot(*path.T, color="black", linewidth=1.5, label="mean of the made, over the steps")
    right.set(xlabel="first coordinate", ylabel="second coordinate", ylim=(-7, 4))
    right.legend(fontsize=7, loc="upper left")
    return figure
