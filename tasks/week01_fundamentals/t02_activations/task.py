"""Seven activations, their slopes, what a chain of them does to a gradient, and units that died.

x has any shape. Each function returns the shape and dtype of x, float32 or float64, and changes no argument.
None of them may overflow at +-1000.
"""

import math

import numpy as np


def erf(x: np.ndarray) -> np.ndarray:
    """The error function (NumPy has none), in the dtype of x."""
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    # >>> solution: return the sigmoid of x, also at +-1000
    shrunk = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(x), shrunk) / (1 + shrunk)
    # <<< solution


def sigmoid_slope(x: np.ndarray) -> np.ndarray:
    """The derivative of `sigmoid` at x."""
    # >>> solution: return the derivative of the sigmoid
    s = sigmoid(x)
    return s * (1 - s)
    # <<< solution


def tanh(x: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent."""
    # >>> solution: return the hyperbolic tangent of x
    return np.tanh(x)
    # <<< solution


def tanh_slope(x: np.ndarray) -> np.ndarray:
    """The derivative of `tanh` at x."""
    # >>> solution: return the derivative of tanh
    return 1 - np.tanh(x) ** 2
    # <<< solution


def relu(x: np.ndarray) -> np.ndarray:
    """x where it is positive, else 0."""
    # >>> solution: return x with its negative side at zero
    return np.maximum(x, 0)
    # <<< solution


def relu_slope(x: np.ndarray) -> np.ndarray:
    """The derivative of `relu` at x; 0 at 0, by agreement."""
    # >>> solution: return the derivative of relu, 0 at 0
    return (x > 0).astype(x.dtype)
    # <<< solution


def leaky_relu(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    """x where it is positive, else `negative_slope` times x."""
    # >>> solution: return x with its negative side scaled
    return np.where(x > 0, x, negative_slope * x)
    # <<< solution


def leaky_relu_slope(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    """The derivative of `leaky_relu` at x; `negative_slope` at 0, by agreement."""
    # >>> solution: return the derivative of leaky_relu, that of the negative side at 0
    return np.where(x > 0, 1.0, negative_slope).astype(x.dtype)
    # <<< solution


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)), also exact to many digits where it is tiny."""
    # >>> solution: return softplus of x, also at +-1000, and with all digits at -30
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    # <<< solution


def softplus_slope(x: np.ndarray) -> np.ndarray:
    """The derivative of `softplus` at x."""
    # >>> solution: return the derivative of softplus
    return sigmoid(x)
    # <<< solution


def silu(x: np.ndarray) -> np.ndarray:
    """x times its sigmoid, also known as swish."""
    # >>> solution: return x times its sigmoid
    return x * sigmoid(x)
    # <<< solution


def silu_slope(x: np.ndarray) -> np.ndarray:
    """The derivative of `silu` at x."""
    # >>> solution: return the derivative of silu
    s = sigmoid(x)
    return s * (1 + x * (1 - s))
    # <<< solution


def gelu(x: np.ndarray) -> np.ndarray:
    """x times the probability that a standard normal number is below x: the exact form, by `erf`."""
    # >>> solution: return the exact GELU of x
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))
    # <<< solution


def gelu_slope(x: np.ndarray) -> np.ndarray:
    """The derivative of `gelu` at x."""
    # >>> solution: return the derivative of the exact GELU
    below = 0.5 * (1 + erf(x / math.sqrt(2)))
    density = np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    return below + x * density
    # <<< solution


ACTIVATIONS = {
    "sigmoid": (sigmoid, sigmoid_slope),
    "tanh": (tanh, tanh_slope),
    "relu": (relu, relu_slope),
    "leaky_relu": (leaky_relu, leaky_relu_slope),
    "softplus": (softplus, softplus_slope),
    "silu": (silu, silu_slope),
    "gelu": (gelu, gelu_slope),
}


def backward(name: str, x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """The gradient with respect to x of a loss whose gradient with respect to act(x) is `upstream`.

    `name` is a key of ACTIVATIONS; x and upstream have the same shape.
    """
    # >>> solution: return the gradient of the loss with respect to x
    return upstream * ACTIVATIONS[name][1](x)
    # <<< solution


def chain(name: str, x: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """`depth` activations in a row, act(act(...act(x))), and the derivative of the last by x.

    This is a net of one unit per layer with weights of 1. With depth 0 it is x itself, with derivative 1.
    """
    # >>> solution: return the value and its derivative with respect to x, both shaped as x
    act, slope = ACTIVATIONS[name]
    value, product = x, np.ones_like(x)
    for _ in range(depth):
        product = product * slope(value)
        value = act(value)
    return value, product
    # <<< solution


def dead_fraction(layers: list[tuple[np.ndarray, np.ndarray]], X: np.ndarray) -> list[float]:
    """For each layer of a ReLU net the share of its units that are 0 for every row of X.

    `layers` holds weights (d_in, d_out) and bias (d_out,) of each layer; X is (n, d_in). A layer is the ReLU
    of input times weights plus bias, and the next layer's input. Nothing that a dead unit could learn from
    these rows reaches its weights.
    """
    # >>> solution: return one share between 0 and 1 for each layer
    shares = []
    hidden = X
    for weights, bias in layers:
        hidden = relu(hidden @ weights + bias)
        shares.append(float(np.mean((hidden == 0).all(axis=0))))
    return shares
    # <<< solution
