"""Q-learning with a net: double DQN with replay and a target net.

Watkins 1989; Mnih et al. 2015 (DQN); van Hasselt, Guez & Silver 2016 (double).
Letters: T steps of N environments, B steps in a batch, A actions. Several processes have environments and
memories of their own and average gradients; observations are normalised as the first one sees them.
Run:   python training/run_experiment.py --data CartPole --model QLearning
"""

import copy
import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.errors import LabError
from lab.experience import Episodes, Replay, Rollout
from lab.figures.agents import EpisodeFilm, ReturnCurve
from lab.models.agents import (
    Progress,
    RunningNorm,
    build_metrics,
    check_count,
    check_share,
    judge,
    random_baseline,
)
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.logging import log_metrics, log_training_loss


def look_ahead(rollout: Rollout, *, steps: int, discount: float) -> tuple[Tensor, Tensor, Tensor]:
    """Discounted rewards of `steps` steps, what they lead to, and the factor of what comes after that.

    Fewer steps where the episode or the rollout ends. The factor is 0 when the task has ended. Shapes (T, N),
    (T, N, *S), (T, N).
    """
    count, places = rollout.rewards.shape
    rewards, factors = torch.zeros_like(rollout.rewards), torch.ones_like(rollout.rewards)
    numbers = torch.arange(count)[:, None].expand(count, places)
    last, going_on = numbers.clone(), torch.ones_like(rollout.ended)
    for ahead in range(min(steps, count)):
        # Rows from `reach` on have no step so far ahead of them.
        reach = count - ahead
        here = going_on[:reach]
        rewards[:reach] += here * factors[:reach] * rollout.rewards[ahead:]
        last[:reach] = torch.where(here, numbers[ahead:], last[:reach])
        factors[:reach] *= torch.where(here, discount, 1.0)
        going_on[:reach] &= ~rollout.ended[ahead:]
    columns = torch.arange(places)
    factors = factors * ~rollout.terminated[last, columns]
    return rewards, rollout.next_observations[last, columns], factors


def double_target(
    rewards: Tensor, factors: Tensor, next_online: Tensor, next_target: Tensor
) -> Tensor:
    """What an action's value (B,) should be: rewards, and by `factors` the value of what follows them.

    Of that both nets give values (B, A). The online net chooses the next action and the target net values
    it, since the maximum of one net's noisy values is too high.
    """
    best = next_online.argmax(-1, keepdim=True)
    return rewards + factors * next_target.gather(-1, best).squeeze(-1)


def exploration_at(done: float, *, start: float, end: float, share: float) -> float:
    """How often to act at random, when a share `done` of the training is over: a line down, then level."""
    if done >= share:
        return end
    return start + (end - start) * done / share


