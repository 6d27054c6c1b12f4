"""Drawing images pixel by pixel from nets that give each pixel's probabilities from those before it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lab.models.pixels import from_levels

Step = Callable[[Tensor, int, Any], tuple[Tensor, Any]]


def whole_pass(net: nn.Module, images: Tensor, place: int, state: None) -> tuple[Tensor, None]:
    """Logits (B, L) of one pixel from all logits of the net, which remembers nothing."""
    return net(images).flatten(2)[:, :, place], state


def step_of(net: nn.Module) -> Step:
    """What gives a pixel's logits (B, L): `net.step`, which keeps what does not change, if there is one."""
    return getattr(net, "step", None) or partial(whole_pass, net)


@torch.no_grad()
def draw_pixels(
    net: nn.Module,
    images: Tensor,
    *,
    levels: int,
    first: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Images (B, 1, H, W) with the pixels from number `first` on drawn one after another, all images at once.

    Args:
        images: shares of white; what they hold from `first` on does not matter.
        generator: source of randomness on the images' device; torch's global one when not given.
    """
    images = images.clone()
    pixels, step, state = images.view(len(images), -1), step_of(net), None
    for place in range(first, pixels.shape[1]):
        logits, state = step(images, place, state)
        drawn = torch.multinomial(logits.float().softmax(-1), 1, generator=generator)
        pixels[:, place] = from_levels(drawn[:, 0], levels).to(pixels)
    return images


def without_lower_half(images: Tensor) -> Tensor:
    """Images (B, C, H, W) in which the lower half of the rows is black."""
    height = images.shape[2]
    return torch.cat([images[:, :, : height // 2], 0 * images[:, :, height // 2 :]], 2)
