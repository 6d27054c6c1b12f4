"""Text from a net, token by token: which of the likely tokens is drawn, and how it goes on.

Letters: B texts, n tokens so far, V tokens of the vocabulary.
"""

from typing import Any, Protocol

import torch
from torch import Tensor


class Steps(Protocol):
    """A net that reads tokens bit by bit and keeps in a state what it has read."""

    def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (B, V) of what follows `tokens`, (B, n), which follow on those in `state`."""


@torch.no_grad()
def generate(
    net: Steps,
    tokens: Tensor,
    *,
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """How B texts `tokens`, (B, n), go on: (B, length).

    Each token is read once, whatever the length; the options are those of `choose`.
    """
    found, state = [], None
    for _ in range(length):
        logits, state = net.step(tokens, state)
        tokens = choose(
            logits, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator
        )
        found.append(tokens)
    return torch.cat(found, 1)


def choose(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """One token (B, 1) for each row of logits (B, V).

    Args:
        temperature: logits are divided by it; 0 takes the likeliest token.
        top_k: only the k likeliest tokens may be drawn; all when not given.
        top_p: only the likeliest tokens that together have this probability may be drawn, the first always
            (nucleus sampling, Holtzman et al. 2020).
    """
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    logits = logits.float() / temperature
    if top_k is not None:
        kept = logits.topk(min(top_k, logits.shape[-1])).indices
        dropped = torch.ones_like(logits, dtype=torch.bool).scatter(-1, kept, False)
        logits = logits.masked_fill(dropped, -torch.inf)
    probabilities = logits.softmax(-1)
    if top_p < 1:
        ordered, order = probabilities.sort(-1, descending=True)
        # Those before a token, not the token itself, must fall short of the share.
        enough = ordered.cumsum(-1) - ordered >= top_p
        probabilities = probabilities.masked_fill(enough.scatter(-1, order, enough), 0)
    return probabilities.multinomial(1, generator=generator)
