"""Convolutional net for lines of writing of any width: two dimensions down to one, then along the line.

Letters: B lines, H and W their height and width, T output positions (frames), D features of each.
Sizes (B, 2) are true heights and widths. After every layer the features beyond a line's own width are
set to zero, as they are beyond an image's edge: in evaluation a line reads the same however wide its batch.
"""
# from week 3

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lab.nets.layers import BatchNorm, check_at_least, check_dropout, check_image, initialise

STRIDES = (1, 2, 4, 8)


def shortened(length: Tensor, stride: int) -> Tensor:
    """How many positions a stride leaves of so many, the last begun one included."""
    return (length + stride - 1) // stride


def only_within(x: Tensor, frames: Tensor | None) -> Tensor:
    """Features (B, D, H, T), in place set to zero beyond each line's frames (B,); without them none are."""
    if frames is None:
        return x
    columns = torch.arange(x.shape[3], device=x.device)
    return x.mul_((columns < frames[:, None])[:, None, None])


def logits_layer(features: int, num_outputs: int) -> nn.Linear:
    """Logits of features (..., D); the first guess is nearly uniform."""
    layer = nn.Linear(features, num_outputs)
    nn.init.normal_(layer.weight, std=0.1 / math.sqrt(features))
    nn.init.zeros_(layer.bias)
    return layer


class _Layer(nn.Module):
    """Convolution, batch normalisation, ReLU; nothing beyond the lines' frames.

    Shapes: (B, in, H, W) -> (B, out, H / down, W / along), rounded up, and the frames (B,) that are left.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        around = (kernel[0] // 2, kernel[1] // 2) if padding is None else padding
        self.stride = stride[1]
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride, around, bias=False)
        initialise(self.conv, "he", "relu")
        self.norm = BatchNorm(channels)

    def forward(self, x: Tensor, frames: Tensor | None) -> tuple[Tensor, Tensor | None]:
        frames = None if frames is None else shortened(frames, self.stride)
        # In place, since memory is what takes the time here.
        return only_within(self.norm(self.conv(x)), frames).relu_(), frames


class LineFeatures(nn.Module):
    """Features along a line: three stages of images, then residual layers along the line.

    Shapes: (B, 1, H, W) and sizes (B, 2) -> (B, T, D), T a `stride`-th of W, rounded up; zero beyond the
    true widths.

    Args:
        width: channels of the first stage; they double at the second and third.
        stride: columns of the image for each output position: 1, 2, 4 or 8.
        features: D.
        depth: residual layers along the line.
        kernel: positions that each of them sees, an odd number.
        dropout: share of the features set to zero before each layer along the line, in training.

    Raises:
        ValueError: input that is no image of at least 8 rows, or an option out of range.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        *,
        width: int,
        stride: int,
        features: int,
        depth: int,
        kernel: int,
        dropout: float,
    ) -> None:
        super().__init__()
        check_at_least("width", width, 1)
        check_at_least("features", features, 1)
        check_at_least("depth", depth, 0)
        check_dropout(dropout)
        check_image(image_shape, least=8, way_out="choose data of higher lines")
        if stride not in STRIDES:
            raise ValueError(f"--model.net.stride {stride}: choose 1, 2, 4 or 8")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"--model.net.kernel {kernel}: choose an odd number, such as 5")
        self.stride = stride
        channels, height, _ = image_shape
        self.stages = nn.ModuleList()
        for stage in range(3):
            along = 2 if stride > 2**stage else 1
            wide, height = width * 2**stage, math.ceil(height / 2)
            # Of the largest images there is one layer only: a second would cost as much as a whole stage.
            kernel_2d = (3, 3) if stage else (5, 5)
            self.stages.append(_Layer(channels, wide, kernel_2d, stride=(2, along)))
            if stage:
                self.stages.append(_Layer(wide, wide, kernel_2d))
            channels = wide
        # What is left of the height is read at once, not averaged: it tells p from b.
        self.flatten = _Layer(channels, features, (height, 1), padding=(0, 0))
        self.along = nn.ModuleList(_Layer(features, features, (1, kernel)) for _ in range(depth))
        self.dropout = nn.Dropout(dropout)
        # On a CPU a fifth faster than the usual order of the numbers.
        self.to(memory_format=torch.channels_last)

    def frames(self, sizes: Tensor) -> Tensor:
        """How many output positions (B,) belong to images of true sizes (B, 2)."""
        return shortened(sizes[:, 1], self.stride)

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        x, frames = images, None if sizes is None else sizes[:, 1]
        for layer in [*self.stages, self.flatten]:
            x, frames = layer(x, frames)
        for layer in self.along:
            x = x + layer(self.dropout(x), frames)[0]
        return x.squeeze(2).transpose(1, 2)


class LineCNN(nn.Module):
    """Convolutional net for lines of any width: logits of each position see the line around it.

    Shapes: (B, 1, H, W) and sizes (B, 2) -> (B, T, num_outputs), T a `stride`-th of W, rounded up.

    Args:
        width: channels of the first stage of images; they double at the second and third.
        stride: columns of the image for each output position: 1, 2, 4 or 8.
        features: numbers that describe each position along the line.
        depth: residual layers along the line.
        kernel: positions that each of them sees, an odd number.
        dropout: share of the features set to zero before each layer along the line, in training.

    Raises:
        ValueError: input that is no image of at least 8 rows, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        width: int = 16,
        stride: int = 4,
        features: int = 128,
        depth: int = 3,
        kernel: int = 5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = LineFeatures(
            input_shape,
            width=width,
            stride=stride,
            features=features,
            depth=depth,
            kernel=kernel,
            dropout=dropout,
        )
        self.dropout = nn.Dropout(dropout)
        self.output = logits_layer(features, num_outputs)

    def frames(self, sizes: Tensor) -> Tensor:
        """How many output positions (B,) belong to images of true sizes (B, 2)."""
        return self.encoder.frames(sizes)

    def features(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        """(B, 1, H, W) -> (B, T, D), zero beyond the true widths."""
        return self.encoder(images, sizes)

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        return self.output(self.dropout(self.features(images, sizes)))
