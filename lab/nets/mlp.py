"""Multi-layer perceptron in which the questions of the first lecture are options.

Depth against width, activation, initialisation, normalisation and skip connections.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from lab.nets.layers import (
    Activation,
    BatchNorm,
    Init,
    Norm,
    check_at_least,
    check_choices,
    check_dropout,
    initialise,
    make_activation,
)

NORMS: dict[str, type[nn.Module]] = {
    "none": nn.Identity,
    "batch": BatchNorm,
    "layer": nn.LayerNorm,
}


class _Hidden(nn.Module):
    """(B, in) -> (B, out): linear, normalisation, activation, dropout; with `skip` the input is added."""

    def __init__(
        self,
        width_in: int,
        width: int,
        *,
        activation: Activation,
        init: Init,
        norm: Norm,
        dropout: float,
        skip: bool,
    ) -> None:
        super().__init__()
        # Batch normalisation takes a bias out again.
        self.linear = nn.Linear(width_in, width, bias=norm != "batch")
        self.norm = NORMS[norm](width)
        self.activation = make_activation(activation)
        self.dropout = nn.Dropout(dropout)
        self.skip = skip
        initialise(self.linear, init, activation)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.dropout(self.activation(self.norm(self.linear(x))))
        return x + branch if self.skip else branch


class MLP(nn.Module):
    """Layers of weighted sums and activations: depth, width, init, norm, dropout, skip.

    Shapes: (B, *input_shape) -> (B, num_outputs). With depth 0 it is linear.

    Args:
        depth: number of hidden layers.
        width: units of each hidden layer.
        init: how weights start, see `lab.nets.layers.initialise`.
        dropout: share of hidden units set to zero in training.
        skip: add the input of each hidden layer after the first to its output (He et al. 2016).

    Raises:
        ValueError: an unknown choice, a negative depth, a width below 1, a dropout outside [0, 1).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        depth: int = 2,
        width: int = 256,
        activation: Activation = "relu",
        init: Init = "default",
        norm: Norm = "none",
        dropout: float = 0.0,
        skip: bool = False,
    ) -> None:
        super().__init__()
        check_at_least("depth", depth, 0)
        check_at_least("width", width, 1)
        check_choices(activation=activation, init=init, norm=norm)
        check_dropout(dropout)
        inputs = math.prod(input_shape)
        widths = [inputs] + depth * [width]
        self.hidden = nn.Sequential(
            *(
                _Hidden(
                    widths[layer],
                    width,
                    activation=activation,
                    init=init,
                    norm=norm,
                    dropout=dropout,
                    # The first layer reads the input, which has no business in the sum.
                    skip=skip and layer > 0,
                )
                for layer in range(depth)
            )
        )
        self.output = nn.Linear(widths[-1], num_outputs)
        initialise(self.output, init, "identity")

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.hidden(x.flatten(1)))
