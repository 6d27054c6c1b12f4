"""Attention (Vaswani et al. 2017): to the positions before, to a memory, and the layers that are made of it.

Letters: B sequences, T positions, D width, H heads, N places of a memory, M their features.
The layers are pre-norm, without biases and without gains, so that every weight is a matrix.
"""
# from week 4

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def normalise(x: Tensor) -> Tensor:
    """Each vector over the last axis brought to a root mean square of 1 (Zhang & Sennrich 2019)."""
    return F.rms_norm(x, x.shape[-1:])


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Pairs of features turned by angles that grow with the position (RoFormer, Su et al. 2021).

    Dot products of turned queries and keys depend on the distance of their positions alone.
    Shapes: x (..., T, D/H), cos and sin (T, D/H/2).
    """
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def causal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention (B, H, n, D/H) of the last n of m positions, each to itself and those before."""
    n, m = query.shape[2], key.shape[2]
    if n == 1:
        return F.scaled_dot_product_attention(query, key, value)
    if n == m:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)
    mask = torch.ones(n, m, dtype=torch.bool, device=query.device).tril(m - n)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


class Memory(NamedTuple):
    """What all positions may look at, as the layers of a decoder know it.

    Attributes:
        keys, values: (depth, B, H, N, D/H).
        mask: (B, 1, 1, N), true where there is something; None when that is everywhere.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor | None = None

    def keep(self, rows: Tensor) -> "Memory":
        """That of some of the sequences, by their numbers."""
        mask = None if self.mask is None else self.mask[rows]
        return Memory(self.keys[:, rows], self.values[:, rows], mask)


class Cache:
    """Keys and values (depth, B, H, room, D/H) of the positions that a decoder has read, and its memory.

    Attributes:
        length: how many positions it has read.
    """

    def __init__(self, keys: Tensor, values: Tensor, memory: Memory | None = None) -> None:
        self.keys, self.values, self.memory = keys, values, memory
        self.length = 0

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of a layer, after those of new positions are put behind."""
        end = self.length + key.shape[2]
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def keep(self, rows: Tensor) -> None:
        """Go on with these sequences only, by their numbers; one may come several times."""
        self.swap(rows)
        if self.memory is not None:
            self.memory = self.memory.keep(rows)

    def swap(self, rows: Tensor) -> None:
        """As `keep`, where each sequence gives way to one with an equal memory."""
        depth, _, heads, room, size = self.keys.shape
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = old.new_empty(depth, len(rows), heads, room, size)
            new[:, :, :, : self.length] = old[:, rows, :, : self.length]
            setattr(self, name, new)


class CrossAttention(nn.Module):
    """(B, T, D) -> (B, T, D): what each position finds in a memory, whose places have M features."""

    def __init__(self, width: int, heads: int, *, memory: int, depth: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(memory, 2 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        for layer, share in ((self.query, 1), (self.key_value, 1), (self.mix, 2 * depth)):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(share * layer.in_features))

    def remember(self, memory: Tensor) -> Tensor:
        """Keys and values, (2, B, H, N, D/H), of a memory (B, N, M)."""
        return self.key_value(memory).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def queries(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, H, T, D/H)."""
        return self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        found = F.scaled_dot_product_attention(self.queries(x), key, value, attn_mask=mask)
        return self.mix(found.transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
        """How much each position looks at each place: (B, T, N), the mean over heads."""
        scores = self.queries(x) @ key.transpose(-1, -2) / math.sqrt(key.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(-1).mean(1)


class Block(nn.Module):
    """(B, T, D) -> (B, T, D): attention, then a small net at each position, each added to its input.

    Args:
        memory: M; with it each position looks at a memory, too.
    """

    def __init__(
        self, width: int, heads: int, *, depth: int, dropout: float, memory: int | None = None
    ) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.qkv, self.up):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(width))
        # What the layers add shall together be no larger than what they read (GPT-2).
        for layer in (self.mix, self.down):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(2 * depth * layer.in_features))
        self.cross = (
            None if memory is None else CrossAttention(width, heads, memory=memory, depth=depth)
        )

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        layer: int = 0,
        cache: Cache | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        x = x + self.dropout(self.attend(normalise(x), cos, sin, layer, cache))
        if self.cross is not None and memory is not None:
            keys, values, mask = memory
            x = x + self.dropout(self.cross(normalise(x), keys[layer], values[layer], mask))
        return x + self.dropout(self.down(F.gelu(self.up(normalise(x)))))

    def attend(
        self, x: Tensor, cos: Tensor, sin: Tensor, layer: int, cache: Cache | None
    ) -> Tensor:
        parts = self.qkv(x).unflatten(-1, (3, self.heads, -1))  # (B, T, 3, H, D/H)
        parts = parts.permute(2, 0, 3, 1, 4)  # (3, B, H, T, D/H)
        # Vectors of fixed length keep the attention from growing too sharp (Henry et al. 2020).
        query, key = rotate(normalise(parts[:2]), cos, sin)
        value = parts[2]
        if cache is not None:
            key, value = cache.extend(layer, key, value)
        mixed = causal_attention(query, key, value)
        return self.mix(mixed.transpose(1, 2).flatten(2))
