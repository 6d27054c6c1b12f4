"""The perceptron's weighted sum, w x + b, for inputs of any shape."""

import math
from collections.abc import Sequence

from torch import Tensor, nn


class Linear(nn.Module):
    """Weighted sum of all inputs plus a bias: the perceptron (Rosenblatt 1958), linear regression.

    Shapes: (B, *input_shape) -> (B, num_outputs).

    Args:
        bias: add a constant to each sum.
        zero_init: start from zero weights; a linear net needs no broken symmetry.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        bias: bool = True,
        zero_init: bool = True,
    ) -> None:
        super().__init__()
        self.sum = nn.Linear(math.prod(input_shape), num_outputs, bias=bias)
        if zero_init:
            for parameter in self.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return self.sum(x.flatten(1))
