"""The graph of an expression with its numbers and gradients, and the error of gradcheck's differences."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

# The Values of f = tanh(x y + x): name, what it is, and where it is drawn.
NODES = (
    ("x", "x", (0, 1.0)),
    ("y", "y", (0, 0.0)),
    ("p", "p = x · y", (1.3, 0.3)),
    ("s", "s = p + x", (2.6, 0.7)),
    ("f", "f = tanh s", (4.2, 0.7)),
)
EDGES = (("x", "p"), ("y", "p"), ("x", "s"), ("p", "s"), ("s", "f"))


def draw(impl: ModuleType) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    x, y = impl.Value(0.8), impl.Value(-0.5)
    p = x * y
    s = p + x
    f = s.tanh()
    f.backward()
    values = {"x": x, "y": y, "p": p, "s": s, "f": f}
    places = {name: place for name, _, place in NODES}
    for begin, end in EDGES:
        left.annotate(
            "",
            places[end],
            places[begin],
            arrowprops={"arrowstyle": "->", "color": "0.4", "shrinkA": 26, "shrinkB": 28},
        )
    for name, made, place in NODES:
        value = values[name]
        text = f"{made}\n{value.data:.3f}\ngrad {value.grad:.3f}"
        colour = "#cfe3f5" if made == name else "#fde3c8"
        box = {"boxstyle": "round", "facecolor": colour, "edgecolor": "0.4"}
        left.text(*place, text, ha="center", va="center", fontsize=7.5, bbox=box)
    left.set(xlim=(-0.5, 4.8), ylim=(-0.3, 1.3), title="backward of f, blue: leaves")
    left.axis("off")

    steps = np.geomspace(1e-1, 1e-11, 21)
    errors = [
        impl.gradcheck(lambda v: (v[0] * v[1] + v[0]).tanh(), [0.8, -0.5], step=float(step))
        for step in steps
    ]
    right.loglog(steps, np.maximum(errors, 1e-16), "o-", ms=4)
    right.set(
        xlabel="step of the differences", ylabel="gradcheck", title="Step neither large nor tiny"
    )
    right.title.set_fontsize(10)
    return figure
