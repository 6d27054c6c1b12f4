"""Cross entropy from exp, log, sum and max: its gradient, label smoothing, and temperature.

Logits are (B, C), any real numbers; targets are (B,), the index of the right class of each row. Results keep
dtype and device of the logits, gradients flow through them, and no argument is changed. torch's own softmax,
log_softmax, logsumexp, cross_entropy and nll_loss are what you write here, so do without them.
"""

import torch


def log_softmax(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """The logarithms of the probabilities exp(x) / sum of exp(x), the sum going along `dim`; shaped as x.

    Right also where x is 10000 or -10000, and where a probability is too small for its dtype.
    """
    # >>> solution: return log probabilities, shaped as x
    shifted = x - x.amax(dim=dim, keepdim=True)
    return shifted - shifted.exp().sum(dim=dim, keepdim=True).log()
    # <<< solution


def cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, *, smoothing: float = 0.0
) -> torch.Tensor:
    """The mean over the rows of minus the sum of q log p, a tensor without axes.

    p are the probabilities of a row. q is 1 at its target and 0 elsewhere, mixed with the same number
    for all classes: (1 - smoothing) times that plus smoothing / C.
    """
    # >>> solution: return the mean loss of the rows, a tensor with shape ()
    log_p = log_softmax(logits, dim=1)
    right = log_p[torch.arange(len(targets), device=logits.device), targets]
    return -((1 - smoothing) * right + smoothing * log_p.mean(dim=1)).mean()
    # <<< solution


def cross_entropy_grad(
    logits: torch.Tensor, targets: torch.Tensor, *, smoothing: float = 0.0
) -> torch.Tensor:
    """The gradient of `cross_entropy` with respect to the logits, by its formula; (B, C)."""
    # >>> solution: return the gradient with respect to the logits, shape (B, C)
    p = log_softmax(logits, dim=1).exp()
    rows, classes = logits.shape
    q = torch.full_like(p, smoothing / classes)
    q[torch.arange(rows, device=logits.device), targets] += 1 - smoothing
    return (p - q) / rows
    # <<< solution


def smallest_loss(classes: int, smoothing: float) -> float:
    """What `cross_entropy` cannot fall below, for any logits; smoothing is 0 to 1."""
    # >>> solution: return the lower bound of the loss, a float
    other = smoothing / classes
    q = torch.full((classes,), other, dtype=torch.float64)
    q[0] += 1 - smoothing
    return float(-torch.xlogy(q, q).sum())
    # <<< solution


def temperature_scale(logits: torch.Tensor, temperature: float, dim: int = -1) -> torch.Tensor:
    """The probabilities along `dim` of logits / temperature, shaped as the logits.

    Raises:
        ValueError: a temperature that is not above zero.
    """
    # >>> solution: return probabilities that add up to 1 along dim
    if not temperature > 0:
        raise ValueError(f"a temperature is above zero, not {temperature}")
    return log_softmax(logits / temperature, dim=dim).exp()
    # <<< solution


def fit_temperature(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """The temperature, from 0.01 to 100, at which `cross_entropy(logits / temperature)` is smallest.

    To within 1 %. The loss has one valley, so any search by halving finds it.
    """
    # >>> solution: return the best temperature, a float
    logits = logits.detach().double()
    right = logits[torch.arange(len(targets)), targets].mean()
    low, high = 0.01, 100.0
    for _ in range(50):
        middle = (low * high) ** 0.5
        expected = (temperature_scale(logits, middle) * logits).sum(dim=1).mean()
        # The slope of the loss by 1 / temperature: above zero means too sure of itself.
        if expected > right:
            low = middle
        else:
            high = middle
    return (low * high) ** 0.5
    # <<< solution
