"""ResNet that looks at an image of text, line or page, and Transformer that writes down what it says.

Letters: B images, h and w the height and width of the feature map, M its features, L tokens of a text,
V tokens that there are.
Source: Singh, Karayev, "Full page handwriting recognition via image to sequence extraction", 2021.
"""
# from week 6

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lab.nets.attention import normalise
from lab.nets.layers import BatchNorm, check_at_least, check_image, initialise
from lab.nets.text_decoder import PLACE, TextDecoder, sine_positions


class _Layer(nn.Module):
    """Convolution and batch normalisation: (B, in, H, W) -> (B, out, H / down, W / along), rounded up."""

    def __init__(
        self, channels_in: int, channels: int, kernel: int, *, stride: tuple[int, int]
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False)
        initialise(self.conv, "he", "relu")
        self.norm = BatchNorm(channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.norm(self.conv(x))
        # In place, since memory is what takes the time here.
        return x if mask is None else x.mul_(mask)


class _Block(nn.Module):
    """(B, in, H, W) -> (B, out, H / down, W / along): two convolutions around which the input passes."""

    def __init__(self, channels_in: int, channels: int, *, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride
        self.first = _Layer(channels_in, channels, 3, stride=stride)
        self.second = _Layer(channels, channels, 3, stride=(1, 1))
        same = channels_in == channels and stride == (1, 1)
        self.shortcut = None if same else _Layer(channels_in, channels, 1, stride=stride)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        branch = self.second(self.first(x, mask).relu_(), mask)
        return (branch + (x if self.shortcut is None else self.shortcut(x, mask))).relu_()


class ResNetTransformer(nn.Module):
    """ResNet features with positions in two dimensions, then a Transformer decoder: for lines and pages.

    Shapes: images (B, C, H, W), tokens (B, L), sizes (B, 2) -> logits (B, L, V + 1) of the token that
    follows. Number V is the end, and what is read first.

    Args:
        channels: of the first stage; they double at the second, which halves the image, and at the third,
            which halves its height.
        blocks: in each of the three stages.
        stem_stride: step of the first convolution; with 2 a place of the feature map is 8 pixels high and 4
            wide, so that lines should be 8 apart or more.
        depth: layers of the decoder.
        width: features of each token.
        heads: parts of the features that attend on their own.
        dropout: share of what the decoder's layers add that is set to zero in training.
        length: the most tokens of a text.

    Attributes:
        strides: height and width in pixels of a place of the feature map.

    Raises:
        ValueError: data that are no images, an option out of range, or a width the heads cannot share.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        channels: int = 16,
        blocks: int = 1,
        stem_stride: int = 2,
        depth: int = 2,
        width: int = 64,
        heads: int = 2,
        dropout: float = 0.0,
        length: int = 1024,
    ) -> None:
        super().__init__()
        check_at_least("channels", channels, 1)
        check_at_least("blocks", blocks, 1)
        check_at_least("stem_stride", stem_stride, 1)
        check_at_least("length", length, 1)
        check_image(input_shape, least=4 * stem_stride, way_out="lower --model.net.stem_stride")
        self.strides = (4 * stem_stride, 2 * stem_stride)
        self.stem = _Layer(input_shape[0], channels, 5, stride=(stem_stride, stem_stride))
        self.stem_stride, size = stem_stride, channels
        self.blocks = nn.ModuleList()
        for stage, stride in enumerate([(1, 1), (2, 2), (2, 1)]):
            for place in range(blocks):
                wide = channels * 2**stage
                self.blocks.append(_Block(size, wide, stride=(1, 1) if place else stride))
                size = wide
        # On a CPU faster than the usual order of the numbers.
        self.to(memory_format=torch.channels_last)
        self.decoder = TextDecoder(
            num_outputs,
            memory=size + PLACE,
            depth=depth,
            width=width,
            heads=heads,
            length=length,
            dropout=dropout,
        )

    def forward(self, images: Tensor, tokens: Tensor, sizes: Tensor | None = None) -> Tensor:
        return self.decoder(tokens, *self.encode(images, sizes))

    def encode(self, images: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """A memory (B, h * w, M) of images, and where it is not padding, (B, h * w)."""
        mask = None if sizes is None else inside(images, sizes)
        mask = every(mask, (self.stem_stride, self.stem_stride))
        x = self.stem(images, mask).relu_()
        blocks: list[Any] = [*self.blocks]
        for block in blocks:
            mask = every(mask, block.stride)
            x = block(x, mask)
        x = normalise(x.movedim(1, -1))  # (B, h, w, M)
        places = positions(x.shape[1], x.shape[2], device=x.device).to(x)
        memory = torch.cat([x, places.expand(x.shape[0], -1, -1, -1)], -1)
        return memory.flatten(1, 2), None if mask is None else mask.bool().flatten(1)


def every(mask: Tensor | None, stride: tuple[int, int]) -> Tensor | None:
    """Of a mask (B, 1, H, W) every so-manieth row and column: that of what a stride leaves."""
    return None if mask is None else mask[:, :, :: stride[0], :: stride[1]]


def inside(images: Tensor, sizes: Tensor) -> Tensor:
    """1 within the true size of each image (B, C, H, W), 0 beyond: (B, 1, H, W)."""
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device) < sizes[:, :1]
    columns = torch.arange(width, device=images.device) < sizes[:, 1:]
    return (rows[:, None, :, None] & columns[:, None, None]).to(images)


def positions(height: int, width: int, *, device: torch.device) -> Tensor:
    """Where each place of a feature map is, (h, w, PLACE): half of the numbers tell its row."""
    rows = sine_positions(torch.arange(height, device=device), PLACE // 2)
    columns = sine_positions(torch.arange(width, device=device), PLACE // 2)
    shape = (height, width, -1)
    return torch.cat([rows[:, None].expand(shape), columns.expand(shape)], -1)
