"""Choices that several nets offer by name: activations, normalisations, initialisations."""

import difflib
import math
from collections.abc import Iterable
from typing import Literal, get_args

from torch import nn

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
# What keeps the variance of a deep net with this activation: those torch knows, He's for its relatives.
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


def check_at_least(option: str, value: float, least: float) -> None:
    """Raise ValueError when a number is too small to build a net."""
    if value < least:
        raise ValueError(f"--model.net.{option} {value}: choose {least} or more")


def make_activation(name: Activation) -> nn.Module:
    """A fresh activation layer."""
    check_choice("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def initialise(layer: nn.Module, init: Init, activation: Activation) -> None:
    """Set the weights of a linear or convolutional layer and, except for `default`, zero its bias.

    he, xavier and orthogonal use the gain of the activation (Glorot & Bengio 2010, Saxe et al. 2013,
    He et al. 2015); lecun has variance 1 / fan_in whatever the activation; normal has a fixed small
    standard deviation, which deep nets do not survive; zeros leaves all units alike.
    """
    check_choice("init", init, get_args(Init))
    if init == "default" or not isinstance(layer, nn.Linear | nn.Conv2d):
        return
    weight, gain = layer.weight, GAINS[activation]
    fan_in = weight[0].numel()
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
