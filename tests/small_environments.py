"""Environments so small that every step is known beforehand."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Counting(gymnasium.Env):
    """Counts from its number: observed [count]; each step gives the new count; action 1 ends the task."""

    metadata = {"render_modes": ["rgb_array"]}
    action_space = spaces.Discrete(2)
    observation_space = spaces.Box(-np.inf, np.inf, (1,))

    def __init__(self, limit: int = 3, render_mode: str | None = None) -> None:
        self.limit, self.render_mode = limit, render_mode

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.count = self.steps = 0
        return np.array([0.0], np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.count += 1
        self.steps += 1
        seen = np.array([self.count], np.float32)
        return seen, float(self.count), bool(action), self.steps >= self.limit, {}

    def render(self) -> Any:
        return np.full((4, 4, 3), self.count, np.uint8)


class Painted(Counting):
    """Its actions are no numbers."""

    action_space = spaces.Box(-1, 1, (2,))  # type: ignore[assignment]


class Numbered(Counting):
    """It is observed as the number of a cell."""

    observation_space = spaces.Discrete(5)  # type: ignore[assignment]

    def reset(self, **options: Any) -> Any:
        super().reset(**options)
        return self.count, {}

    def step(self, action: int) -> Any:
        return self.count, *super().step(action)[1:]


class Dark(Counting):
    """It can't be drawn."""

    metadata = {"render_modes": []}
