"""Other views of the same image: small random warps, for models that are to see through them."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Largest rotation, relative change of size and move (as a share of the side) at full strength.
DEGREES, SCALE, MOVE = 8.0, 0.1, 0.06


def random_warp(images: Tensor, strength: float = 1.0) -> Tensor:
    """Each image (B, C, H, W) rotated, scaled and moved a little about its centre, bilinear; what enters
    repeats the border.

    Randomness is torch's global one.
    """
    angle, scale, right, down = torch.rand(4, len(images), device=images.device) * 2 - 1
    angle = angle * math.radians(DEGREES) * strength
    size = 1 + scale * SCALE * strength
    cos, sin = angle.cos() / size, angle.sin() / size
    # Sampling positions run from -1 to 1 across an image, so a side is 2 long; of images that are not square
    # the rotation is to keep angles.
    tall = images.shape[2] / images.shape[3]
    across = torch.stack([cos, -sin * tall, 2 * MOVE * strength * right], 1)
    along = torch.stack([sin / tall, cos, 2 * MOVE * strength * down], 1)
    matrices = torch.stack([across, along], 1)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    # Half precision would place pixels too coarsely.
    warped = F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
    return warped.to(images.dtype)
