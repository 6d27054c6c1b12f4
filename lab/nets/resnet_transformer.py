"""ResNet that looks at an image of text, line or page, and Transformer that writes down what it says.

Letters: B images, h and w the height and width of the feature map, M its channels, L tokens of a text,
V tokens that there are.
Source: Singh, Karayev, "Full page handwriting recognition via image to sequence extraction", 2021.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.nets.attention import normalise
from lab.nets.layers import BatchNorm, check_at_least, check_image, initialise
from lab.nets.text_decoder import TextDecoder, sine_positions


class _Block(nn.Module):
    """(B, in, H, W) -> (B, out, H / stride, W / stride): two convolutions around which the input passes.

    Beyond an image's true size all that goes in and comes out is zero.
    """

    def __init__(self, channels_in: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first_norm, self.second_norm = BatchNorm(channels_in), BatchNorm(channels)
        self.first = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        same = channels_in == channels and stride == 1
        self.shortcut = (
            None if same else nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        halved = mask[:, :, :: self.stride, :: self.stride]
        entered = F.relu(self.first_norm(x)) * mask
        branch = self.second(F.relu(self.second_norm(self.first(entered))) * halved)
        return (branch + (x if self.shortcut is None else self.shortcut(entered))) * halved


class ResNetTransformer(nn.Module):
    """ResNet features with positions in two dimensions, then a Transformer decoder: for lines and pages.

    Shapes: images (B, C, H, W), tokens (B, L), sizes (B, 2) -> logits (B, L, V + 1) of the token that
    follows. Number V is the end, and what is read first.

    Args:
        channels: of the first stage; they double at the second and third, which halve the image.
        blocks: in each of the three stages.
        stem_stride: step of the first convolution; 2 makes the feature map an eighth of the image.
        depth: layers of the decoder.
        width: features of each token.
        heads: parts of the features that attend on their own.
        dropout: share of what the decoder's layers add that is set to zero in training.
        length: the most tokens of a text.

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
        heads: int = 4,
        dropout: float = 0.0,
        length: int = 1024,
    ) -> None:
        super().__init__()
        check_at_least("channels", channels, 1)
        check_at_least("blocks", blocks, 1)
        check_at_least("stem_stride", stem_stride, 1)
        check_at_least("length", length, 1)
        check_image(input_shape, least=4 * stem_stride, way_out="use MLP")
        self.stem_stride, size = stem_stride, channels
        self.stem = nn.Conv2d(input_shape[0], size, 3, stride=stem_stride, padding=1, bias=False)
        self.blocks = nn.ModuleList()
        for stage in range(3):
            for place in range(blocks):
                stride = 2 if stage > 0 and place == 0 else 1
                self.blocks.append(_Block(size, channels * 2**stage, stride=stride))
                size = channels * 2**stage
        self.leave = BatchNorm(size)
        self.decoder = TextDecoder(
            num_outputs,
            memory=size,
            depth=depth,
            width=width,
            heads=heads,
            length=length,
            dropout=dropout,
        )
        for module in (self.stem, *self.blocks.modules()):
            if isinstance(module, nn.Conv2d):
                initialise(module, "he", "relu")

    def forward(self, images: Tensor, tokens: Tensor, sizes: Tensor | None = None) -> Tensor:
        return self.decoder(tokens, *self.encode(images, sizes))

    def encode(self, images: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """A memory (B, h * w, M) of images, and where it is not padding, (B, h * w)."""
        mask = inside(images, sizes)
        x = self.stem(images * mask)
        mask = mask[:, :, :: self.stem_stride, :: self.stem_stride]
        x = x * mask
        for block in self.blocks:
            x = block(x, mask)
            mask = mask[:, :, :: block.stride, :: block.stride]
        x = normalise(F.relu(self.leave(x)).movedim(1, -1))  # (B, h, w, M)
        memory = x + positions(x.shape[1], x.shape[2], x).to(x)
        return memory.flatten(1, 2), None if sizes is None else mask.bool().flatten(1)


def inside(images: Tensor, sizes: Tensor | None) -> Tensor:
    """1 within the true size of each image (B, C, H, W), 0 beyond: (B, 1, H, W)."""
    if sizes is None:
        return images.new_ones(1, 1, *images.shape[2:])
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device) < sizes[:, :1]
    columns = torch.arange(width, device=images.device) < sizes[:, 1:]
    return (rows[:, None, :, None] & columns[:, None, None]).to(images)


def positions(height: int, width: int, x: Tensor) -> Tensor:
    """Where each place of a feature map is, (h, w, M): one half of the numbers its row, one its column."""
    features = x.shape[-1]
    rows = sine_positions(torch.arange(height, device=x.device), features // 2)
    columns = sine_positions(torch.arange(width, device=x.device), features - features // 2)
    shape = (height, width, -1)
    return torch.cat([rows[:, None].expand(shape), columns[None].expand(shape)], -1)
