"""Points on a curve y = f(x) with noise: regression that can be seen.

Shapes: inputs (B, 1) in [-1, 1], targets (B, 1). The points are a function of the options alone: x
uniform, y = f(x) + noise, with streams of their own for training, validation and test.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lab.data.base import LabData, TensorSet
from lab.errors import LabError, nearest

# Each takes t in [0, 1].
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    # Nielsen, "Neural networks and deep learning", chapter 4: the target of universal approximation.
    "many_peaks": lambda t: 0.2 + 0.4 * t**2 + 0.3 * t * (15 * t).sin() + 0.05 * (50 * t).cos(),
    "sine": lambda t: (2 * math.pi * t).sin(),
    "line": lambda t: 2 * t - 1,
    "parabola": lambda t: (2 * t - 1) ** 2,
    "absolute": lambda t: (2 * t - 1).abs(),
    "step": lambda t: (t > 0.5).to(t.dtype),
    "sawtooth": lambda t: (4 * t) % 1,
}


class Curve(LabData):
    """Noisy points on y = f(x): many_peaks, sine, line, parabola, absolute, step, sawtooth.

    Args:
        function: name of the curve.
        noise: standard deviation of the Gaussian noise on y.
        points: training points; validation and test have 1000 each.

    Raises:
        LabError: an unknown function, a negative noise or no points.
    """

    def __init__(
        self,
        *,
        batch_size: int = 128,
        num_workers: int = 0,
        function: str = "many_peaks",
        noise: float = 0.05,
        points: int = 2000,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        if function not in FUNCTIONS:
            close = nearest(function, FUNCTIONS)
            raise LabError(f"--data.function {function}: no such curve.\nNearest: {close}")
        if not 0 <= noise < math.inf or points < 1:
            raise LabError("--data.noise must be 0 or more and --data.points at least 1")
        self.input_shape = (1,)
        self.output_shape = (1,)
        self.function, self.noise, self.points = function, noise, points

    def clean(self, x: Tensor) -> Tensor:
        """The curve without noise, for x in [-1, 1]."""
        return FUNCTIONS[self.function]((x + 1) / 2)

    def setup(self, stage: str) -> None:
        self.train_set = self.draw(self.points, seed=1)
        self.val_set = self.draw(1000, seed=2)
        self.test_set = self.draw(1000, seed=3)

    def draw(self, count: int, *, seed: int) -> TensorSet:
        """`count` points from the stream `seed`."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.rand(count, 1, generator=generator) * 2 - 1
        return TensorSet(x, self.clean(x) + self.noise * torch.randn(count, 1, generator=generator))
