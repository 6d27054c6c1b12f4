"""Plain convolutional net for small images: pairs of 3x3 convolutions, halved by pooling."""

from collections.abc import Sequence

from torch import Tensor, nn

from lab.nets.layers import (
    Activation,
    Init,
    check_at_least,
    initialise,
    make_activation,
)


def conv_block(
    channels_in: int, channels: int, activation: Activation, init: Init
) -> nn.Sequential:
    """(B, in, H, W) -> (B, channels, H, W): 3x3 convolution, batch normalisation, activation."""
    conv = nn.Conv2d(channels_in, channels, kernel_size=3, padding=1, bias=False)
    initialise(conv, init, activation)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), make_activation(activation))


class CNN(nn.Module):
    """Convolutions and pooling for small images (LeCun et al. 1998, with batch normalisation).

    Shapes: (B, C, H, W) -> (B, num_outputs), any H, W of at least 2 ** depth.

    Args:
        depth: stages; each has two convolutions and halves the image, the channels double.
        width: channels of the first stage.
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
        check_image(input_shape, least=2**depth)
        if not 0 <= dropout < 1:
            raise ValueError(f"--model.net.dropout {dropout}: choose 0 to below 1")
        channels, height, image_width = input_shape
        stages: list[nn.Module] = []
        for stage in range(depth):
            wide = width * 2**stage
            # The first convolution sees few channels, so it may be the only one at full size.
            stages += [conv_block(channels, wide, activation, init)]
            stages += [nn.MaxPool2d(2)]
            stages += [conv_block(wide, wide, activation, init)]
            channels = wide
        features = channels * (height // 2**depth) * (image_width // 2**depth)
        self.features = nn.Sequential(*stages)
        self.output = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, num_outputs)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.features(images))


def check_image(input_shape: Sequence[int], *, least: int) -> None:
    """Raise ValueError unless the input is an image (C, H, W) of at least `least` pixels each way."""
    if len(input_shape) != 3:
        raise ValueError(
            f"this net reads images (C, H, W), the data have shape {tuple(input_shape)}: use MLP"
        )
    if min(input_shape[1:]) < least:
        raise ValueError(
            f"images of {input_shape[1]}x{input_shape[2]} are too small for this depth: "
            f"lower --model.net.depth, or use images of at least {least}x{least}"
        )
