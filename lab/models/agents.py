"""What agents have in common: normalised observations, checks of options, how they are judged and shown.

Letters: B steps or environments, S the shape of an observation, A actions.
"""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lab.errors import LabError
from lab.experience import Episodes


class RunningNorm(nn.Module):
    """Standardises observations (B, *S) by mean and variance of all that `learn` has seen.

    Merged batch by batch (Chan, Golub, LeVeque 1983) and kept with the weights. Nothing changes but by
    `learn`, so an evaluation leaves it alone. Before the first `learn` observations pass as they are.

    Args:
        limit: larger deviations are cut off.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, shape: Sequence[int], *, limit: float = 10.0) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.zeros(*shape))
        self.register_buffer("variance", torch.ones(*shape))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, observations: Tensor) -> Tensor:
        scaled = (observations - self.mean) * (self.variance + 1e-8).rsqrt()
        return scaled.clamp(-self.limit, self.limit)

    @torch.no_grad()
    def learn(self, observations: Tensor) -> None:
        """Take observations (B, *S) into account."""
        added, total = len(observations), self.count + len(observations)
        moved = observations.mean(0) - self.mean
        spread = self.variance * self.count + observations.var(0, correction=0) * added
        spread = spread + moved.square() * self.count * added / total
        self.mean += moved * added / total
        self.variance.copy_(spread / total)
        self.count.copy_(total)


def check_share(**options: float) -> None:
    """Raise LabError when an option is not from 0 to 1."""
    for name, value in options.items():
        if not 0 <= value <= 1:
            raise LabError(f"--model.{name} {value}: choose 0 to 1")


def check_count(**options: int) -> None:
    """Raise LabError when an option is below 1."""
    for name, value in options.items():
        if value < 1:
            raise LabError(f"--model.{name} {value}: choose 1 or more")


def check_positive(**options: float) -> None:
    """Raise LabError when an option is negative."""
    for name, value in options.items():
        if not 0 <= value < float("inf"):
            raise LabError(f"--model.{name} {value}: choose 0 or more")


def build_metrics() -> nn.ModuleDict:
    """Means over episodes, for validation and test."""
    return nn.ModuleDict(
        {
            stage: nn.ModuleDict({"return": MeanMetric(), "length": MeanMetric()})
            for stage in ("val", "test")
        }
    )


def judge(metrics: Any, episodes: Episodes) -> None:
    """Count episodes into the metrics of a stage."""
    metrics["return"].update(episodes.returns)
    metrics["length"].update(episodes.lengths)


class Progress:
    """How the training goes within an epoch, at whose beginning all environments start anew.

    Attributes:
        ended: environment steps made when an episode ended, and its return.
        env_steps: environment steps made so far, in all epochs.
    """

    def __init__(self) -> None:
        self.ended: list[tuple[float, float]] = []
        self.env_steps = 0

    def note(self, returns: list[float], env_steps: int) -> None:
        """Add what a rollout brought."""
        self.ended += [(env_steps, value) for value in returns]
        self.env_steps = env_steps

    def log(self, module: pl.LightningModule) -> None:
        """Log the mean of the latest returns and the steps, when the training loss is logged."""
        trainer: Any = module.trainer
        every = trainer.log_every_n_steps
        if every and (trainer.global_step + 1) % every == 0:
            module.log("env_steps", float(self.env_steps))
            latest = [value for _, value in self.ended[-100:]]
            if latest:
                module.log("train/return", sum(latest) / len(latest), prog_bar=True)


def random_baseline(data: Any) -> dict[str, dict[str, float]]:
    """Test metrics of a policy that takes every action equally often."""
    generator = torch.Generator().manual_seed(0)

    def act(observations: Tensor) -> Tensor:
        return torch.randint(data.num_actions, (len(observations),), generator=generator)

    episodes = data.test_set.play(act)
    return {
        "random": {
            "test/return": episodes.returns.mean().item(),
            "test/length": episodes.lengths.double().mean().item(),
        }
    }
