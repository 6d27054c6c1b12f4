"""Reverse-mode differentiation of numbers: each result remembers what it was made of, and how steeply.

A `Value` holds one number. Its `slopes` are the derivatives of its data by those of its `parents`, one for
each. A leaf is a Value without parents.
"""

from collections.abc import Callable


class Value:
    """A number that knows where it comes from.

    Attributes:
        data: the number.
        grad: the derivative that `backward` has found; stays 0.0 where `needs_grad` is False.
        parents, slopes: what it was made of, and the derivative by each; both empty for a leaf.
        needs_grad: of a leaf, whether it wants a gradient; of a result, whether any parent does.
    """

    def __init__(
        self,
        data: float,
        parents: "tuple[Value, ...]" = (),
        slopes: tuple[float, ...] = (),
        *,
        needs_grad: bool = True,
    ) -> None:
        self.data, self.grad = float(data), 0.0
        self.parents, self.slopes = parents, slopes
        self.needs_grad = any(one.needs_grad for one in parents) if parents else needs_grad

    def __repr__(self) -> str:
        return f"Value(data={self.data:.6g}, grad={self.grad:.6g})"

    def __add__(self, other: "Value | float") -> "Value":
        other = constant(other)
        # >>> solution: return the Value of the sum, with its parents and slopes
        return Value(self.data + other.data, (self, other), (1.0, 1.0))
        # <<< solution

    def __mul__(self, other: "Value | float") -> "Value":
        other = constant(other)
        # >>> solution: return the Value of the product, with its parents and slopes
        return Value(self.data * other.data, (self, other), (other.data, self.data))
        # <<< solution

    def __pow__(self, power: float) -> "Value":
        """For a number as power, not a Value."""
        # >>> solution: return the Value of the power, with its parent and slope
        return Value(self.data**power, (self,), (power * self.data ** (power - 1),))
        # <<< solution

    def relu(self) -> "Value":
        """The data where it is above 0, else 0; the slope at 0 is 0."""
        # >>> solution: return the Value of max(data, 0), with its parent and slope
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))
        # <<< solution

    def tanh(self) -> "Value":
        # >>> solution: return the Value of the hyperbolic tangent, with its parent and slope
        from math import tanh

        t = tanh(self.data)
        return Value(t, (self,), (1 - t**2,))
        # <<< solution

    def exp(self) -> "Value":
        # >>> solution: return the Value of the exponential, with its parent and slope
        from math import exp

        e = exp(self.data)
        return Value(e, (self,), (e,))
        # <<< solution

    def backward(self, upstream: float = 1.0) -> None:
        """Adds `upstream` times the derivative of self by each leaf to that leaf's `grad`.

        A second call adds again, as in torch. The `grad` of a result, self included, holds what this call
        alone has found. Where `needs_grad` is False, `grad` stays as it is.
        """
        # >>> solution: set the grad of every Value that self was made of; return nothing
        order = topo_sort(self)
        for node in order:
            if node.parents:
                node.grad = 0.0
        if self.needs_grad:
            self.grad += upstream
        for node in reversed(order):
            for parent, slope in zip(node.parents, node.slopes, strict=True):
                if parent.needs_grad:
                    parent.grad += slope * node.grad
        # <<< solution

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> "Value":
        return self * -1.0

    def __sub__(self, other: "Value | float") -> "Value":
        return self + constant(other) * -1.0

    def __rsub__(self, other: float) -> "Value":
        return constant(other) + self * -1.0

    def __truediv__(self, other: "Value | float") -> "Value":
        return self * constant(other) ** -1.0

    def __rtruediv__(self, other: float) -> "Value":
        return constant(other) * self**-1.0


def constant(number: "Value | float") -> Value:
    """A plain number as a leaf without gradient; a Value as it is."""
    return number if isinstance(number, Value) else Value(number, needs_grad=False)


def topo_sort(root: Value) -> list[Value]:
    """All Values that `root` was made of, each once and after all of its parents; root is the last.

    Also for chains of many thousands, where a function that calls itself would end in a RecursionError.
    """
    # >>> solution: return the list of Values, parents before what is made of them
    order: list[Value] = []
    seen: set[int] = set()
    waiting: list[tuple[Value, bool]] = [(root, False)]
    while waiting:
        node, parents_done = waiting.pop()
        if parents_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((node, True))
            waiting += [(parent, False) for parent in node.parents]
    return order
    # <<< solution


def gradcheck(
    f: Callable[[list[Value]], Value], numbers: list[float], *, step: float = 1e-6
) -> float:
    """How far `backward` is from central differences of f at these numbers: the largest relative error.

    f takes a list of new Values, one for each number. The error of a derivative a against a difference b is
    |a - b| / max(1, |a|, |b|).
    """
    # >>> solution: return the largest of the errors, a float
    leaves = [Value(number) for number in numbers]
    f(leaves).backward()
    worst = 0.0
    for place, leaf in enumerate(leaves):
        sides = []
        for shift in (step, -step):
            moved = [n + shift * (i == place) for i, n in enumerate(numbers)]
            sides.append(f([Value(number) for number in moved]).data)
        slope = (sides[0] - sides[1]) / (2 * step)
        worst = max(worst, abs(leaf.grad - slope) / max(1.0, abs(leaf.grad), abs(slope)))
    return worst
    # <<< solution
