"""LineCNN's features of a line of writing, and Transformer that writes down what it says.

Letters: B lines, T positions along the line, M their features, L tokens of a text, V tokens that there are.
"""
# from week 4

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lab.nets.attention import normalise
from lab.nets.layers import check_at_least
from lab.nets.line_cnn import LineFeatures
from lab.nets.text_decoder import PLACE, TextDecoder, sine_positions


class LineCNNTransformer(nn.Module):
    """Convolutional features along a line of any width, then a Transformer decoder.

    Shapes: images (B, 1, H, W), tokens (B, L), sizes (B, 2) -> logits (B, L, V + 1) of the token that
    follows. Number V is the end, and what is read first.

    Args:
        channels: of the first stage of images; they double at the second and third.
        stride: columns of the image for each position along the line: 1, 2, 4 or 8.
        features: numbers that describe each position.
        layers: residual layers along the line.
        kernel: positions that each of them sees, an odd number.
        depth: layers of the decoder.
        width: features of each token.
        heads: parts of the features that attend on their own.
        dropout: share of the features, and of what the decoder's layers add, set to zero in training.
        length: the most tokens of a text.

    Attributes:
        strides: height and width in pixels of a position.

    Raises:
        ValueError: input that is no image of at least 8 rows, an option out of range, or a width that the
            heads cannot share.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        channels: int = 16,
        stride: int = 4,
        features: int = 128,
        layers: int = 3,
        kernel: int = 5,
        depth: int = 2,
        width: int = 64,
        heads: int = 2,
        dropout: float = 0.0,
        length: int = 1024,
    ) -> None:
        super().__init__()
        # Its own names for these are other ones.
        check_at_least("channels", channels, 1)
        check_at_least("layers", layers, 0)
        check_at_least("length", length, 1)
        self.encoder = LineFeatures(
            input_shape,
            width=channels,
            stride=stride,
            features=features,
            depth=layers,
            kernel=kernel,
            dropout=dropout,
        )
        self.strides = (input_shape[1], stride)
        self.decoder = TextDecoder(
            num_outputs,
            memory=features + PLACE,
            depth=depth,
            width=width,
            heads=heads,
            length=length,
            dropout=dropout,
        )

    def forward(self, images: Tensor, tokens: Tensor, sizes: Tensor | None = None) -> Tensor:
        return self.decoder(tokens, *self.encode(images, sizes))

    def encode(self, images: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """A memory (B, T, M) of lines, and where it is not padding, (B, T)."""
        x = normalise(self.encoder(images, sizes))
        positions = torch.arange(x.shape[1], device=x.device)
        places = sine_positions(positions, PLACE).to(x).expand(x.shape[0], -1, -1)
        mask = None if sizes is None else positions < self.encoder.frames(sizes)[:, None]
        return torch.cat([x, places], -1), mask
