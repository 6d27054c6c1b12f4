"""Environments of Gymnasium (Towers et al. 2024) in which an agent learns by acting.

Shapes: observations (N, *observation_shape) float, actions (N,) from 0 to num_actions - 1.
A training batch holds steps that the agent played; validation and test are greedy episodes.
"""

from typing import Any

import gymnasium
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv, VectorEnv
from gymnasium.wrappers import FlattenObservation

from lab.data.base import LabData
from lab.data.environment_experience import FILM_SEED, TEST_EPISODES, at_least_one, greedy, sets
from lab.data.environment_frames import draw_cart_pole
from lab.data.environment_playing import Film, film
from lab.errors import LabError, nearest


def make_one(name: str, render_mode: str | None = None) -> gymnasium.Env:
    """An environment whose observations are arrays of numbers.

    Raises:
        LabError: there is no such environment, something it needs is missing, or its actions are not
            numbered.
    """
    try:
        env: gymnasium.Env = gymnasium.make(name, render_mode=render_mode, disable_env_checker=True)
    except gymnasium.error.DependencyNotInstalled as error:
        raise LabError(f"--data.id {name}: {error}") from error
    except gymnasium.error.Error as error:
        close = nearest(name, gymnasium.registry)
        raise LabError(f"--data.id {name}: no such environment.\nNearest: {close}") from error
    actions = env.action_space
    if not isinstance(actions, spaces.Discrete) or actions.start != 0:
        raise LabError(
            f"--data.id {name}: the actions are {actions}.\n"
            "The agents here choose one of several: take an environment with Discrete actions"
        )
    return env if isinstance(env.observation_space, spaces.Box) else FlattenObservation(env)


def make_envs(name: str, count: int) -> VectorEnv:
    """`count` environments side by side: computed as arrays where there is such a version, else in turn."""
    spec = gymnasium.spec(name)
    # Those with a namespace need JAX.
    if spec.vector_entry_point and spec.namespace is None:
        return gymnasium.make_vec(name, num_envs=count, vectorization_mode="vector_entry_point")
    return SyncVectorEnv([lambda: make_one(name)] * count)


class Environment(LabData):
    """Any registered environment of Gymnasium with numbered actions, by its id.

    Observations that are no arrays, such as the number of a cell, are flattened to one-hot.

    Args:
        batch_size: steps in a batch that is learnt from.
        id: name of the environment in Gymnasium's registry.
        num_envs: environments that are played side by side in training.
        steps_per_epoch: environment steps between validations.
        val_episodes: greedy episodes of a validation; a test has 100.

    Raises:
        LabError: no such environment, or actions that are not numbered; an option below 1.
    """

    def __init__(
        self,
        *,
        batch_size: int = 64,
        id: str = "Acrobot-v1",
        num_envs: int = 8,
        steps_per_epoch: int = 5000,
        val_episodes: int = 100,
    ) -> None:
        super().__init__(batch_size=batch_size)
        at_least_one(num_envs=num_envs, steps_per_epoch=steps_per_epoch, val_episodes=val_episodes)
        self.id, self.num_envs = id, num_envs
        self.steps_per_epoch, self.val_episodes = steps_per_epoch, val_episodes
        env: Any = make_one(id)
        self.observation_shape = tuple(env.observation_space.shape)
        self.num_actions = int(env.action_space.n)

    def make(self, count: int) -> VectorEnv:
        """`count` of these environments side by side."""
        return make_envs(self.id, count)

    def setup(self, stage: str) -> None:
        counts = (self.num_envs, self.val_episodes, TEST_EPISODES)
        self.train_set, self.val_set, self.test_set = sets(self, (self.make,) * 3, counts)

    def state_dict(self) -> dict[str, Any]:
        return self.train_set.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train_set.load_state_dict(state_dict)

    def film(self, agent: Any) -> Film:
        """An episode, with pictures if the environment can draw itself here."""
        plain = film(self.make(1), greedy(agent), None, seed=FILM_SEED)
        if "rgb_array" not in make_one(self.id).metadata["render_modes"]:
            return plain
        envs = SyncVectorEnv([lambda: make_one(self.id, "rgb_array")])

        def draw(*state: Any) -> Any:
            return envs.render()[0]

        try:
            return film(envs, greedy(agent), draw, seed=FILM_SEED)
        except gymnasium.error.DependencyNotInstalled:
            return plain


class CartPole(LabData):
    """A pole is kept upright on a cart that is pushed left or right (Barto, Sutton & Anderson 1983).

    CartPole-v1: four numbers are observed (place and speed of the cart, angle and speed of the pole), each
    step gives 1, and an episode ends when the pole falls, the cart leaves the track, or after 500 steps.

    Args:
        batch_size: steps in a batch that is learnt from.
        num_envs: environments that are played side by side in training.
        steps_per_epoch: environment steps between validations.
        val_episodes: greedy episodes of a validation; a test has 100.

    Raises:
        LabError: an option below 1.
    """

    def __init__(
        self,
        *,
        batch_size: int = 64,
        num_envs: int = 8,
        steps_per_epoch: int = 5000,
        val_episodes: int = 100,
    ) -> None:
        super().__init__(batch_size=batch_size)
        at_least_one(num_envs=num_envs, steps_per_epoch=steps_per_epoch, val_episodes=val_episodes)
        self.observation_shape, self.num_actions = (4,), 2
        self.num_envs, self.steps_per_epoch = num_envs, steps_per_epoch
        self.val_episodes = val_episodes

    def make(self, count: int) -> VectorEnv:
        """`count` carts side by side."""
        return make_envs("CartPole-v1", count)

    def setup(self, stage: str) -> None:
        counts = (self.num_envs, self.val_episodes, TEST_EPISODES)
        self.train_set, self.val_set, self.test_set = sets(self, (self.make,) * 3, counts)

    def state_dict(self) -> dict[str, Any]:
        return self.train_set.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train_set.load_state_dict(state_dict)

    def film(self, agent: Any) -> Film:
        """An episode, drawn."""
        return film(self.make(1), greedy(agent), draw_cart_pole, seed=FILM_SEED)
