"""Convolutional features along a line of writing, read from both ends by LSTMs.

Letters: B lines, H and W their height and width, T output positions (frames), D features of each.
Source: Graves, Schmidhuber, "Offline handwriting recognition", 2009; Shi, Bai, Yao, "CRNN", 2015.
"""
# from week 3

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lab.nets.layers import check_at_least
from lab.nets.line_cnn import LineFeatures, logits_layer


def backwards(x: Tensor, frames: Tensor | None) -> Tensor:
    """Each line's own frames (B,) of x, (B, T, D), in reverse order; what is beyond stays where it is."""
    if frames is None:
        return x.flip(1)
    places = torch.arange(x.shape[1], device=x.device)
    turned = frames[:, None] - 1 - places
    return x.gather(1, turned.where(turned >= 0, places)[:, :, None].expand_as(x))


@torch.library.custom_op("lab::lstm", mutates_args=())
def lstm(x: Tensor, weights: list[Tensor]) -> Tensor:
    """Outputs (B, T, width) of one LSTM over x, (B, T, D), by its weights in the order of `nn.LSTM`."""
    zeros = x.new_zeros(1, x.shape[0], weights[1].shape[1])
    return torch.lstm(x, [zeros, zeros], weights, True, 1, 0.0, False, False, True)[0]


@lstm.register_fake
def _(x: Tensor, weights: list[Tensor]) -> Tensor:
    return x.new_empty(*x.shape[:2], weights[1].shape[1])


def read(cells: nn.LSTM, x: Tensor) -> Tensor:
    """Outputs (B, T, width) of one LSTM over x, (B, T, D).

    torch 2.14 exports its own layer for one length only. As an operator it is exported for any; whoever loads
    such a program imports this file before.
    """
    if torch.compiler.is_exporting():
        return lstm(x, list(cells.parameters()))
    return cells(x)[0]


class _BothWays(nn.Module):
    """(B, T, D) -> (B, T, 2 width): an LSTM from the left, and one from the line's own end."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.right = nn.LSTM(features, width, batch_first=True)
        self.left = nn.LSTM(features, width, batch_first=True)
        with torch.no_grad():
            for cells in (self.right, self.left):
                # The memory is kept until there is a reason to forget (Jozefowicz et al. 2015).
                dict(cells.named_parameters())["bias_ih_l0"][width : 2 * width] = 1

    def forward(self, x: Tensor, frames: Tensor | None) -> Tensor:
        left = backwards(read(self.left, backwards(x, frames)), frames)
        return torch.cat([read(self.right, x), left], 2)


class LineCNNLSTM(nn.Module):
    """Convolutional features of a line, then bidirectional LSTMs: all logits see the whole line.

    Shapes: (B, 1, H, W) and sizes (B, 2) -> (B, T, num_outputs), T a `stride`-th of W, rounded up.

    Args:
        width: channels of the first stage of images; they double at the second and third.
        stride: columns of the image for each output position: 1, 2, 4 or 8.
        features: numbers that describe each position along the line.
        depth: residual layers along the line, before the LSTMs.
        kernel: positions that each of them sees, an odd number.
        lstm_depth: layers of LSTMs, each of two directions.
        lstm_width: units of each direction.
        dropout: share of the features set to zero before each layer along the line, in training.

    Raises:
        ValueError: input that is no image of at least 8 rows, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        width: int = 16,
        stride: int = 4,
        features: int = 128,
        depth: int = 1,
        kernel: int = 5,
        lstm_depth: int = 1,
        lstm_width: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least("lstm_depth", lstm_depth, 1)
        check_at_least("lstm_width", lstm_width, 1)
        self.encoder = LineFeatures(
            input_shape,
            width=width,
            stride=stride,
            features=features,
            depth=depth,
            kernel=kernel,
            dropout=dropout,
        )
        widths = [features, *[2 * lstm_width] * lstm_depth]
        self.lstms = nn.ModuleList(_BothWays(wide, lstm_width) for wide in widths[:-1])
        self.dropout = nn.Dropout(dropout)
        # Past the LSTMs, the convolutions learn from the first step on (Retsinas et al. 2022).
        self.output = logits_layer(features + 2 * lstm_width, num_outputs)

    def frames(self, sizes: Tensor) -> Tensor:
        """How many output positions (B,) belong to images of true sizes (B, 2)."""
        return self.encoder.frames(sizes)

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        frames = None if sizes is None else self.frames(sizes)
        x = features = self.encoder(images, sizes)
        for lstm in self.lstms:
            x = lstm(self.dropout(x), frames)
        return self.output(self.dropout(torch.cat([features, x], 2)))
