"""What an agent learns from and is judged by: the three sets of a data module whose samples are played.

Letters: B steps in a batch, N environments side by side. The agent is the model: `act` chooses actions,
`observe` turns a rollout into the columns that it learns from, and `experience` says how it wants them
(`lab.experience`).
"""

import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from lab.data.base import Batch, MadeBatches
from lab.data.environment_playing import Act, MakeEnvs, Players, play_episodes
from lab.errors import LabError
from lab.experience import Episodes, Replay, Rollouts
from lab.seeding import mixed_seed

# Mixed into the seeds, so that no episode of one kind is met in another.
TRAIN, VAL, TEST, FILM = range(4)
FILM_SEED = mixed_seed(FILM)
TEST_EPISODES = 100


def at_least_one(**options: int) -> None:
    """Raise LabError when an option is below 1."""
    for name, value in options.items():
        if value < 1:
            raise LabError(f"--data.{name} {value}: choose 1 or more")


class ReplayMemory:
    """The last `capacity` steps as columns of tensors; the oldest are written over."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.count, self.position = capacity, 0, 0
        self.columns: list[Tensor] = []

    def add(self, columns: Batch) -> None:
        """Write the rows of the columns, (B, ...), behind those that are there."""
        columns = tuple(column[-self.capacity :] for column in columns)
        if not self.columns:
            self.columns = [c.new_zeros(self.capacity, *c.shape[1:]) for c in columns]
        added = len(columns[0])
        places = (self.position + torch.arange(added)) % self.capacity
        for memory, column in zip(self.columns, columns, strict=True):
            memory[places] = column
        self.position = (self.position + added) % self.capacity
        self.count = min(self.count + added, self.capacity)

    def sample(self, size: int, generator: torch.Generator) -> Batch:
        """Rows drawn with replacement."""
        rows = torch.randint(self.count, (size,), generator=generator)
        return tuple(column.index_select(0, rows) for column in self.columns)

    def state_dict(self) -> dict[str, Any]:
        # Cloned, since saving a part of a tensor would write all of it.
        filled = [column[: self.count].clone() for column in self.columns]
        return {"columns": filled, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.columns, self.position = [], 0
        self.count = 0
        if state["columns"]:
            self.add(tuple(state["columns"]))
            self.position = state["position"]


class Experience(MadeBatches):
    """What the agent lives through in an epoch, as batches to learn from: the training set of an agent.

    All environments start anew at each epoch, by a seed of (seed, epoch, process), so that a run resumed
    at an epoch meets the same ones. Each process plays its own; gradients are averaged as always.

    Args:
        data: whose trainer has the agent, and which says the batch size and the steps of an epoch: of all
            environments together, at most, but at least one rollout.
        make: makes N environments side by side.
    """

    def __init__(self, data: Any, make: MakeEnvs, num_envs: int) -> None:
        self.data, self.num_envs = data, num_envs
        self.players = Players(make(num_envs))
        self.env_steps = 0
        self.memory: ReplayMemory | None = None

    @property
    def agent(self) -> Any:
        return self.data.trainer.lightning_module

    @property
    def rollouts(self) -> int:
        """How many rollouts an epoch has."""
        return max(self.data.steps_per_epoch // (self.agent.experience.horizon * self.num_envs), 1)

    @property
    def batches(self) -> int:
        """Batches after each rollout."""
        plan = self.agent.experience
        if isinstance(plan, Replay):
            return plan.updates
        return plan.passes * self.parts(plan)

    def parts(self, plan: Rollouts) -> int:
        """Into how many batches a rollout is cut; steps that begin an episode make them a little smaller."""
        return max(plan.horizon * self.num_envs // self.data.batch_size, 1)

    def __len__(self) -> int:
        return self.rollouts * self.batches

    def __iter__(self) -> Iterator[Batch]:
        trainer = self.data.trainer
        seeds = (
            int(os.environ.get("PL_GLOBAL_SEED", 0)),
            trainer.current_epoch,
            trainer.global_rank,
        )
        self.players.reset(mixed_seed(*seeds, TRAIN, 0))
        generator = torch.Generator().manual_seed(mixed_seed(*seeds, TRAIN, 1))
        plan = self.agent.experience
        for _ in range(self.rollouts):
            columns = self.collect(generator)
            if isinstance(plan, Replay):
                yield from self.replayed(plan, columns, generator)
            else:
                yield from self.shuffled(plan, columns, generator)

    def collect(self, generator: torch.Generator) -> Batch:
        """Let the agent act for a rollout; the columns that it makes of it, (B, ...)."""
        agent = self.agent
        agent.eval()
        rollout, returns = self.players.play(
            lambda observations: acted(agent, observations, generator), agent.experience.horizon
        )
        self.env_steps += int(rollout.valid.sum())
        columns = agent.observe(rollout, returns, self.env_steps)
        agent.train()
        return columns

    def shuffled(
        self, plan: Rollouts, columns: Batch, generator: torch.Generator
    ) -> Iterator[Batch]:
        """Batches of several passes over a rollout, each in an order of its own."""
        for _ in range(plan.passes):
            order = torch.randperm(len(columns[0]), generator=generator)
            # Steps that begin an episode are missing; with tiny batches some others then stand in two.
            order = order.repeat(-(-self.parts(plan) // len(order)))
            for rows in order.tensor_split(self.parts(plan)):
                yield tuple(column.index_select(0, rows) for column in columns)

    def replayed(self, plan: Replay, columns: Batch, generator: torch.Generator) -> Iterator[Batch]:
        """Batches of steps that were played some time ago."""
        if self.memory is None:
            self.memory = ReplayMemory(plan.capacity)
        self.memory.add(columns)
        while self.memory.count < min(plan.start, plan.capacity):
            self.memory.add(self.collect(generator))
        for _ in range(plan.updates):
            yield self.memory.sample(self.data.batch_size, generator)

    def state_dict(self) -> dict[str, Any]:
        memory = self.memory.state_dict() if self.memory else None
        return {"env_steps": self.env_steps, "memory": memory}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.env_steps = state["env_steps"]
        if state["memory"]:
            self.memory = ReplayMemory(self.agent.experience.capacity)
            self.memory.load_state_dict(state["memory"])


class GreedyEpisodes(MadeBatches):
    """The validation or test set of an agent: one batch, of the same episodes each time.

    In each environment one episode is played, without exploration. With several processes each plays all
    of them, so that their mean is that of one.
    """

    def __init__(self, data: Any, make: MakeEnvs, count: int, *, kind: int) -> None:
        self.data, self.make, self.count = data, make, count
        self.seed = mixed_seed(kind)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Episodes]:
        yield self.play(greedy(self.data.trainer.lightning_module))

    def play(self, act: Act) -> Episodes:
        """The episodes as `act` plays them."""
        return play_episodes(self.envs, act, seed=self.seed)

    @cached_property
    def envs(self) -> VectorEnv:
        return self.make(self.count)


def sets(
    data: Any, makes: tuple[MakeEnvs, MakeEnvs, MakeEnvs], counts: tuple[int, int, int]
) -> tuple[Experience, GreedyEpisodes, GreedyEpisodes]:
    """Training, validation and test set of a data module, each of its own environments."""
    train, val, test = zip(makes, counts, strict=True)
    return (
        Experience(data, *train),
        GreedyEpisodes(data, *val, kind=VAL),
        GreedyEpisodes(data, *test, kind=TEST),
    )


def acted(agent: Any, observations: Tensor, generator: torch.Generator | None) -> Tensor:
    """Actions (N,) of the agent for observations (N, *S); without a generator, those it thinks best."""
    with torch.inference_mode():
        return agent.act(observations.to(agent.device), generator=generator).cpu()


def greedy(agent: Any) -> Act:
    """The agent without exploration."""
    return lambda observations: acted(agent, observations, None)


def uniform(num_actions: int, *, seed: int = 0) -> Act:
    """A policy that takes every action equally often."""
    generator = torch.Generator().manual_seed(seed)
    return lambda observations: torch.randint(
        num_actions, (len(observations),), generator=generator
    )
