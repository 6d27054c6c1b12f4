"""MLP, CNN and RNN: how many weights they have, what they compute, and what a shifted image does to them.

Images are (B, channels, H, W), sequences (B, T, inputs).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tasks.labs.data import digits

Layer = tuple[str, *tuple[int, ...]]


def count_params(layers: Sequence[Layer]) -> int:
    """How many numbers these layers learn, biases included.

    A layer is ("linear", inputs, outputs), ("conv", inputs, outputs, size) with square kernels, or
    ("rnn", inputs, hidden), ("gru", inputs, hidden), ("lstm", inputs, hidden). As in torch these three have
    two biases, one beside the weights of the input and one beside those of the state. A GRU has all weights
    three times, an LSTM four times.
    """
    # >>> solution: return the number of weights and biases of all layers, an int
    total = 0
    for kind, inputs, outputs, *size in layers:
        if kind == "linear":
            total += (inputs + 1) * outputs
        elif kind == "conv":
            total += (inputs * size[0] ** 2 + 1) * outputs
        else:
            gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
            total += gates * outputs * (inputs + outputs + 2)
    return total
    # <<< solution


class MLP(nn.Module):
    """Linear layers of sizes[0] -> sizes[1] -> ... -> sizes[-1], a ReLU between any two.

    Parameters in order: weight and bias of the first layer, of the second, and so on.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        # >>> solution: make the linear layers
        pairs = zip(sizes[:-1], sizes[1:], strict=True)
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairs)
        # <<< solution

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels, H, W) -> logits (B, sizes[-1]); pixels are read channel by channel, row by row."""
        # >>> solution: return the logits, shape (B, sizes[-1])
        x = images.flatten(1)
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)
        # <<< solution


class ConvNet(nn.Module):
    """Two 3 x 3 convolutions, each with a ReLU; the maximum over all places; a linear layer.

    Zeros around the image keep height and width. Parameters in order: weight and bias of the first
    convolution, of the second, of the linear layer.
    """

    def __init__(self, channels: int, first: int, second: int, classes: int) -> None:
        super().__init__()
        # >>> solution: make the two convolutions and the linear layer
        self.first = nn.Conv2d(channels, first, 3, padding=1)
        self.second = nn.Conv2d(first, second, 3, padding=1)
        self.head = nn.Linear(second, classes)
        # <<< solution

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels, H, W) -> logits (B, classes), for any H and W."""
        # >>> solution: return the logits, shape (B, classes)
        x = self.first(images).relu()
        x = self.second(x).relu()
        return self.head(x.amax((2, 3)))
        # <<< solution


class RNN(nn.Module):
    """A plain recurrent net, with the parameters of `nn.RNN` by name and shape.

    In each step h = tanh(W_ih x + b_ih + W_hh h + b_hh), with the same weights.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()

        def made(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-1, 1) / hidden**0.5)

        self.weight_ih_l0 = made(hidden, inputs)
        self.weight_hh_l0 = made(hidden, hidden)
        self.bias_ih_l0 = made(hidden)
        self.bias_hh_l0 = made(hidden)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, inputs), first state h (B, hidden) -> all states (B, T, hidden), last (B, hidden)."""
        # >>> solution: return all states (B, T, hidden) and the last one (B, hidden)
        states = []
        for step in x.unbind(1):
            pull = step @ self.weight_ih_l0.T + self.bias_ih_l0
            h = torch.tanh(pull + h @ self.weight_hh_l0.T + self.bias_hh_l0)
            states.append(h)
        return torch.stack(states, dim=1), h
        # <<< solution


def shift(images: Tensor, pixels: int) -> Tensor:
    """Images (B, channels, H, W) moved to the right, or to the left if `pixels` is negative.

    What leaves is lost, zeros come in; by W or more nothing is left.
    """
    # >>> solution: return the moved images as a new tensor, same shape
    width = images.shape[-1]
    moved = torch.zeros_like(images)
    for column in range(width):
        if 0 <= column - pixels < width:
            moved[..., column] = images[..., column - pixels]
    return moved
    # <<< solution


def pictures() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The digits as images (n, 1, 8, 8) with labels (n,): train (1437), then test (360)."""
    train, labels, test, truth = digits()
    images = [torch.tensor(part).float().reshape(-1, 1, 8, 8) for part in (train, test)]
    return images[0], torch.tensor(labels), images[1], torch.tensor(truth)


def fit(net: nn.Module, images: Tensor, labels: Tensor, *, steps: int = 300) -> None:
    """Adam on random batches of 64, with a learning rate that rises and falls."""
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-2, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,))
        loss = nn.functional.cross_entropy(net(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return (net(images).argmax(1) == labels).float().mean().item()
