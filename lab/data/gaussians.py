"""Points in the plane from a mixture of Gaussians: generative models and clustering that can be seen.

Shapes: points (B, 2) float without bounds; labels (B,) say which component drew each. The points are a
function of the options alone: components equally likely, with streams of their own for training,
validation and test.
"""

import math

import torch
from torch import Tensor

from lab.data.base import LabData, TensorSet
from lab.errors import LabError, nearest

# Number of components and standard deviation of each layout, when none are given.
LAYOUTS = {"ring": (8, 0.02), "grid": (25, 0.05), "single": (1, 1.0), "scattered": (5, 0.5)}


def ring(modes: int, *, radius: float = 2.0) -> Tensor:
    """Centres (modes, 2) evenly spaced on a circle, the first at the right."""
    angle = torch.arange(modes) * (2 * math.pi / modes)
    return radius * torch.stack([angle.cos(), angle.sin()], 1)


def grid(modes: int, *, spacing: float = 2.0) -> Tensor:
    """Centres (modes, 2) of a square number of modes, around the origin."""
    side = math.isqrt(modes)
    line = spacing * (torch.arange(side) - (side - 1) / 2)
    return torch.cartesian_prod(line, line)


def scattered(modes: int, *, distance: float, seed: int = 4) -> Tensor:
    """Centres (modes, 2) drawn from a fixed stream, each at least `distance` from the others.

    They are uniform in a square that holds several times as many; too near ones are drawn anew.
    """
    generator = torch.Generator().manual_seed(seed)
    side = 2 * distance * math.sqrt(modes)
    found: list[Tensor] = []
    while len(found) < modes:
        centre = (torch.rand(2, generator=generator) - 0.5) * side
        if all((centre - other).norm() >= distance for other in found):
            found.append(centre)
    return torch.stack(found)


class Gaussians(LabData):
    """Points from a mixture of round 2-D Gaussians: ring of 8, grid of 25, single, scattered.

    The ring has radius 2 and the grid spacing 2 (Metz et al. 2017, Srivastava et al. 2017); single is the
    one Gaussian at the point (1, -1); scattered are blobs at random places, at least 5 deviations apart.

    Args:
        layout: where the components are.
        modes: number of components; a square number for the grid.
        std: standard deviation of each component in each direction.
        points: training points; validation and test have 2000 each.

    Attributes:
        centres: of the components, (modes, 2).

    Raises:
        LabError: an unknown layout, or a number out of range.
    """

    def __init__(
        self,
        *,
        batch_size: int = 128,
        num_workers: int = 0,
        layout: str = "ring",
        modes: int | None = None,
        std: float | None = None,
        points: int = 10_000,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        if layout not in LAYOUTS:
            close = nearest(layout, LAYOUTS)
            raise LabError(f"--data.layout {layout}: no such layout.\nNearest: {close}")
        usual_modes, usual_std = LAYOUTS[layout]
        modes = usual_modes if modes is None else modes
        std = usual_std if std is None else std
        if not 0 < std < math.inf or points < 1:
            raise LabError("--data.std must be above 0 and --data.points at least 1")
        check_modes(layout, modes)
        self.layout, self.std, self.points = layout, std, points
        self.input_shape = (2,)
        self.input_range = None
        self.num_classes = modes
        self.class_names = tuple(str(mode) for mode in range(modes))
        self.centres = {
            "ring": lambda: ring(modes),
            "grid": lambda: grid(modes),
            "single": lambda: torch.tensor([[1.0, -1.0]]),
            "scattered": lambda: scattered(modes, distance=5 * std),
        }[layout]()

    def setup(self, stage: str) -> None:
        self.train_set = self.draw(self.points, seed=1)
        self.val_set = self.draw(2000, seed=2)
        self.test_set = self.draw(2000, seed=3)

    def draw(self, count: int, *, seed: int) -> TensorSet:
        """`count` points and their components from the stream `seed`."""
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(self.num_classes, (count,), generator=generator)
        noise = torch.randn(count, 2, generator=generator)
        return TensorSet(self.centres[labels] + self.std * noise, labels)


def check_modes(layout: str, modes: int) -> None:
    """Raise LabError unless the layout can have so many components."""
    if layout == "single" and modes != 1:
        raise LabError(f"--data.modes {modes}: a single Gaussian is 1; choose --data.layout ring")
    if modes < 1:
        raise LabError(f"--data.modes {modes}: choose 1 or more")
    if layout == "grid" and math.isqrt(modes) ** 2 != modes:
        raise LabError(f"--data.modes {modes}: a grid has 1, 4, 9, 16, 25 ... of them")
