"""What agents and environments say to each other: steps that were played, and how to learn from them.

Letters: T steps, N environments played side by side, S the shape of an observation.
"""

from typing import NamedTuple

from torch import Tensor


class Rollout(NamedTuple):
    """T steps of N environments, all of shape (T, N, ...).

    `terminated` says that the task ended, so nothing follows; `ended` that the episode did, by that or by
    a limit of time, after which the state still has a value. `next_observations` is what the step led to,
    also where the environment was started anew. Where `valid` is false a new episode began instead of a step.
    """

    observations: Tensor  # (T, N, *S)
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor  # (T, N, *S)
    terminated: Tensor
    ended: Tensor
    valid: Tensor


class Rollouts(NamedTuple):
    """Learn from each rollout of `horizon` steps at once, in `passes` over it, then forget it."""

    horizon: int
    passes: int


class Replay(NamedTuple):
    """Keep the last `capacity` steps; after every `horizon` steps make `updates` with random ones.

    Nothing is learnt before `start` steps are known.
    """

    horizon: int
    updates: int
    capacity: int
    start: int


class Episodes(NamedTuple):
    """One episode of each of N environments, the longest of T steps.

    `actions` (N, T) are -1 after the end; returns (N,) are sums of rewards, not discounted.
    """

    returns: Tensor
    lengths: Tensor
    actions: Tensor
