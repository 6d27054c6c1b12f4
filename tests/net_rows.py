"""The table of nets for the property tests: at least one row for each net of `lab/nets`.

Options that start parts of a net at zero are left to tests of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lab.nets.cnn import CNN
from lab.nets.conv_decoder import ConvDecoder
from lab.nets.dcgan import DCGANDiscriminator, DCGANGenerator
from lab.nets.line_cnn import LineCNN  # from week 3
from lab.nets.line_cnn_lstm import LineCNNLSTM  # from week 3
from lab.nets.line_cnn_transformer import LineCNNTransformer  # from week 4
from lab.nets.linear import Linear
from lab.nets.made import MADE
from lab.nets.mlp import MLP
from lab.nets.pixel_cnn import PixelCNN
from lab.nets.pixel_transformer import PixelTransformer  # from week 4
from lab.nets.recurrent import GRU, LSTM
from lab.nets.resnet import ResNet  # from week 2
from lab.nets.resnet_transformer import ResNetTransformer  # from week 6
from lab.nets.skip_gram import SkipGram
from lab.nets.sliding_cnn import SlidingCNN  # from week 3
from lab.nets.transformer import Transformer  # from week 4

OUTPUTS = 5


@dataclass(frozen=True)
class Row:
    """A net, the shape of one input, options; inputs are floats, or with `tokens` numbers below OUTPUTS.

    `output` is the shape of one sample's output, for a number of outputs. A decoder is told the shape itself.
    A net that `reads` is given so many tokens beside the input.
    """

    net: Callable[..., nn.Module]
    shape: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    tokens: bool = False
    output: Callable[[int], tuple[int, ...]] = lambda outputs: (outputs,)
    decoder: bool = False
    reads: int | None = None

    def make(self, outputs: int = OUTPUTS) -> nn.Module:
        """The net for so many outputs."""
        size = self.output(outputs) if self.decoder else outputs
        net = self.net(list(self.shape), size, **self.options)
        return net if self.reads is None else Reading(net, self.reads, outputs)


class Reading(nn.Module):
    """An encoder-decoder net to which the same few tokens are given with all images."""

    def __init__(self, net: nn.Module, reads: int, outputs: int) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("tokens", torch.arange(reads).flip(0) % outputs, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images, self.tokens.expand(images.shape[0], -1))


ROWS = [
    Row(Linear, (3,), {"zero_init": False}),
    Row(Linear, (1, 8, 8), {"zero_init": False, "bias": False}),
    Row(MLP, (3,), {"activation": "tanh"}),
    Row(MLP, (1, 8, 8), {"width": 32, "norm": "batch", "dropout": 0.3, "init": "he"}),
    Row(MLP, (2, 3, 4), {"depth": 3, "width": 32, "norm": "layer", "skip": True}),
    Row(CNN, (1, 8, 8), {"width": 4}),
    Row(CNN, (3, 13, 9), {"depth": 3, "width": 4, "activation": "gelu", "dropout": 0.3}),
    Row(CNN, (1, 28, 28), {"depth": 1, "width": 4, "init": "xavier"}),
    # >>> from week 2
    Row(ResNet, (1, 8, 8), {"width": 4, "depth": 1}),
    Row(ResNet, (3, 17, 12), {"width": 4, "depth": 2, "dropout": 0.3}),
    Row(ResNet, (1, 4, 4), {"width": 4, "depth": 1, "skip": False, "activation": "tanh"}),
    Row(ResNet, (1, 9, 12), {"width": 4, "depth": 1, "stem_stride": 2}),
    # <<< from week 2
    Row(ConvDecoder, (2,), {"width": 4}, output=lambda outputs: (outputs, 8, 8), decoder=True),
    Row(
        ConvDecoder,
        (3, 2),
        {"width": 4, "depth": 3, "activation": "gelu", "init": "xavier"},
        output=lambda outputs: (outputs, 13, 9),
        decoder=True,
    ),
    Row(
        ConvDecoder,
        (3,),
        {"width": 4, "depth": 1},
        output=lambda outputs: (outputs, 7, 1),
        decoder=True,
    ),
    Row(
        DCGANGenerator,
        (3,),
        {"width": 4},
        output=lambda outputs: (outputs, 8, 12),
        decoder=True,
    ),
    Row(
        DCGANGenerator,
        (2,),
        {"width": 4, "depth": 1},
        output=lambda outputs: (outputs, 6, 2),
        decoder=True,
    ),
    Row(DCGANDiscriminator, (1, 8, 8), {"width": 4}),
    Row(DCGANDiscriminator, (3, 16, 8), {"width": 4, "depth": 3, "norm": "batch"}),
    Row(GRU, (7,), {"width": 12, "embedding": 4}, tokens=True, output=lambda outputs: (7, outputs)),
    Row(
        LSTM,
        (6,),
        {"depth": 2, "width": 8, "embedding": 4, "dropout": 0.3},
        tokens=True,
        output=lambda outputs: (6, outputs),
    ),
    # >>> from week 4
    Row(
        Transformer,
        (8,),
        {"depth": 2, "width": 16, "heads": 2, "dropout": 0.3},
        tokens=True,
        output=lambda outputs: (8, outputs),
    ),
    # <<< from week 4
    Row(
        SkipGram,
        (4,),
        {"width": 8, "sparse": False, "zero_init": False},
        tokens=True,
        output=lambda outputs: (4, outputs),
    ),
    Row(
        MADE,
        (1, 4, 5),
        {"width": 40, "dropout": 0.3, "activation": "gelu", "zero_init": False},
        output=lambda outputs: (outputs, 1, 4, 5),
    ),
    Row(
        PixelCNN,
        (1, 5, 4),
        {"depth": 2, "width": 6, "first_kernel": 5, "dropout": 0.3},
        output=lambda outputs: (outputs, 1, 5, 4),
    ),
    # >>> from week 4
    Row(
        PixelTransformer,
        (1, 4, 3),
        {"depth": 2, "width": 16, "heads": 2, "dropout": 0.3},
        output=lambda outputs: (outputs, 1, 4, 3),
    ),
    # <<< from week 4
    # >>> from week 3
    Row(
        LineCNN,
        (1, 20, 30),
        {"width": 4, "features": 12, "depth": 2, "kernel": 3, "dropout": 0.3},
        output=lambda outputs: (8, outputs),
    ),
    Row(
        LineCNN,
        (1, 9, 13),
        {"width": 4, "features": 12, "depth": 0, "stride": 8},
        output=lambda outputs: (2, outputs),
    ),
    Row(
        LineCNNLSTM,
        (1, 16, 21),
        {"width": 4, "features": 8, "lstm_depth": 2, "lstm_width": 6, "dropout": 0.3},
        output=lambda outputs: (6, outputs),
    ),
    Row(
        SlidingCNN,
        (1, 12, 30),
        {"width": 4, "window": 11, "stride": 4, "dropout": 0.3},
        output=lambda outputs: (8, outputs),
    ),
    # <<< from week 3
    # >>> from week 4
    Row(
        LineCNNTransformer,
        (1, 16, 21),
        {"channels": 4, "features": 8, "layers": 1, "width": 8, "heads": 2, "dropout": 0.3},
        output=lambda outputs: (6, outputs),
        reads=6,
    ),
    # <<< from week 4
    # >>> from week 6
    Row(
        ResNetTransformer,
        (1, 17, 22),
        {"channels": 4, "width": 8, "heads": 2, "depth": 1, "dropout": 0.3},
        output=lambda outputs: (5, outputs),
        reads=5,
    ),
    # <<< from week 6
]
