"""Residual net for small images: no pooling in the stem, three stages, few channels.

Source: He, Zhang, Ren, Sun, "Identity mappings in deep residual networks", 2016 (pre-activation).
"""
# from week 2

from collections.abc import Sequence

from torch import Tensor, nn

from lab.nets.layers import (
    Activation,
    BatchNorm,
    check_at_least,
    check_choices,
    check_dropout,
    check_image,
    initialise,
    make_activation,
)


class _Block(nn.Module):
    """(B, in, H, W) -> (B, out, H / stride, W / stride): two convolutions around which the input passes."""

    def __init__(
        self, channels_in: int, channels: int, *, stride: int, activation: Activation, skip: bool
    ) -> None:
        super().__init__()
        self.skip = skip
        self.enter = nn.Sequential(BatchNorm(channels_in), make_activation(activation))
        self.branch = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False),
            BatchNorm(channels),
            make_activation(activation),
        )
        self.last = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        same = channels_in == channels and stride == 1
        self.shortcut = (
            nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False)
            if skip and not same
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        branch = self.last(self.branch(entered))
        if not self.skip:
            return branch
        return branch + (x if self.shortcut is None else self.shortcut(entered))


class ResNet(nn.Module):
    """Residual net for images of 8 to 64 pixels; skip connections can be switched off.

    Shapes: (B, C, H, W) -> (B, num_outputs).

    Args:
        stem_stride: step of the first convolution; 2 halves the image before the stages, at a quarter of
            their cost.
        depth: blocks in each of the three stages; the second and third halve the image.
        width: channels of the first stage; they double at the second and third.
        skip: without it the same net has no shortcuts.
        zero_init: each block starts as the identity (its last convolution is zero).
        dropout: share of the features set to zero before the last layer, in training.

    Raises:
        ValueError: an image smaller than 4x4 pixels behind the stem, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 2,
        width: int = 16,
        stem_stride: int = 1,
        activation: Activation = "relu",
        skip: bool = True,
        zero_init: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least("depth", depth, 1)
        check_at_least("width", width, 1)
        check_choices(activation=activation)
        check_dropout(dropout)
        check_at_least("stem_stride", stem_stride, 1)
        check_image(input_shape, least=4 * stem_stride, way_out="use MLP")
        if zero_init and not skip:
            raise ValueError("--model.net.zero_init without skip connections would output zeros")
        channels = width
        blocks: list[_Block] = []
        for stage in range(3):
            for place in range(depth):
                stride = 2 if stage > 0 and place == 0 else 1
                wide = width * 2**stage
                blocks.append(
                    _Block(channels, wide, stride=stride, activation=activation, skip=skip)
                )
                channels = wide
        self.stem = nn.Conv2d(input_shape[0], width, 3, stride=stem_stride, padding=1, bias=False)
        self.blocks = nn.Sequential(*blocks)
        self.leave = nn.Sequential(BatchNorm(channels), make_activation(activation))
        self.output = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_outputs))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                initialise(module, "he", activation)
        if zero_init:
            for block in blocks:
                nn.init.zeros_(block.last.weight)

    def forward(self, images: Tensor) -> Tensor:
        features = self.leave(self.blocks(self.stem(images)))
        return self.output(features.mean((2, 3)))
