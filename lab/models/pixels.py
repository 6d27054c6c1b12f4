"""Images as shares of white, whatever range the data module gives them in, and as grey levels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

InputRange = tuple[Sequence[float], Sequence[float]]


class Pixels(nn.Module):
    """Between the data's range and [0, 1].

    Shapes: (B, C, ...) both ways, any floating type.

    Args:
        input_range: what black and white are in a batch, a value per channel each: a fact of the data.
    """

    low: Tensor
    span: Tensor

    def __init__(self, input_range: InputRange) -> None:
        super().__init__()
        low, high = (torch.tensor(list(bound)) for bound in input_range)
        # The data state them anew in every run, so checkpoints need not hold them.
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("span", high - low, persistent=False)

    def to_unit(self, x: Tensor) -> Tensor:
        """Black is 0 and white is 1; rounding does not lead out of it."""
        return ((x - self.beside(self.low, x)) / self.beside(self.span, x)).clamp(0, 1)

    def from_unit(self, unit: Tensor) -> Tensor:
        """What a data module would give for shares of white."""
        return unit * self.beside(self.span, unit) + self.beside(self.low, unit)

    def beside(self, values: Tensor, x: Tensor) -> Tensor:
        """One value per channel, in the shape and type that fit `x`."""
        return values.to(x).view(-1, *(1 for _ in range(x.dim() - 2)))


class Unbounded(nn.Module):
    """In place of `Pixels` for data without bounds, such as points: their own units are kept."""

    def to_unit(self, x: Tensor) -> Tensor:
        return x

    def from_unit(self, unit: Tensor) -> Tensor:
        return unit


def units(input_range: InputRange | None) -> Pixels | Unbounded:
    """Shares of white for data that state black and white, else the data's own units."""
    return Unbounded() if input_range is None else Pixels(input_range)


def to_levels(unit: Tensor, levels: int) -> Tensor:
    """Numbers 0 to levels - 1 of the grey levels nearest to shares of white."""
    return (unit * (levels - 1)).round().long()


def from_levels(numbers: Tensor, levels: int) -> Tensor:
    """Shares of white of grey levels."""
    return numbers.float() / (levels - 1)
