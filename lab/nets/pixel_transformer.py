"""Causal Transformer over the pixels of an image, row by row.

Letters: B images, N pixels, L grey levels, D width.
Source: Chen et al., "Generative pretraining from pixels", 2020.
"""
# from week 4

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.nets.attention import Cache, normalise
from lab.nets.decoder import Decoder
from lab.nets.grey import check_grey, num_steps, steps_reached


class PixelTransformer(nn.Module):
    """Causal Transformer over pixels: each attends to all before it, whatever their distance.

    Position i of the sequence holds pixel i - 1, and the row and column of pixel i, which it predicts.

    Shapes: shares of white (B, 1, H, W) -> logits (B, L, 1, H, W), of a pixel from those before it.

    Args:
        depth: number of layers.
        width: D, features of each position.
        heads: parts of the features that attend on their own.
        dropout: share of the embedding and of what each layer adds that is set to zero in training.

    Raises:
        ValueError: images that are not grey, an option out of range, or a width the heads cannot share.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 4,
        width: int = 64,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.shape, self.levels = check_grey(input_shape), num_outputs
        height, columns = self.shape
        self.trunk = Decoder(
            width, depth=depth, heads=heads, length=height * columns, dropout=dropout
        )
        self.pixel = nn.Linear(num_steps(num_outputs), width)
        self.row = nn.Parameter(torch.randn(height, 1, width) * 0.02)
        self.column = nn.Parameter(torch.randn(columns, width) * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, num_outputs)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, images: Tensor) -> Tensor:
        logits = self.output(self.trunk(self.embed(images)))  # (B, N, L)
        return logits.transpose(1, 2).unflatten(2, (1, *self.shape))

    def embed(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, N, D)."""
        pixels = self.pixel(steps_reached(images, self.levels).flatten(2).transpose(1, 2))
        # Nothing comes before the first pixel.
        before = F.pad(pixels[:, :-1], (0, 0, 1, 0))
        places = (self.row + self.column).view(-1, before.shape[2])
        return self.dropout(normalise(before + places))

    def step(self, images: Tensor, place: int, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """Logits (B, L) of pixel `place`, for drawing the pixels one after another.

        `cache` is what the step before returned: keys and values of the pixels read so far.
        """
        cache = cache or self.trunk.empty_cache(len(images))
        new = self.embed(images)[:, cache.length : place + 1]
        return self.output(self.trunk(new, cache)[:, -1]), cache
