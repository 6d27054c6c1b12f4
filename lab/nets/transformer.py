"""Causal Transformer over tokens (Vaswani et al. 2017), with tied embeddings and rotary positions.

Letters: B sequences, T positions, D width, V tokens.
"""
# from week 4

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.nets.attention import Cache, normalise
from lab.nets.decoder import Decoder


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
