"""Policy gradient with a baseline, generalised advantages and the clipped objective (PPO).

Williams 1992; Schulman et al. 2016 (GAE), 2017 (PPO). With `passes` 1 and a batch as large as a rollout
it is A2C (Mnih et al. 2016): the probabilities are then still those that acted, and nothing is clipped.
Letters: T steps of N environments, B steps in a batch, A actions. Advantages are standardised in each batch,
so a batch should not be tiny. Several processes play environments of their own and average gradients;
observations are then normalised as the first one sees them.
Run:   python training/run_experiment.py --data CartPole --model PolicyGradient
"""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.experience import Episodes, Rollout, Rollouts
from lab.figures.agents import EpisodeFilm, ReturnCurve
from lab.models.agents import (
    Progress,
    RunningNorm,
    build_metrics,
    check_count,
    check_positive,
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


def advantages(
    rollout: Rollout, values: Tensor, next_values: Tensor, *, discount: float, decay: float
) -> Tensor:
    """Generalised advantage estimates (T, N) from values of the states and of those they led to.

    Nothing follows a terminated step. What follows one that ended for lack of time, or the rollout, is worth
    its value; but no later step tells more of it, for that is of another episode.
    """
    next_values = next_values * ~rollout.terminated
    errors = rollout.rewards + discount * next_values - values
    going_on = discount * decay * ~rollout.ended
    estimates = torch.zeros_like(errors)
    running = torch.zeros_like(errors[0])
    for step in reversed(range(len(errors))):
        running = errors[step] + going_on[step] * running
        estimates[step] = running
    return estimates


def clipped_objective(log_ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """The mean of PPO's objective (B,), to be made large.

    A step's probability is driven up or down only until it is `1 + clip` or `1 - clip` of what it was.
    """
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return torch.min(ratio * advantage, clipped * advantage).mean()


class PolicyGradient(pl.LightningModule):
    """Acts by a policy net and learns from its rollouts: PPO with GAE; A2C by options.

    Args:
        observation_shape: shape of an observation, from the data module.
        num_actions: A, from the data module.
        net: builds two nets, the policy's, which gives logits (B, A), and the baseline's, (B, 1).
        discount: what a reward is worth one step later.
        gae_decay: lambda of GAE: 0 trusts the baseline after one step, 1 only rewards.
        horizon: steps of each environment in a rollout.
        passes: over each rollout, in shuffled batches.
        clip: how far a probability may move per rollout, as a share.
        entropy: weight of the policy's entropy, which keeps it from settling too early.
        value_weight: weight of the baseline's squared error.
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
        gae_decay: float = 0.95,
        horizon: int = 64,
        passes: int = 8,
        clip: float = 0.2,
        entropy: float = 0.0,
        value_weight: float = 0.5,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        check_share(discount=discount, gae_decay=gae_decay)
        check_count(horizon=horizon, passes=passes)
        check_positive(clip=clip, entropy=entropy, value_weight=value_weight)
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.policy = build_net(net, observation_shape, num_actions)
        self.baseline = build_net(net, observation_shape, 1)
        self.norm = RunningNorm(observation_shape)
        self.experience = Rollouts(horizon=horizon, passes=passes)
        self.discount, self.gae_decay, self.clip = discount, gae_decay, clip
        self.entropy, self.value_weight, self.normalise = entropy, value_weight, normalise
        self.metrics = build_metrics()
        self.progress = Progress()

    def forward(self, observations: Tensor) -> Tensor:
        """Log probabilities (B, A) of the actions."""
        return F.log_softmax(self.policy(self.norm(observations)), dim=-1)

    def act(self, observations: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions (N,) drawn from the policy; the likeliest without a generator."""
        if generator is None:
            return self.policy(self.norm(observations)).argmax(-1)
        # From the sums of probabilities, since a draw has to be the same on all devices.
        sums = self(observations).exp().cumsum(-1)[:, :-1]
        drawn = torch.rand(len(sums), 1, generator=generator)
        return (sums <= drawn.to(sums.device)).sum(-1)

    def value(self, observations: Tensor) -> Tensor:
        """What the baseline expects of states, (B,)."""
        return self.baseline(self.norm(observations)).squeeze(-1)

    @torch.no_grad()
    def observe(self, rollout: Rollout, returns: list[float], env_steps: int) -> tuple[Tensor, ...]:
        """Columns to learn from: observations, actions, their log probabilities, advantages, returns."""
        self.progress.note(returns, env_steps)
        rollout = Rollout(*(column.to(self.device) for column in rollout))
        steps, places = rollout.rewards.shape
        observations = rollout.observations.flatten(0, 1)
        acted = self(observations).gather(1, rollout.actions.view(-1, 1)).squeeze(1)
        if self.normalise:
            # After the probabilities, which are those that acted.
            self.norm.learn(observations)
        values = self.value(observations)
        next_values = self.value(rollout.next_observations.flatten(0, 1))
        estimates = advantages(
            rollout,
            values.view(steps, places),
            next_values.view(steps, places),
            discount=self.discount,
            decay=self.gae_decay,
        ).flatten()
        columns = (observations, rollout.actions.flatten(), acted, estimates, estimates + values)
        valid = rollout.valid.flatten()
        return tuple(column[valid].cpu() for column in columns)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        observations, actions, acted, estimates, targets = batch
        log_p = self(observations)
        # Their scale would else act like a learning rate that changes as the agent gets better.
        advantage = (estimates - estimates.mean()) / (estimates.std(correction=0) + 1e-8)
        log_ratio = log_p.gather(1, actions[:, None]).squeeze(1) - acted
        gain = clipped_objective(log_ratio, advantage, self.clip)
        entropy = -(log_p.exp() * log_p).sum(-1).mean()
        value_loss = F.mse_loss(self.value(observations), targets)
        loss = self.value_weight * value_loss - gain - self.entropy * entropy
        log_training_loss(self, loss)
        log_training_loss(self, entropy, "train/entropy")
        self.progress.log(self)
        return loss

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
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [EpisodeFilm()] if self.trainer.testing else [ReturnCurve()]

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of a random policy."""
        return random_baseline(data)
