"""Gated PixelCNN: convolutions over the pixels above and to the left.

Letters: B images, H rows, W columns, L grey levels, C channels.
Source: van den Oord et al., "Conditional image generation with PixelCNN decoders", 2016.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.nets.grey import check_grey, num_steps, steps_reached
from lab.nets.layers import check_at_least, check_dropout


def gate(x: Tensor) -> Tensor:
    """(B, 2C, H, W) -> (B, C, H, W): one half of the channels, let through by the other."""
    value, opened = x.chunk(2, 1)
    return value.tanh() * opened.sigmoid()


def moved_down(x: Tensor) -> Tensor:
    """Each row takes the place of the one below it; zeros enter at the top."""
    return F.pad(x, (0, 0, 1, -1))


class _Down(nn.Module):
    """Convolution over the rows up to the pixel's own, left and right of it; shapes stay."""

    def __init__(self, channels_in: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.rows = kernel // 2
        self.conv = nn.Conv2d(
            channels_in, channels, (self.rows + 1, kernel), padding=(0, kernel // 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 0, self.rows, 0)))


class _Right(nn.Module):
    """Convolution over the pixel, if `own`, and those to its left in its row."""

    def __init__(self, channels_in: int, channels: int, kernel: int, *, own: bool) -> None:
        super().__init__()
        left = kernel // 2
        self.pad = (left, 0) if own else (left, -1)
        self.conv = nn.Conv2d(channels_in, channels, (1, left + own))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, self.pad))


class _Layer(nn.Module):
    """A gated layer of both stacks, each (B, C, H, W)."""

    def __init__(self, width: int, kernel: int, *, dropout: float) -> None:
        super().__init__()
        self.vertical = _Down(width, 2 * width, kernel)
        self.horizontal = _Right(width, 2 * width, kernel, own=True)
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.mix = nn.Conv2d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def down(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the rows up to each pixel's own, and what they tell the row below."""
        features = self.vertical(v)
        return v + gate(features), moved_down(self.link(features))

    def right(self, h: Tensor, above: Tensor) -> Tensor:
        """Features of the rows above and of the pixels to the left."""
        return h + self.mix(self.dropout(gate(self.horizontal(h) + above)))


class PixelCNN(nn.Module):
    """Gated convolutions over the pixels above and to the left, without a blind spot.

    A vertical stack reads the rows above, on both sides of the pixel, and a horizontal one reads its row and
    the vertical stack. Where others mask kernels, these hold only what they may see: padding on one side
    aligns them, and no zeros are multiplied. A learned offset tells where in the image a pixel is.

    Shapes: shares of white (B, 1, H, W) -> logits (B, L, 1, H, W), of a pixel from those before it.

    Args:
        depth: number of gated layers.
        width: C.
        kernel: side of the kernels before what is not seen is cut off.
        first_kernel: the same of the first layer.
        dropout: share of the features of a layer that is set to zero in training.

    Raises:
        ValueError: images that are not grey, or an option out of range.
    """

    layers: Any  # a ModuleList of _Layer, whose two methods its type does not tell

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 6,
        width: int = 32,
        kernel: int = 3,
        first_kernel: int = 7,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        height, columns = check_grey(input_shape)
        self.levels = num_outputs
        check_at_least("depth", depth, 1)
        check_at_least("width", width, 1)
        check_dropout(dropout)
        for option, side in {"kernel": kernel, "first_kernel": first_kernel}.items():
            if side < 3 or side % 2 == 0:
                raise ValueError(f"--model.net.{option} {side}: choose an odd number, 3 or more")
        self.enter_down = _Down(num_steps(num_outputs), width, first_kernel)
        self.enter_right = _Right(num_steps(num_outputs), width, first_kernel, own=False)
        self.enter_link = nn.Conv2d(width, width, 1)
        self.place = nn.Parameter(torch.zeros(width, height, columns))
        self.layers = nn.ModuleList(_Layer(width, kernel, dropout=dropout) for _ in range(depth))
        self.leave = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, num_outputs, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.row_by_row(images, self.above(images)).unsqueeze(2)

    def above(self, images: Tensor) -> list[Tensor]:
        """What the vertical stack tells each layer of the horizontal one about the rows above."""
        v = self.enter_down(steps_reached(images, self.levels)).contiguous(
            memory_format=torch.channels_last
        )
        told = [moved_down(self.enter_link(v)) + self.place[:, : images.shape[2]]]
        for layer in self.layers:
            v, above = layer.down(v)
            told.append(above)
        return told

    def row_by_row(self, images: Tensor, told: list[Tensor]) -> Tensor:
        """Logits (B, L, H, W) by the horizontal stack."""
        h = self.enter_right(steps_reached(images, self.levels)) + told[0]
        for layer, above in zip(self.layers, told[1:], strict=True):
            h = layer.right(h, above)
        return self.leave(h)

    def step(
        self, images: Tensor, place: int, told: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, L) of pixel `place`, for drawing the pixels one after another.

        `told` is what the step before returned. The rows above change with the row only, so the vertical
        stack runs once a row, and the horizontal one on a single row.
        """
        row, column = divmod(place, images.shape[3])
        if told is None or column == 0:
            told = [part[:, :, row:] for part in self.above(images[:, :, : row + 1])]
        logits = self.row_by_row(images[:, :, row : row + 1], told)
        return logits[:, :, 0, column], told
