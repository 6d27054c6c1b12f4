"""The two nets of a convolutional GAN: one draws images, the other judges them.

Source: Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional generative
adversarial networks", 2016; stages are chosen by `depth`, since our images are smaller.
"""

import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from lab.nets.layers import BatchNorm, check_at_least, check_choice

Normalisation = Literal["batch", "none"]


def check_size(shape: Sequence[int], depth: int) -> None:
    """Raise ValueError unless (C, H, W) can be halved `depth` times."""
    if len(shape) != 3:
        raise ValueError(
            f"this net is for images (C, H, W), the data have shape {tuple(shape)}: use MLP"
        )
    if shape[1] % 2**depth or shape[2] % 2**depth:
        raise ValueError(
            f"--model.net.depth {depth}: {shape[1]}x{shape[2]} images can't be halved so often; "
            "choose less, or use MLP"
        )


def initialise_as_published(net: nn.Module) -> None:
    """Normal weights of deviation 0.02 around 0, around 1 for normalisations; biases are 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | BatchNorm):
            nn.init.normal_(module.weight, float(isinstance(module, BatchNorm)), 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class DCGANGenerator(nn.Module):
    """Transposed convolutions from a vector to an image, doubled at each stage.

    Shapes: (B, *input_shape) -> (B, *output_shape), which is (C, H, W). The outputs are unbounded: the
    model bends them into the range of the data.

    Args:
        depth: number of doublings; both sides of the image must be multiples of 2 ** depth.
        width: channels of the last hidden stage; they double from stage to stage on the way back.

    Raises:
        ValueError: an output that is no image or of another size, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        depth: int = 2,
        width: int = 64,
    ) -> None:
        super().__init__()
        check_at_least("depth", depth, 1)
        check_at_least("width", width, 1)
        check_size(output_shape, depth)
        colours, height, image_width = output_shape
        channels = width * 2 ** (depth - 1)
        smallest = (channels, height // 2**depth, image_width // 2**depth)
        layers: list[nn.Module] = [
            nn.Linear(math.prod(input_shape), math.prod(smallest), bias=False),
            nn.Unflatten(1, smallest),
        ]
        for _ in range(depth - 1):
            layers += [BatchNorm(channels), nn.ReLU()]
            layers += [nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False)]
            channels //= 2
        layers += [BatchNorm(channels), nn.ReLU(), nn.ConvTranspose2d(channels, colours, 4, 2, 1)]
        self.layers = nn.Sequential(*layers)
        initialise_as_published(self)

    def forward(self, noise: Tensor) -> Tensor:
        return self.layers(noise.flatten(1))


class DCGANDiscriminator(nn.Module):
    """Strided convolutions that halve an image at each stage, for a GAN's discriminator.

    Shapes: (B, C, H, W) -> (B, num_outputs).

    Args:
        depth: number of halvings; both sides of the image must be multiples of 2 ** depth.
        width: channels of the first stage; they double from stage to stage.
        norm: batch normalisation after all convolutions but the first, as published, or none, which
            suits a gradient penalty, where samples must not depend on each other.

    Raises:
        ValueError: data that are no images or of another size, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 2,
        width: int = 64,
        norm: Normalisation = "none",
    ) -> None:
        super().__init__()
        check_at_least("depth", depth, 1)
        check_at_least("width", width, 1)
        check_choice("norm", norm, ("batch", "none"))
        check_size(input_shape, depth)
        channels, height, image_width = input_shape
        layers: list[nn.Module] = []
        for stage in range(depth):
            normed = norm == "batch" and stage > 0
            wide = width * 2**stage
            layers += [nn.Conv2d(channels, wide, 4, 2, 1, bias=not normed)]
            layers += [BatchNorm(wide)] * normed + [nn.LeakyReLU(0.2)]
            channels = wide
        features = channels * (height // 2**depth) * (image_width // 2**depth)
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, num_outputs))
        initialise_as_published(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)
