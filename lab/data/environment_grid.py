"""A small grid world whose values are known exactly.

The default is the 4x3 world of Russell & Norvig, "Artificial intelligence: a modern approach", chapter
"Making complex decisions". Shapes: observations (N, cells) one-hot, actions (N,) up, right, down, left.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from lab.data.base import LabData
from lab.data.environment_experience import FILM_SEED, TEST_EPISODES, at_least_one, greedy, sets
from lab.data.environment_frames import draw_grid
from lab.data.environment_playing import Film, film
from lab.errors import LabError

# Walls are #, goals G, pits P; every other cell may be where an episode starts.
MAP = ("...G", ".#.P", "....")
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
STEP_REWARD, GOAL_REWARD, PIT_REWARD = -0.04, 1.0, -1.0


class Grid:
    """The Markov decision process of a map. S states are the cells that are no wall, A the four moves.

    Attributes:
        transition: probability (S, A, S') of the next state.
        rewards: (S',) on entering a state.
        final: (S,) whether an episode ends there.
    """

    def __init__(self, rows: Sequence[str], slip: float) -> None:
        self.rows = tuple(rows)
        self.cells = [
            (row, column)
            for row, line in enumerate(rows)
            for column, kind in enumerate(line)
            if kind != "#"
        ]
        kinds = [rows[row][column] for row, column in self.cells]
        entering = {"G": GOAL_REWARD, "P": PIT_REWARD}
        self.rewards = STEP_REWARD + np.array([entering.get(kind, 0.0) for kind in kinds])
        self.final = np.array([kind in entering for kind in kinds])
        numbers = {cell: state for state, cell in enumerate(self.cells)}
        self.transition = np.zeros((len(self.cells), 4, len(self.cells)))
        for state, (row, column) in enumerate(self.cells):
            for action in range(4):
                # It may slip to either side of where it means to go.
                for turn, chance in ((0, 1 - slip), (1, slip / 2), (3, slip / 2)):
                    down, right = MOVES[(action + turn) % 4]
                    # Into a wall or over the edge means to stay.
                    led_to = numbers.get((row + down, column + right), state)
                    self.transition[state, action, led_to] += chance

    def action_values(self, values: np.ndarray, discount: float) -> np.ndarray:
        """Bellman's right side, (S, A), for values (S,); nothing follows a final state."""
        later = self.rewards + discount * np.where(self.final, 0.0, values)
        return self.transition @ later

    def policy_values(self, policy: np.ndarray, discount: float) -> np.ndarray:
        """Exact values (S,) of a policy (S,) by solving its linear Bellman equations; 0 in final states."""
        going_on = self.transition[np.arange(len(policy)), policy]
        going_on[self.final] = 0
        matrix = np.eye(len(policy)) - discount * going_on * ~self.final
        return np.linalg.solve(matrix, going_on @ self.rewards)

    def optimal_values(self, discount: float) -> np.ndarray:
        """Values (S,) of the best policy, 0 in final states.

        Value iteration (Bellman 1957) until nothing changes finds the policy, its equations the values.
        """
        values = np.zeros(len(self.cells))
        for _ in range(10_000):
            better = np.where(self.final, 0.0, self.action_values(values, discount).max(-1))
            if np.abs(better - values).max() < 1e-14:
                break
            values = better
        return self.policy_values(self.action_values(values, discount).argmax(-1), discount)


class GridEnvs(VectorEnv):
    """N agents in grids of their own, as arrays; an episode starts in a random cell that is not final."""

    def __init__(self, grid: Grid, num_envs: int, most_steps: int) -> None:
        self.grid, self.num_envs, self.most_steps = grid, num_envs, most_steps
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        count = len(grid.cells)
        self.single_observation_space = spaces.Box(0, 1, (count,), np.float32)
        self.single_action_space = spaces.Discrete(4)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.one_hot = np.eye(count, dtype=np.float32)
        self.chances = grid.transition.cumsum(-1)
        self.starts = np.flatnonzero(~grid.final)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.states = self.np_random.choice(self.starts, self.num_envs)
        self.steps = np.zeros(self.num_envs, dtype=np.int64)
        return self.one_hot[self.states], {}

    def step(self, actions: np.ndarray) -> tuple[Any, ...]:
        chance = self.np_random.random((self.num_envs, 1))
        # The last sum of chances may fall short of 1 by a rounding error.
        passed = (self.chances[self.states, actions, :-1] <= chance).sum(-1)
        self.states = passed
        self.steps += 1
        rewards, terminated = self.grid.rewards[passed], self.grid.final[passed]
        truncated = ~terminated & (self.steps >= self.most_steps)
        ended = terminated | truncated
        info = {"final_obs": self.one_hot[passed]} if ended.any() else {}
        self.states = np.where(ended, self.np_random.choice(self.starts, self.num_envs), passed)
        self.steps[ended] = 0
        return self.one_hot[self.states], rewards, terminated, truncated, info


class GridWorld(LabData):
    """A 4x3 grid with a goal and a pit, in which steps may slip (Russell & Norvig); exact values known.

    Each step costs 0.04, the goal gives 1 and the pit takes 1. Episodes start in any cell and end in the
    goal, in the pit, or after 100 steps.

    Args:
        batch_size: steps in a batch that is learnt from.
        num_envs: grids that are played side by side in training.
        steps_per_epoch: environment steps between validations.
        slip: chance that a step goes to the left or right of where it was meant to go.

    Raises:
        LabError: a slip outside [0, 1], another option below 1.
    """

    def __init__(
        self,
        *,
        batch_size: int = 64,
        num_envs: int = 8,
        steps_per_epoch: int = 5000,
        slip: float = 0.2,
    ) -> None:
        super().__init__(batch_size=batch_size)
        at_least_one(num_envs=num_envs, steps_per_epoch=steps_per_epoch)
        if not 0 <= slip <= 1:
            raise LabError(f"--data.slip {slip}: choose 0 to 1, a probability")
        self.grid = Grid(MAP, slip)
        self.observation_shape, self.num_actions = (len(self.grid.cells),), 4
        self.num_envs, self.steps_per_epoch = num_envs, steps_per_epoch

    def make(self, count: int) -> VectorEnv:
        """`count` grids side by side."""
        return GridEnvs(self.grid, count, most_steps=100)

    def setup(self, stage: str) -> None:
        counts = (self.num_envs, TEST_EPISODES, TEST_EPISODES)
        self.train_set, self.val_set, self.test_set = sets(self, (self.make,) * 3, counts)

    def state_dict(self) -> dict[str, Any]:
        return self.train_set.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train_set.load_state_dict(state_dict)

    def film(self, agent: Any) -> Film:
        """An episode, drawn."""

        def draw(observation: np.ndarray, action: int) -> np.ndarray:
            return draw_grid(MAP, self.grid.cells[int(observation.argmax())], MOVES[action])

        return film(self.make(1), greedy(agent), draw, seed=FILM_SEED)
