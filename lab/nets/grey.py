"""What nets over the pixels of grey images share: the check of the input, and how a level is shown.

Pixels are numbered row by row, and each is predicted from those with lower numbers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def check_grey(input_shape: Sequence[int]) -> tuple[int, int]:
    """Height and width of grey images; ValueError unless they are such."""
    if len(input_shape) != 3 or input_shape[0] != 1:
        raise ValueError(
            "this net reads grey images (1, H, W), "
            f"the data have shape {tuple(input_shape)}: choose another --data"
        )
    return int(input_shape[1]), int(input_shape[2])


def num_steps(levels: int) -> int:
    """Channels of `steps_reached`."""
    return max(levels - 1, 1)


def steps_reached(images: Tensor, levels: int) -> Tensor:
    """Shares of white (B, 1, H, W) as a channel for each step between two levels, (B, levels - 1, H, W).

    A channel is 1 when the pixel has taken the step and -1 when not. A weighted sum of them can give any
    number to any level, as that of a one-hot code can, and it has a slope from each level to the next.
    """
    steps = num_steps(levels)
    below = torch.arange(steps, device=images.device, dtype=images.dtype).view(-1, 1, 1)
    return 2 * (images * steps - below).clamp(0, 1) - 1
