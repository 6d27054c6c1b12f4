"""Next-pixel prediction: masked layers, so that each pixel is predicted from those before it alone.

An image of D pixels is a row of zeros and ones in reading order, row by row from the top left. A net maps
images (B, D) to logits (B, D); logit i is the log odds that pixel i is 1, given the pixels before i.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from tasks.labs.data import digits

Kind = Literal["A", "B"]
Net = Callable[[Tensor], Tensor]


def linear_mask(pixels: int, kind: Kind) -> Tensor:
    """Which pixels a layer of one output per pixel may see: floats 0 and 1, (pixels, pixels).

    Row i, column j is 1 where output i may see input j: for kind A the pixels before i, for kind B pixel i
    itself too. The first layer of a net is of kind A, all later ones of kind B.
    """
    # >>> solution: return the mask of a linear layer, shape (pixels, pixels)
    return torch.ones(pixels, pixels).tril(-1 if kind == "A" else 0)
    # <<< solution


def conv_mask(size: int, kind: Kind) -> Tensor:
    """The same for a kernel of odd size, whose centre lies on the output pixel: (size, size)."""
    # >>> solution: return the mask of a kernel, shape (size, size)
    before = torch.arange(size * size) < size * size // 2 + (kind == "B")
    return before.float().reshape(size, size)
    # <<< solution


class MaskedLinear(nn.Linear):
    """A linear layer, from a value per pixel to a value per pixel, that sees only what its mask lets through.

    `weight` is (pixels, pixels), `bias` is (pixels,), as in `nn.Linear`. Neither training nor loading weights
    may open what the mask closes.
    """

    mask: Tensor

    def __init__(self, pixels: int, kind: Kind) -> None:
        super().__init__(pixels, pixels)
        self.register_buffer("mask", linear_mask(pixels, kind))

    def forward(self, x: Tensor) -> Tensor:
        """(B, pixels) -> (B, pixels)."""
        # >>> solution: return the output of the layer as if masked weights were zero
        return nn.functional.linear(x, self.weight * self.mask, self.bias)
        # <<< solution


class MaskedConv2d(nn.Conv2d):
    """A convolution of odd kernel size that sees only what its mask lets through; zeros around keep the size.

    `weight` is (outputs, inputs, size, size), `bias` is (outputs,), as in `nn.Conv2d`.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, *, size: int, kind: Kind) -> None:
        super().__init__(inputs, outputs, size, padding=size // 2)
        self.register_buffer("mask", conv_mask(size, kind))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        # >>> solution: return the output of the convolution as if masked weights were zero
        weight = self.weight * self.mask
        return nn.functional.conv2d(x, weight, self.bias, padding=self.padding)
        # <<< solution


def pixel_cnn(height: int, width: int, *, channels: int = 8) -> nn.Sequential:
    """A net of three masked convolutions: images (B, D) -> logits (B, D)."""
    return nn.Sequential(
        nn.Unflatten(1, (1, height, width)),
        MaskedConv2d(1, channels, size=3, kind="A"),
        nn.ReLU(),
        MaskedConv2d(channels, channels, size=3, kind="B"),
        nn.ReLU(),
        MaskedConv2d(channels, 1, size=1, kind="B"),
        nn.Flatten(),
    )


def input_jacobian(net: Net, x: Tensor) -> Tensor:
    """The derivative of each logit by each pixel at an image x (D,): entry i, j is d logit_i / d x_j, (D, D).

    It shows what a net looks at: where it is lower triangular with a zero diagonal, no logit sees its own
    pixel or a later one.
    """
    # >>> solution: return the matrix of derivatives, shape (D, D), logits by pixels
    x = x.detach().requires_grad_()
    logits = net(x[None])[0]
    rows = [torch.autograd.grad(logit, x, retain_graph=True)[0] for logit in logits]
    return torch.stack(rows)
    # <<< solution


def log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """The natural log of each image's probability: (B, D), (B, D) -> (B,). Exact for logits of +-1e4 too."""
    # >>> solution: return the log probability of each image, shape (B,)
    signs = 2 * x - 1
    return nn.functional.logsigmoid(signs * logits).sum(1)
    # <<< solution


def bits_per_pixel(logits: Tensor, x: Tensor) -> float:
    """How many bits a pixel of x costs a coder that predicts with these logits: 1 for a fair coin."""
    # >>> solution: return the mean over images and pixels, in bits, a float
    nats = -log_likelihood(logits, x).mean().item() / x.shape[1]
    return nats / torch.log(torch.tensor(2.0)).item()
    # <<< solution


def independent_bits(train: Tensor, test: Tensor) -> float:
    """Bits per pixel of `test` if pixels did not depend on each other.

    The probability that pixel i is 1 is (ones + 1) / (images + 2), counted in `train` at pixel i.
    """
    # >>> solution: return the bits per pixel of the test images, a float
    ones = (train.sum(0) + 1) / (len(train) + 2)
    return bits_per_pixel(ones.logit().expand_as(test), test)
    # <<< solution


def sample(net: Net, n: int, pixels: int, *, generator: torch.Generator) -> Tensor:
    """n images (n, pixels) of zeros and ones, drawn pixel by pixel from the net, without a graph."""
    # >>> solution: return n drawn images, floats 0 and 1, shape (n, pixels)
    x = torch.zeros(n, pixels)
    with torch.no_grad():
        for i in range(pixels):
            ones = net(x)[:, i].sigmoid()
            x[:, i] = torch.bernoulli(ones, generator=generator)
    return x
    # <<< solution


def binary_digits() -> tuple[Tensor, Tensor]:
    """The digits as zeros and ones: train (1437, 64), test (360, 64)."""
    train, _, test, _ = digits()
    return torch.tensor(train > 0.5).float(), torch.tensor(test > 0.5).float()


def fit(net: nn.Module, train: Tensor, *, steps: int = 300, lr: float = 0.05) -> None:
    """Adam on the mean log likelihood, all images in each step."""
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    for _ in range(steps):
        loss = -log_likelihood(net(train), train).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
