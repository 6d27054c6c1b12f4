"""The trunk of all Transformers: layers of causal attention, which may look at a memory, and their cache.

Letters: B sequences, T positions, D width, H heads, N places of a memory, M their features.
"""
# from week 4

from typing import Any

import torch
from torch import Tensor, nn

from lab.nets.attention import Block, Cache, Memory, normalise
from lab.nets.layers import check_at_least, check_dropout


class Decoder(nn.Module):
    """The trunk: (B, T, D) -> (B, T, D), where position t sees positions up to t, and a memory if any.

    Positions are told apart by their distances (rotary); whoever embeds the input may add more.

    Args:
        length: the most positions that it reads.
        dropout: share of what each layer adds that is set to zero in training.
        memory: M, features of a memory's places; without it there is none.

    Raises:
        ValueError: an option out of range, or a width that the heads cannot share.
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        width: int,
        *,
        depth: int,
        heads: int,
        length: int,
        dropout: float = 0.0,
        memory: int | None = None,
    ) -> None:
        super().__init__()
        check_at_least("depth", depth, 1)
        check_at_least("heads", heads, 1)
        check_at_least("width", width, 1)
        check_dropout(dropout)
        if width % (2 * heads):
            raise ValueError(
                f"--model.net.width {width}: choose a multiple of {2 * heads}, "
                f"an even number of features for each of {heads} heads"
            )
        self.width, self.heads, self.length = width, heads, length
        self.blocks = nn.ModuleList(
            Block(width, heads, depth=depth, dropout=dropout, memory=memory) for _ in range(depth)
        )
        pairs = width // heads // 2
        speeds = 10_000 ** (-torch.arange(pairs) / pairs)
        angles = torch.arange(length)[:, None] * speeds
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def shorten(self, length: int) -> None:
        """Read so many positions at most, and keep nothing of those beyond."""
        self.length = min(length, self.length)
        self.cos, self.sin = (angles[: self.length].clone() for angles in (self.cos, self.sin))

    def forward(
        self, x: Tensor, cache: Cache | None = None, memory: Memory | None = None
    ) -> Tensor:
        """Read x, (B, T, D); with a cache as what follows on the positions that are in it.

        A cache brings its own memory.

        Raises:
            ValueError: more positions than it was built for.
        """
        start = cache.length if cache else 0
        end = start + x.shape[1]
        if end > self.length:
            raise ValueError(f"{end} positions, but this net was built to read {self.length}")
        cos, sin = self.cos[start:end], self.sin[start:end]
        if cache is not None:
            memory = cache.memory
        for layer, block in enumerate(self.blocks):
            x = block(x, cos, sin, layer, cache, memory)
        if cache is not None:
            cache.length = end
        return normalise(x)

    def remember(self, memory: Tensor, mask: Tensor | None = None) -> Memory:
        """The memory (B, N, M) as all layers know it; `mask`, (B, N), is true where there is something."""
        layers: list[Any] = [*self.blocks]
        keys, values = torch.stack([layer.cross.remember(memory) for layer in layers], 1)
        return Memory(keys, values, None if mask is None else mask[:, None, None])

    def empty_cache(
        self, batch: int, room: int | None = None, memory: Memory | None = None
    ) -> Cache:
        """A cache for `batch` sequences, with room for so many positions, or for all."""
        size = self.width // self.heads
        shape = (len(self.blocks), batch, self.heads, room or self.length, size)
        return Cache(self.cos.new_empty(shape), self.cos.new_empty(shape), memory)
