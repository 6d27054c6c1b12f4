"""Causal Transformer (Vaswani et al. 2017): over tokens, and its trunk for whatever else comes in order.

Letters: B sequences, T positions, D width, H heads, V tokens.
The layers are pre-norm, without biases and without gains, so that every weight is a matrix.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.nets.layers import check_at_least, check_dropout


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
    if n == m:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)
    mask = torch.ones(n, m, dtype=torch.bool, device=query.device).tril(m - n) if n > 1 else None
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


class Cache:
    """Keys and values (depth, B, H, room, D/H) of the positions that a decoder has read.

    Attributes:
        length: how many positions it has read.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys, self.values = keys, values
        self.length = 0

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of a layer, after those of new positions are put behind."""
        end = self.length + key.shape[2]
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class _Block(nn.Module):
    """(B, T, D) -> (B, T, D): attention, then a small net at each position, each added to its input."""

    def __init__(self, width: int, heads: int, *, depth: int, dropout: float) -> None:
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

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: Cache | None = None, layer: int = 0
    ) -> Tensor:
        x = x + self.dropout(self.attend(normalise(x), cos, sin, cache, layer))
        return x + self.dropout(self.down(F.gelu(self.up(normalise(x)))))

    def attend(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: Cache | None, layer: int
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


class Decoder(nn.Module):
    """The trunk: (B, T, D) -> (B, T, D), where position t sees positions up to t.

    Positions are told apart by their distances (rotary); whoever embeds the input may add more.

    Args:
        length: the most positions that it reads.
        dropout: share of what each layer adds that is set to zero in training.

    Raises:
        ValueError: an option out of range, or a width that the heads cannot share.
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self, width: int, *, depth: int, heads: int, length: int, dropout: float = 0.0
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
            _Block(width, heads, depth=depth, dropout=dropout) for _ in range(depth)
        )
        pairs = width // heads // 2
        speeds = 10_000 ** (-torch.arange(pairs) / pairs)
        angles = torch.arange(length)[:, None] * speeds
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """Read x, (B, T, D); with a cache as what follows on the positions that are in it.

        Raises:
            ValueError: more positions than it was built for.
        """
        start = cache.length if cache else 0
        end = start + x.shape[1]
        if end > self.length:
            raise ValueError(f"{end} positions, but this net was built to read {self.length}")
        cos, sin = self.cos[start:end], self.sin[start:end]
        for layer, block in enumerate(self.blocks):
            x = block(x, cos, sin, cache, layer)
        if cache is not None:
            cache.length = end
        return normalise(x)

    def empty_cache(self, batch: int) -> Cache:
        """A cache for `batch` sequences, with room for all positions."""
        size = self.width // self.heads
        shape = (len(self.blocks), batch, self.heads, self.length, size)
        return Cache(self.cos.new_empty(shape), self.cos.new_empty(shape))


class _Seen(NamedTuple):
    """What a Transformer keeps between steps: tokens (B, n), the place of the first, their cache."""

    tokens: Tensor
    start: int
    cache: Cache


class Transformer(nn.Module):
    """Transformer over tokens: causal attention, tied embeddings, rotary positions, cached sampling.

    Shapes: (B, T) token numbers -> (B, T, V) logits of the token that follows; T at most `input_shape`.

    Args:
        depth: number of layers.
        width: D, features of each position.
        heads: parts of the features that attend on their own.
        dropout: share of embeddings and of what each layer adds that is set to zero in training.

    Raises:
        ValueError: an option out of range, or a width that the heads cannot share.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 4,
        width: int = 128,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        (self.context,) = input_shape
        self.trunk = Decoder(width, depth=depth, heads=heads, length=self.context, dropout=dropout)
        # Row v is what token v looks like, on the way in and on the way out (Press & Wolf 2017).
        self.tokens = nn.Parameter(torch.randn(num_outputs, width) * 0.02)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.linear(self.trunk(self.embed(tokens)), self.tokens)

    def embed(self, tokens: Tensor) -> Tensor:
        """(B, T) -> (B, T, D)."""
        return self.dropout(normalise(F.embedding(tokens, self.tokens)))

    def start(self, length: int) -> int:
        """The place of the first token seen after `length` tokens.

        All are seen until the context is full; then the older half of it is let go at once, so that a
        cache lasts for the other half.
        """
        stride = max(self.context // 2, 1)
        return -(-max(length - self.context, 0) // stride) * stride

    def step(self, tokens: Tensor, state: _Seen | None = None) -> tuple[Tensor, _Seen]:
        """Logits (B, V) of what follows `tokens`, (B, n), which follow on those in `state`.

        The state that goes in is used up. What is seen is `start` of all tokens so far to the last one.
        """
        if state is None:
            state = _Seen(tokens[:, :0], 0, self.trunk.empty_cache(len(tokens)))
        seen = torch.cat([state.tokens, tokens], 1)
        start, cache = self.start(state.start + seen.shape[1]), state.cache
        if start > state.start:
            seen, cache = seen[:, start - state.start :], self.trunk.empty_cache(len(tokens))
        hidden = self.trunk(self.embed(seen[:, cache.length :]), cache)
        return F.linear(hidden[:, -1], self.tokens), _Seen(seen, start, cache)
