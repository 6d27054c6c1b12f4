"""How a model builds a net that goes from a latent vector to a sample of the data.

Our decoders take `(input_shape, output_shape)` and give that shape. Any other net, such as an MLP, takes
`(input_shape, num_outputs)` as ever: it is asked for as many numbers as a sample has, and they are put
in its shape.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from lab.errors import LabError
from lab.models.building import in_terms_of, signature_of

# The second is a shape or a number, as the class wants it.
DecoderBuilder = Callable[[Sequence[int], Any], nn.Module]


def build_decoder(
    decoder: DecoderBuilder,
    latent_dim: int,
    output_shape: Sequence[int],
    *,
    option: str = "decoder",
) -> nn.Module:
    """A net that maps (B, latent_dim) to (B, *output_shape).

    Args:
        option: what the net is called on the command line.

    Raises:
        LabError: the net's own ValueError.
    """
    shape = tuple(output_shape)
    try:
        if "output_shape" in signature_of(decoder).parameters:
            return decoder((latent_dim,), shape)
        return nn.Sequential(decoder((latent_dim,), math.prod(shape)), nn.Unflatten(1, shape))
    except ValueError as error:
        raise LabError(in_terms_of(option, error)) from error
