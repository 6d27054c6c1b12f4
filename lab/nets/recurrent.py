"""Recurrent nets over tokens: they read one token at a time and keep what matters in a state.

Letters: B sequences, T positions, V tokens. A state is what torch's layer keeps: one tensor or two,
(depth, B, width).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lab.nets.layers import check_at_least, check_dropout


class _Recurrent(nn.Module):
    """Embedding, a recurrent layer of torch's own, and logits: what GRU and LSTM share."""

    def __init__(
        self,
        cells: type[nn.GRU] | type[nn.LSTM],
        tokens: int,
        *,
        depth: int,
        width: int,
        embedding: int,
        dropout: float,
    ) -> None:
        super().__init__()
        check_at_least("depth", depth, 1)
        check_at_least("width", width, 1)
        check_at_least("embedding", embedding, 1)
        check_dropout(dropout)
        self.tokens = nn.Embedding(tokens, embedding)
        self.dropout = nn.Dropout(dropout)
        # torch warns of dropout between layers where there is one layer.
        between = dropout if depth > 1 else 0.0
        self.cells = cells(embedding, width, depth, batch_first=True, dropout=between)
        self.logits = nn.Linear(width, tokens)
        # The first guess is uniform, whatever the state.
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.zeros_(self.logits.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.unroll(tokens)[0]

    def unroll(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (B, T, V) of what follows each token, and the state after the last."""
        hidden, state = self.cells(self.dropout(self.tokens(tokens)), state)
        return self.logits(self.dropout(hidden)), state

    def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (B, V) of what follows `tokens`, (B, n), which follow on those in `state`."""
        hidden, state = self.cells(self.tokens(tokens), state)
        return self.logits(hidden[:, -1]), state


# `nn.Module` is named again because the index of nets reads the bases that a class names.
class GRU(_Recurrent, nn.Module):
    """Gated recurrent unit over tokens (Cho et al. 2014): one state, two gates.

    Shapes: (B, T) token numbers -> (B, T, V) logits of the token that follows; any T.

    Args:
        depth: number of recurrent layers.
        width: units of each layer.
        embedding: numbers that stand for a token on the way in.
        dropout: share of what goes into and out of each layer that is set to zero in training.

    Raises:
        ValueError: an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 1,
        width: int = 256,
        embedding: int = 64,
        dropout: float = 0.0,
    ) -> None:
        options = {"depth": depth, "width": width, "embedding": embedding}
        super().__init__(nn.GRU, num_outputs, **options, dropout=dropout)


class LSTM(_Recurrent, nn.Module):
    """Long short-term memory over tokens: a state and a memory, three gates (Hochreiter & Schmidhuber).

    Shapes: (B, T) token numbers -> (B, T, V) logits of the token that follows; any T.

    Args:
        depth: number of recurrent layers.
        width: units of each layer.
        embedding: numbers that stand for a token on the way in.
        dropout: share of what goes into and out of each layer that is set to zero in training.

    Raises:
        ValueError: an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 1,
        width: int = 256,
        embedding: int = 64,
        dropout: float = 0.0,
    ) -> None:
        options = {"depth": depth, "width": width, "embedding": embedding}
        super().__init__(nn.LSTM, num_outputs, **options, dropout=dropout)
        with torch.no_grad():
            for layer in range(depth):
                # The memory is kept until there is a reason to forget (Jozefowicz et al. 2015).
                getattr(self.cells, f"bias_ih_l{layer}")[width : 2 * width] = 1
