"""MADE: a multi-layer perceptron whose weights are masked so that each pixel sees only those before it.

Letters: B images, N pixels, L grey levels.
Source: Germain et al., "MADE: masked autoencoder for distribution estimation", 2015.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.nets.grey import check_grey, num_steps, steps_reached
from lab.nets.layers import (
    Activation,
    check_at_least,
    check_choices,
    check_dropout,
    make_activation,
)


def seen_pixels(width: int, pixels: int) -> Tensor:
    """How many of the first pixels each hidden unit may see, (width,): evenly spread over 1 to N - 1."""
    return 1 + torch.arange(width) * max(pixels - 1, 1) // width


class _Masked(nn.Linear):
    """A linear layer in which output j sees input i only where `mask[j, i]`."""

    mask: Tensor

    def __init__(self, mask: Tensor, *, zero_init: bool = False) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        # It follows from the options, so checkpoints need not hold it.
        self.register_buffer("mask", mask, persistent=False)
        # Units see different numbers of inputs; all start with outputs of the same size.
        scale = 0.0 if zero_init else mask.sum(1, keepdim=True).clamp(min=1).rsqrt()
        nn.init.normal_(self.weight).data.mul_(scale)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    """Masked MLP: one pass gives each pixel's probabilities from the pixels before it.

    A hidden unit may see a certain number of the first pixels; connections to units and pixels that may see
    fewer are cut. Logits also get a masked weighted sum of the pixels themselves, which is all there is at
    depth 0: masked logistic regression (a fully visible sigmoid belief net for two levels).

    Shapes: shares of white (B, 1, H, W) -> logits (B, L, 1, H, W), of a pixel from those before it.

    Args:
        depth: number of hidden layers.
        width: units of each.
        dropout: share of hidden units set to zero in training.
        zero_init: the layers of the logits start at zero, so that all levels are as likely.

    Raises:
        ValueError: images that are not grey, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 2,
        width: int = 512,
        activation: Activation = "relu",
        dropout: float = 0.0,
        zero_init: bool = True,
    ) -> None:
        super().__init__()
        self.shape, self.levels = check_grey(input_shape), num_outputs
        check_at_least("depth", depth, 0)
        check_at_least("width", width, 1)
        check_choices(activation=activation)
        check_dropout(dropout)
        pixels = self.shape[0] * self.shape[1]
        units = seen_pixels(width, pixels)
        # Pixel i is an input that shows i + 1 of them, and an output that may see i.
        shown = (torch.arange(pixels) + 1).repeat(num_steps(num_outputs))
        allowed = torch.arange(pixels).repeat(num_outputs)
        self.direct = _Masked(allowed[:, None] >= shown, zero_init=zero_init)
        layers: list[nn.Module] = []
        for inputs in [shown, *(units for _ in range(depth - 1))][:depth]:
            layers += [_Masked(units[:, None] >= inputs), make_activation(activation)]
            layers.append(nn.Dropout(dropout))
        self.hidden = nn.Sequential(*layers)
        self.output = _Masked(allowed[:, None] >= units, zero_init=zero_init) if depth else None

    def forward(self, images: Tensor) -> Tensor:
        x = steps_reached(images, self.levels).flatten(1)
        logits = self.direct(x)
        if self.output is not None:
            logits = logits + self.output(self.hidden(x))
        return logits.unflatten(1, (self.levels, 1, *self.shape))
