"""What one logit of masked convolutions sees; digits drawn from independent pixels and from a net."""

from types import ModuleType

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

ROW, COLUMN = 4, 3
CLOSED, SEEN, OWN = "#dddddd", "#0072b2", "#e69f00"


def sheet(axes: Axes, images: torch.Tensor, title: str) -> None:
    """16 images of 8 x 8 pixels as four rows of four."""
    tiles = np.pad(images.reshape(16, 8, 8).numpy(), ((0, 0), (1, 1), (1, 1)), constant_values=0.4)
    axes.imshow(tiles.reshape(4, 4, 10, 10).swapaxes(1, 2).reshape(40, 40), cmap="gray_r")
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])


def draw(impl: ModuleType) -> Figure:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    train, test = impl.binary_digits()
    net = impl.MaskedLinear(64, "A")
    impl.fit(net, train)
    with torch.no_grad():
        bits = impl.bits_per_pixel(net(test), test)
    alone = torch.bernoulli(train.mean(0).expand(16, 64), generator=generator)
    seen = impl.input_jacobian(impl.pixel_cnn(8, 8, channels=64), torch.rand(64))
    field = (seen[8 * ROW + COLUMN] != 0).long().reshape(8, 8)
    field[ROW, COLUMN] = 2

    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.imshow(field, cmap=ListedColormap([CLOSED, SEEN, OWN]), vmin=0, vmax=2)
    left.set_title("what the net sees (blue)\nfor one pixel (orange)", fontsize=9)
    left.set(xlabel="column", ylabel="row", xticks=range(8), yticks=range(8))
    sheet(middle, alone, f"independent pixels\n{impl.independent_bits(train, test):.3f} bits")
    sheet(right, impl.sample(net, 16, 64, generator=generator), f"masked linear\n{bits:.3f} bits")
    return figure
