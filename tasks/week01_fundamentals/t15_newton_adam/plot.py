"""Newton, Adam and descent in the Rosenbrock valley, and Adam in a bowl before and after a turn."""

from types import ModuleType

import torch
from matplotlib.figure import Figure
from torch import Tensor


def slope(x: Tensor) -> Tensor:
    """The gradient of the Rosenbrock valley, written out since it is needed thousands of times."""
    rise = x[1] - x[0] ** 2
    return torch.stack([-400 * x[0] * rise - 2 * (1 - x[0]), 200 * rise])


def draw(impl: ModuleType) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    begin = torch.tensor([-1.2, 1.0], dtype=torch.float64)

    x, values = begin, [float(impl.rosenbrock(begin))]
    for _ in range(6):
        x = impl.newton_step(impl.rosenbrock, x)
        values.append(float(impl.rosenbrock(x)))
    left.loglog(range(1, 8), values, "o-", ms=4, label="Newton")
    for name, lr, style in (("Adam, 0.01", 1e-2, "--"), ("descent, 0.001", 1e-3, ":")):
        x, values = begin, []
        state = impl.AdamState(torch.zeros_like(x), torch.zeros_like(x))
        for _ in range(5001):
            values.append(float(impl.rosenbrock(x)))
            if name.startswith("Adam"):
                x, state = impl.adam_step(x, slope(x), state, lr=lr)
            else:
                x = x - lr * slope(x)
        left.loglog(range(1, 5002), values, style, label=name)
    left.set(xlabel="steps + 1", ylabel="f", ylim=(1e-12, 1e4), title="Rosenbrock valley")
    left.legend(fontsize=8, loc="center", bbox_to_anchor=(0.56, 0.4))

    bowl = torch.diag(torch.tensor([1.0, 1e-3], dtype=torch.float64))
    turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64) / 2**0.5
    ones = torch.ones(2, dtype=torch.float64)
    cases = (
        (bowl, ones, "along the axes", "-"),
        (turn @ bowl @ turn.T, turn @ ones, "turned", "--"),
    )
    for matrix, x, label, style in cases:
        state, values = impl.AdamState(torch.zeros_like(x), torch.zeros_like(x)), []
        for _ in range(501):
            values.append(float(x @ matrix @ x) / 2)
            x, state = impl.adam_step(x, matrix @ x, state, lr=1e-2)
        right.semilogy(values, style, label=label)
    right.set(xlabel="steps", ylabel="f", title="Adam in a bowl, κ = 1000")
    right.legend(fontsize=8)
    return figure
