"""Two vectors per word: the net of skip-gram."""

from collections.abc import Sequence

from torch import Tensor, nn

from lab.nets.layers import check_at_least


class SkipGram(nn.Module):
    """A table of centre vectors and one of context vectors (Mikolov et al. 2013): width, sparse.

    Shapes: words (B, T) of long, T and num_outputs from the caller -> scores (B, T, num_outputs) of all words
    as neighbours of each. Training looks up `center` and `context` instead, and never needs all scores.

    Args:
        width: numbers in a vector.
        sparse: gradients of the rows that were used alone, for Adagrad, SGD and SparseAdam.
        zero_init: context vectors start at zero, so that all scores do.

    Raises:
        ValueError: a width below 1.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        width: int = 100,
        sparse: bool = True,
        zero_init: bool = True,
    ) -> None:
        super().__init__()
        check_at_least("width", width, 1)
        self.center = nn.Embedding(num_outputs, width, sparse=sparse)
        self.context = nn.Embedding(num_outputs, width, sparse=sparse)
        if zero_init:
            nn.init.uniform_(self.center.weight, -0.5 / width, 0.5 / width)
            nn.init.zeros_(self.context.weight)

    def forward(self, words: Tensor) -> Tensor:
        return nn.functional.linear(self.center(words), self.context.weight)
