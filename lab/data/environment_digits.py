"""A contextual bandit over handwritten digits: classification of which only a reward is seen.

Shapes: observations (N, 1, 8, 8) float in [0, 1], actions (N,) the class that is said, of 10. The images
and their split are those of `Digits`.
"""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from lab.data.base import LabData, TensorSet
from lab.data.digits import Digits
from lab.data.environment_experience import at_least_one, greedy, sets
from lab.data.environment_frames import draw_digit
from lab.data.environment_playing import Film


class DigitEnvs(VectorEnv):
    """N images at a time; an episode is one answer, rewarded by 1 when it is right and else by 0.

    Args:
        in_order: show the images one after another instead of at random.
    """

    def __init__(self, images: TensorSet, num_envs: int, *, in_order: bool = False) -> None:
        self.num_envs, self.in_order = num_envs, in_order
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.images, self.labels = (column.numpy() for column in images.tensors)
        self.single_observation_space = spaces.Box(0, 1, self.images.shape[1:], np.float32)
        self.single_action_space = spaces.Discrete(10)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.next = 0
        return self.deal(), {}

    def deal(self) -> np.ndarray:
        """The next images."""
        if self.in_order:
            self.shown = np.arange(self.next, self.next + self.num_envs) % len(self.labels)
            self.next += self.num_envs
        else:
            self.shown = self.np_random.integers(len(self.labels), size=self.num_envs)
        return self.images[self.shown]

    def step(self, actions: np.ndarray) -> tuple[Any, ...]:
        rewards = (actions == self.labels[self.shown]).astype(np.float32)
        terminated = np.ones(self.num_envs, dtype=bool)
        last = self.images[self.shown]
        return self.deal(), rewards, terminated, np.zeros_like(terminated), {"final_obs": last}


class DigitBandit(LabData):
    """Contextual bandit: name the digit, learn from reward alone whether it was right.

    The mean return is the accuracy. Validation and test show each of their images once.

    Args:
        batch_size: answers in a batch that is learnt from.
        num_envs: images that are answered side by side in training.
        steps_per_epoch: rewards between validations.

    Raises:
        LabError: an option below 1.
    """

    def __init__(
        self, *, batch_size: int = 64, num_envs: int = 64, steps_per_epoch: int = 3000
    ) -> None:
        super().__init__(batch_size=batch_size)
        at_least_one(num_envs=num_envs, steps_per_epoch=steps_per_epoch)
        self.observation_shape, self.num_actions = (1, 8, 8), 10
        self.num_envs, self.steps_per_epoch = num_envs, steps_per_epoch

    def setup(self, stage: str) -> None:
        digits = Digits()
        digits.setup(stage)
        self.unseen = digits.test_set

        def in_order(images: TensorSet) -> Any:
            return lambda count: DigitEnvs(images, count, in_order=True)

        makes = (
            lambda count: DigitEnvs(digits.train_set, count),
            in_order(digits.val_set),
            in_order(digits.test_set),
        )
        counts = (self.num_envs, len(digits.val_set), len(digits.test_set))
        self.train_set, self.val_set, self.test_set = sets(self, makes, counts)

    def state_dict(self) -> dict[str, Any]:
        return self.train_set.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train_set.load_state_dict(state_dict)

    def film(self, agent: Any) -> Film:
        """Forty test images and what is said of them."""
        images, labels = (column[:40] for column in self.unseen.tensors)
        triples = zip(images.numpy(), greedy(agent)(images).tolist(), labels.tolist(), strict=True)
        return images, [draw_digit(*triple) for triple in triples]
