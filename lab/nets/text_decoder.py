"""A Transformer that writes down what it sees: text token by token, each from those before and a memory.

Letters: B images, L tokens of a text, V tokens that there are, N places of a memory, M their features,
D width, H heads. Number V is the end of a text, and what is read before its first token.
"""
# from week 4

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.nets.attention import Cache, CrossAttention, Memory, normalise
from lab.nets.decoder import Decoder

# Numbers that tell where a place of a memory is.
PLACE = 32
# The longest of the waves that tell positions apart are so many times as long as the shortest.
WAVES = 300


def sine_positions(places: Tensor, width: int) -> Tensor:
    """Numbers (n,) as waves of different lengths, (n, width), of mean square 1 (Vaswani et al. 2017)."""
    speeds = WAVES ** (-torch.arange(0, width, 2, device=places.device) / width)
    angles = places[:, None] * speeds
    return math.sqrt(2) * torch.cat([angles.sin(), angles.cos()], 1)[:, :width]


class TextDecoder(nn.Module):
    """Causal Transformer with cross attention; the embedding of its tokens is tied to its output.

    Shapes: tokens (B, L), memory (B, N, M), mask (B, N) -> logits (B, L, V + 1) of the token that follows.

    Args:
        num_outputs: V + 1.
        memory: M.
        length: the most tokens that it reads.

    Raises:
        ValueError: an option out of range, or a width that the heads cannot share.
    """

    def __init__(
        self,
        num_outputs: int,
        *,
        memory: int,
        depth: int,
        width: int,
        heads: int,
        length: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.memory_width = memory
        self.trunk = Decoder(
            width, depth=depth, heads=heads, length=length, dropout=dropout, memory=memory
        )
        # Row v is what token v looks like, on the way in and on the way out (Press & Wolf 2017).
        self.tokens = nn.Parameter(torch.randn(num_outputs, width) * 0.02)
        self.dropout = nn.Dropout(dropout)

    @property
    def length(self) -> int:
        """The most tokens that it reads."""
        return self.trunk.length

    def shorten(self, length: int) -> None:
        """Read so many tokens at most, and keep nothing of those beyond."""
        self.trunk.shorten(length)

    def forward(self, tokens: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        known = self.trunk.remember(memory, mask)
        return F.linear(self.trunk(self.embed(tokens), memory=known), self.tokens)

    def embed(self, tokens: Tensor, start: int = 0) -> Tensor:
        """(B, n) tokens, the first being number `start` of the text -> (B, n, D)."""
        looks = normalise(F.embedding(tokens, self.tokens))
        places = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        return self.dropout(looks + sine_positions(places, looks.shape[-1]).to(looks))

    def start(self, memory: Tensor, mask: Tensor | None = None, room: int | None = None) -> Cache:
        """A cache in which a text of at most `room` tokens can be written from a memory."""
        return self.trunk.empty_cache(len(memory), room, self.trunk.remember(memory, mask))

    def step(self, tokens: Tensor, cache: Cache) -> Tensor:
        """Logits (B, V + 1) of what follows `tokens`, (B, n), which follow on those in the cache."""
        hidden = self.trunk(self.embed(tokens, cache.length), cache)
        return F.linear(hidden[:, -1], self.tokens)

    def memory_tensors(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, (depth, B, H, N, D/H) each, of a memory without a mask: for `step_tensors`."""
        keys, values, _ = self.trunk.remember(memory)
        return keys, values

    def step_tensors(
        self,
        token: Tensor,
        keys: Tensor,
        values: Tensor,
        memory_keys: Tensor,
        memory_values: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`step` as a function of tensors, which can be exported.

        From one token (B, 1), keys and values (depth, B, H, n, D/H) of those before it, and what
        `memory_tensors` gives: logits (B, V + 1), keys and values with those of the token behind.
        """
        cache = _Growing(keys, values, Memory(memory_keys, memory_values))
        logits = self.step(token, cache)
        return logits, torch.stack(cache.grown_keys), torch.stack(cache.grown_values)

    def looks(self, tokens: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each token looks at each place in the last layer: (B, L, N), the mean over heads."""
        found: list[Tensor] = []
        last: Any = self.trunk.blocks[-1]

        def look(cross: CrossAttention, given: tuple[Any, ...], _: Tensor) -> None:
            x, key, _, known = given
            found.append(cross.weights(x, key, known))

        hook = last.cross.register_forward_hook(look)
        self(tokens, memory, mask)
        hook.remove()
        return found[0]


class _Growing(Cache):
    """A cache without room: it changes no tensor in place, but makes longer ones."""

    def __init__(self, keys: Tensor, values: Tensor, memory: Memory) -> None:
        super().__init__(keys, values, memory)
        self.length = keys.shape[3]
        self.grown_keys: list[Tensor] = []
        self.grown_values: list[Tensor] = []

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        self.grown_keys.append(torch.cat([self.keys[layer], key], 2))
        self.grown_values.append(torch.cat([self.values[layer], value], 2))
        return self.grown_keys[-1], self.grown_values[-1]
