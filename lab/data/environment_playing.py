"""Playing Gymnasium's vector environments step by step, through the ends of episodes.

Letters: T steps, N environments side by side, S the shape of an observation.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from lab.errors import LabError
from lab.experience import Episodes, Rollout

# From observations (N, *S) to actions (N,).
Act = Callable[[Tensor], Tensor]
MakeEnvs = Callable[[int], VectorEnv]
# From an observation and the action taken in it to a picture (H, W, 3) of bytes.
Draw = Callable[[np.ndarray, int], np.ndarray]
# Observations (T, *S) of an episode, and its pictures or none.
Film = tuple[Tensor, list[np.ndarray]]
# An environment without a limit of its own may go on for ever.
MOST_STEPS = 10_000


class Players:
    """N copies of an environment, played step by step through their episodes.

    Gymnasium either starts a new episode within the last step of the old one, and tells the old one's last
    observation apart, or spends the next step on it, whose action then means nothing.

    Raises:
        LabError: environments that never start anew by themselves.
    """

    def __init__(self, envs: VectorEnv) -> None:
        self.mode = envs.metadata.get("autoreset_mode")
        if self.mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
            raise LabError("this environment does not say how it starts new episodes")
        self.envs = envs

    def reset(self, seed: int) -> None:
        """Begin an episode in each environment."""
        self.observations, _ = self.envs.reset(seed=seed)
        self.resetting = np.zeros(self.envs.num_envs, dtype=bool)
        self.returns = np.zeros(self.envs.num_envs)

    def step(self, act: Act) -> tuple[Any, ...]:
        """One step of each; the columns of a Rollout for it, as arrays."""
        before, valid = self.observations, ~self.resetting
        actions = act(torch.as_tensor(before, dtype=torch.float)).numpy()
        after, rewards, terminated, truncated, info = self.envs.step(actions)
        ended = terminated | truncated
        led_to = after
        if self.mode is AutoresetMode.NEXT_STEP:
            self.resetting = ended
        elif ended.any():
            led_to = after.copy()
            # From environments in turn these come as an array of arrays, with gaps.
            led_to[ended] = np.stack(list(info["final_obs"][ended]))
        self.observations = after
        return before, actions, rewards, led_to, terminated, ended, valid

    def play(self, act: Act, steps: int) -> tuple[Rollout, list[float]]:
        """The next steps, and the returns of the episodes that ended in them."""
        played, returns = [], []
        for _ in range(steps):
            played.append(self.step(act))
            _, _, rewards, _, _, ended, _ = played[-1]
            self.returns += rewards
            if ended.any():
                returns += self.returns[ended].tolist()
                self.returns[ended] = 0
        columns = [torch.from_numpy(np.stack(column)) for column in zip(*played, strict=True)]
        floats = [c if c.dtype in (torch.bool, torch.long) else c.float() for c in columns]
        return Rollout(*floats), returns


def play_episodes(envs: VectorEnv, act: Act, *, seed: int) -> Episodes:
    """The first episode of each environment."""
    players = Players(envs)
    players.reset(seed)
    alive = np.ones(envs.num_envs, dtype=bool)
    returns, lengths = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=np.int64)
    chosen: list[np.ndarray] = []
    while alive.any() and len(chosen) < MOST_STEPS:
        _, actions, rewards, _, _, ended, _ = players.step(act)
        returns += rewards * alive
        lengths += alive
        chosen.append(np.where(alive, actions, -1))
        alive &= ~ended
    columns = torch.from_numpy(np.stack(chosen, axis=1))
    return Episodes(torch.from_numpy(returns).float(), torch.from_numpy(lengths), columns.long())


def film(envs: VectorEnv, act: Act, draw: Draw | None, *, seed: int) -> Film:
    """An episode of the first environment, with a picture of each step if `draw` is given."""
    players = Players(envs)
    players.reset(seed)
    seen: list[np.ndarray] = []
    pictures: list[np.ndarray] = []
    over = False
    while not over and len(seen) < MOST_STEPS:
        observations = players.observations
        actions = act(torch.as_tensor(observations, dtype=torch.float))
        seen.append(observations[0])
        if draw:
            pictures.append(draw(observations[0], int(actions[0])))
        _, _, _, _, _, ended, _ = players.step(lambda _, actions=actions: actions)  # type: ignore[misc]
        over = ended[0]
    return torch.from_numpy(np.stack(seen)).float(), pictures