class QLearning(pl.LightningModule):
    """Learns what each action is worth and takes the best: double DQN with replay and target net.

    Args:
        observation_shape: shape of an observation, from the data module.
        num_actions: A, from the data module.
        net: builds the net that maps observations (B, *S) to action values (B, A).
        discount: what a reward is worth one step later.
        look_ahead: rewards that are summed before the value of what follows; 1 is Q-learning proper, more
            learns faster but takes the agent's exploration into account (Hessel et al. 2018).
        horizon: steps of each environment between updates, at least `look_ahead` of them.
        updates: batches that are learnt from after them.
        capacity: steps that are remembered.
        start: steps that are played before the first update.
        target_rate: share by which the target net follows at each update (Lillicrap et al. 2016).
        explore_end: share of random actions in the end; at the beginning all are.
        explore_share: share of the training over which they become fewer.
        normalise: standardise observations by their running mean and deviation.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: an option out of range.
    """

    defaults = {"data": "CartPole", "net": "MLP"}
    monitor = ("val/return", "max")

    def __init__(
        self,
        observation_shape: Sequence[int],
        num_actions: int,
        net: NetBuilder,
        *,
        lr: float = 1e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
        discount: float = 0.99,
        look_ahead: int = 3,
        horizon: int = 16,
        updates: int = 16,
        capacity: int = 100_000,
        start: int = 1000,
        target_rate: float = 0.05,
        explore_end: float = 0.05,
        explore_share: float = 0.2,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        check_share(
            discount=discount,
            target_rate=target_rate,
            explore_end=explore_end,
            explore_share=explore_share,
        )
        check_count(
            look_ahead=look_ahead, horizon=horizon, updates=updates, capacity=capacity, start=start
        )
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.net = build_net(net, observation_shape, num_actions)
        self.target = copy.deepcopy(self.net).requires_grad_(False)
        self.norm = RunningNorm(observation_shape)
        self.experience = Replay(horizon, updates, capacity, start)
        self.num_actions, self.target_rate = num_actions, target_rate
        self.discount, self.look_ahead = discount, look_ahead
        self.explore_end, self.explore_share = explore_end, explore_share
        self.normalise = normalise
        self.total_updates = math.inf
        self.metrics = build_metrics()
        self.progress = Progress()

    def forward(self, observations: Tensor) -> Tensor:
        """Action values (B, A)."""
        return self.net(self.norm(observations))

    def act(self, observations: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions (N,): the best ones, or now and then random ones if there is a generator.

        When nothing is explored, those that the target net thinks best: its weights are a running mean of the
        other's, so they jump less (Polyak & Juditsky 1992).
        """
        if generator is None:
            return self.target(self.norm(observations)).argmax(-1)
        best = self(observations).argmax(-1)
        count = len(observations)
        explores = torch.rand(count, generator=generator) < self.exploration
        others = torch.randint(self.num_actions, (count,), generator=generator)
        return torch.where(explores.to(best.device), others.to(best.device), best)

    @property
    def exploration(self) -> float:
        """How often an action is random now."""
        return exploration_at(
            self.trainer.global_step / self.total_updates,
            start=1.0,
            end=self.explore_end,
            share=self.explore_share,
        )

    def on_train_start(self) -> None:
        self.total_updates = self.trainer.estimated_stepping_batches
        if math.isinf(self.total_updates):
            raise LabError(
                "--model.explore_share needs to know when the training ends: "
                "give --trainer.max_epochs or --trainer.max_steps"
            )

    @torch.no_grad()
    def observe(self, rollout: Rollout, returns: list[float], env_steps: int) -> tuple[Tensor, ...]:
        """Columns to remember: observations, actions, and of them what `look_ahead` sees."""
        self.progress.note(returns, env_steps)
        if self.normalise:
            self.norm.learn(rollout.observations.flatten(0, 1).to(self.device))
        seen = look_ahead(rollout, steps=self.look_ahead, discount=self.discount)
        rewards, next_observations, factors = seen
        columns = (rollout.observations, rollout.actions, rewards, next_observations, factors)
        valid = rollout.valid.flatten()
        return tuple(column.flatten(0, 1)[valid] for column in columns)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        observations, actions, rewards, next_observations, factors = batch
        with torch.no_grad():
            later = self.norm(next_observations)
            targets = double_target(rewards, factors, self.net(later), self.target(later))
        values = self(observations).gather(1, actions[:, None]).squeeze(1)
        # Not Huber's, whose minimum is nearer to the median: rare failures would hardly count.
        loss = F.mse_loss(values, targets)
        log_training_loss(self, loss)
        self.progress.log(self)
        return loss

    @torch.no_grad()
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        # In one call for all weights, since each small one would cost as much.
        targets: list[Tensor] = [*self.target.parameters()]
        torch._foreach_lerp_(targets, [*self.net.parameters()], self.target_rate)

    def validation_step(self, batch: Episodes, batch_idx: int) -> None:
        judge(self.metrics["val"], batch)

    def test_step(self, batch: Episodes, batch_idx: int) -> None:
        judge(self.metrics["test"], batch)

    def predict_step(self, batch: Episodes, batch_idx: int) -> Tensor:
        """Actions of greedy episodes, (N, T), -1 after the end."""
        return batch.actions

    def on_train_epoch_start(self) -> None:
        self.progress = Progress()

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="return")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="return")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization, parameters=self.net.parameters())

    def configure_callbacks(self) -> list[pl.Callback]:
        return [EpisodeFilm()] if self.trainer.testing else [ReturnCurve()]

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of a random policy."""
        return random_baseline(data)
