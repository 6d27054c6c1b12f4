"""Plain convolutional net for small images: 3x3 convolutions, halved by pooling."""

from collections.abc import Sequence

from torch import Tensor, nn

from lab.nets.layers import (
    Activation,
    BatchNorm,
    Init,
    check_at_least,
    check_choices,
    check_dropout,
    check_image,
    initialise,
    make_activation,
)


def conv_block(
    channels_in: int, channels: int, activation: Activation, init: Init, *, halve: bool
) -> nn.Sequential:
    """3x3 convolution, pooling if the block is to halve, batch normalisation, activation.

    Shapes: (B, in, H, W) -> (B, channels, H, W), or half of both sides.
    """
    conv = nn.Conv2d(channels_in, channels, kernel_size=3, padding=1, bias=False)
    initialise(conv, init, activation)
    # Pooled first, a quarter of the values is left to normalise and activate.
    pool = [nn.MaxPool2d(2)] if halve else []
    return nn.Sequential(conv, *pool, BatchNorm(channels), make_activation(activation))


class CNN(nn.Module):
    """Convolutions and pooling for small images (LeCun et al. 1998, with batch normalisation).

    Shapes: (B, C, H, W) -> (B, num_outputs), any H, W of at least 2 ** depth.

    Args:
        depth: number of stages; each has two convolutions and halves the image.
        width: channels of the first stage; they double from stage to stage.
        init: how the convolutions start, see `lab.nets.layers.initialise`.
        dropout: share of the features set to zero before the last layer, in training.

    Raises:
        ValueError: an image too small for the depth, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 2,
        width: int = 32,
        activation: Activation = "relu",
        init: Init = "he",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least("depth", depth, 1)
        check_at_least("width", width, 1)
        check_choices(activation=activation, init=init)
        check_dropout(dropout)
        check_image(input_shape, least=2**depth, way_out="lower --model.net.depth")
        channels, height, image_width = input_shape
        stages: list[nn.Module] = []
        for stage in range(depth):
            wide = width * 2**stage
            stages += [
                # The second convolution would cost four times as much at full size.
                conv_block(channels, wide, activation, init, halve=True),
                conv_block(wide, wide, activation, init, halve=False),
            ]
            channels = wide
        features = channels * (height // 2**depth) * (image_width // 2**depth)
        self.features = nn.Sequential(*stages)
        self.output = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, num_outputs)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.features(images))
