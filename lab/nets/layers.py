"""What several nets share: activations, normalisations and initialisations by name, checks of options."""

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

Activation = Literal[
    "relu", "tanh", "sigmoid", "gelu", "silu", "leaky_relu", "elu", "softplus", "identity"
]
Norm = Literal["none", "batch", "layer"]
Init = Literal["default", "he", "xavier", "lecun", "orthogonal", "normal", "zeros"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}
# Those of `torch.nn.init.calculate_gain`; the smooth relatives of ReLU take its gain.
GAINS = {
    "relu": math.sqrt(2),
    "gelu": math.sqrt(2),
    "silu": math.sqrt(2),
    "elu": math.sqrt(2),
    "softplus": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),
    "tanh": 5 / 3,
    "sigmoid": 1.0,
    "identity": 1.0,
}


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Raise ValueError with the nearest names when `value` is none of the choices."""
    known = list(choices)
    if value not in known:
        close = difflib.get_close_matches(value, known, cutoff=0.4) or known
        raise ValueError(
            f"--model.net.{option} {value}: no such choice.\nNearest: {', '.join(close)}"
        )


def check_choices(*, activation: str, init: str = "default", norm: str = "none") -> None:
    """Raise ValueError when one of the names is unknown."""
    check_choice("activation", activation, ACTIVATIONS)
    check_choice("init", init, get_args(Init))
    check_choice("norm", norm, get_args(Norm))


def check_at_least(option: str, value: float, least: float) -> None:
    """Raise ValueError when a number is too small to build a net."""
    if value < least:
        raise ValueError(f"--model.net.{option} {value}: choose {least} or more")


def check_dropout(dropout: float) -> None:
    """Raise ValueError unless some units are left."""
    if not 0 <= dropout < 1:
        raise ValueError(f"--model.net.dropout {dropout}: choose 0 to below 1")


def check_image(input_shape: Sequence[int], *, least: int, way_out: str) -> None:
    """Raise ValueError unless the input is an image (C, H, W) of at least `least` pixels each way."""
    if len(input_shape) != 3:
        raise ValueError(
            f"this net reads images (C, H, W), the data have shape {tuple(input_shape)}: use MLP"
        )
    height, width = input_shape[1:]
    if min(height, width) < least:
        raise ValueError(
            f"images of {height}x{width} are too small: {way_out}, "
            f"or use images of at least {least}x{least}"
        )


def make_activation(name: Activation) -> nn.Module:
    """A fresh activation layer."""
    return ACTIVATIONS[name]()


class BatchNorm(_BatchNorm):
    """Batch normalisation (Ioffe & Szegedy 2015) of (B, C) or (B, C, H, W), for any batch.

    The last batch of an epoch may be a single sample. A single value per channel has no variance, so in
    training, too, it is normalised by the running statistics, which it leaves as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions will do."""


def initialise(layer: nn.Linear | nn.Conv2d, init: Init, activation: Activation) -> None:
    """Set the weights of a layer and, except for `default`, zero its bias.

    he, xavier and orthogonal use the gain of the activation (He et al. 2015, Glorot & Bengio 2010, Saxe
    et al. 2013); lecun has variance 1 / fan_in whatever the activation; normal has a fixed small standard
    deviation, which deep nets do not survive; zeros leaves all units alike; default is torch's own.
    """
    weight, gain = layer.weight, GAINS[activation]
    fan_in = weight[0].numel()
    if init == "default":
        return
    if init == "he":
        nn.init.normal_(weight, std=gain / math.sqrt(fan_in))
    elif init == "xavier":
        nn.init.xavier_normal_(weight, gain=gain)
    elif init == "lecun":
        nn.init.normal_(weight, std=1 / math.sqrt(fan_in))
    elif init == "orthogonal":
        nn.init.orthogonal_(weight, gain=gain)
    elif init == "normal":
        nn.init.normal_(weight, std=0.01)
    else:
        nn.init.zeros_(weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
