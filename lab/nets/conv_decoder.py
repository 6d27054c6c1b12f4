"""The mirror image of `CNN`: from a vector to an image, in stages that double it."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from lab.nets.cnn import conv_block
from lab.nets.layers import (
    Activation,
    BatchNorm,
    Init,
    check_at_least,
    check_choices,
    initialise,
    make_activation,
)


class _Double(nn.Module):
    """Transposed convolution: (B, in, ceil(H / 2), ceil(W / 2)) -> (B, out, H, W) for a size (H, W).

    Its kernel is twice the stride, so that all pixels are reached equally often: no checkerboard.
    """

    def __init__(
        self, channels_in: int, channels: int, size: tuple[int, int], *, bias: bool
    ) -> None:
        super().__init__()
        self.height, self.width = size
        self.conv = nn.ConvTranspose2d(
            channels_in, channels, kernel_size=4, stride=2, padding=1, bias=bias
        )
        # Of the 16 places of the kernel each pixel sees 4.
        nn.init.normal_(self.conv.weight, std=1 / math.sqrt(4 * channels_in))
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)[..., : self.height, : self.width]


class ConvDecoder(nn.Module):
    """Convolutions and doublings from a vector to an image of any size, the reverse of CNN.

    Shapes: (B, *input_shape) -> (B, *output_shape), which is (C, H, W). The outputs are unbounded.

    Args:
        depth: number of stages; each has a convolution and doubles the image.
        width: channels of the last stage; they double from stage to stage on the way back.
        init: how the convolutions start, see `lab.nets.layers.initialise`.

    Raises:
        ValueError: an output that is no image, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        depth: int = 2,
        width: int = 32,
        activation: Activation = "relu",
        init: Init = "he",
    ) -> None:
        super().__init__()
        check_at_least("depth", depth, 1)
        check_at_least("width", width, 1)
        check_choices(activation=activation, init=init)
        if len(output_shape) != 3:
            raise ValueError(
                f"this net draws images (C, H, W), the data have shape {tuple(output_shape)}: use MLP"
            )
        colours, height, image_width = output_shape
        # From the smallest to the image itself.
        sizes = [
            (-(-height // 2**halved), -(-image_width // 2**halved))
            for halved in range(depth, -1, -1)
        ]
        channels = width * 2 ** (depth - 1)
        enter = nn.Linear(math.prod(input_shape), channels * math.prod(sizes[0]), bias=False)
        initialise(enter, init, activation)
        self.enter = nn.Sequential(
            enter,
            nn.Unflatten(1, (channels, *sizes[0])),
            BatchNorm(channels),
            make_activation(activation),
        )
        stages: list[nn.Module] = []
        for size in sizes[1:-1]:
            stages += [
                conv_block(channels, channels, activation, init, halve=False),
                _Double(channels, channels // 2, size, bias=False),
                BatchNorm(channels // 2),
                make_activation(activation),
            ]
            channels //= 2
        self.stages = nn.Sequential(
            *stages,
            conv_block(channels, channels, activation, init, halve=False),
            _Double(channels, colours, sizes[-1], bias=True),
        )

    def forward(self, codes: Tensor) -> Tensor:
        return self.stages(self.enter(codes.flatten(1)))
