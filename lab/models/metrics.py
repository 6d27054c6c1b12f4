"""R2, exact over uneven batches and processes, for one sample and for targets far from zero.

The sums of squares of a naive R2 lose all digits when the mean of the targets is large beside their
deviation; merging means and deviations does not (Chan, Golub, LeVeque 1983).
"""

import torch
from torch import Tensor
from torchmetrics import Metric


def r_squared(error: Tensor, spread: Tensor) -> Tensor:
    """1 - error / spread, the mean over outputs, from sums of squares (K,) per output.

    `error` is of the residuals, `spread` of the targets' deviations from their mean. Targets that do not
    vary, such as a single one, give 1 when met exactly and else 0, as in scikit-learn.
    """
    varies = spread > 0
    score = 1 - error / spread.where(varies, torch.ones_like(spread))
    return score.where(varies, (error == 0).to(score)).mean()


def merge(parts: Tensor) -> Tensor:
    """Moments (4, K) of all samples from those of P parts (P, 4, K): count, mean, spread, error."""
    count, mean, spread, error = parts.unbind(1)
    total = count.sum(0)
    center = (count * mean).sum(0) / total.clamp(min=1)
    spread = spread.sum(0) + (count * (mean - center).square()).sum(0)
    return torch.stack([total, center, spread, error.sum(0)])


class R2(Metric):
    """Share of the targets' variance that predictions explain; the mean over outputs.

    Shapes: predictions and targets (B, K).
    """

    full_state_update = False
    moments: Tensor

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.add_state("moments", torch.zeros(4, num_outputs), dist_reduce_fx=merge)

    def update(self, predicted: Tensor, target: Tensor) -> None:
        # Half precision would not even count the samples.
        predicted, target = predicted.to(self.moments), target.to(self.moments)
        mean = target.mean(0)
        spread, error = (target - mean).square().sum(0), (target - predicted).square().sum(0)
        batch = torch.stack([torch.full_like(mean, len(target)), mean, spread, error])
        self.moments = merge(torch.stack([self.moments, batch]))

    def compute(self) -> Tensor:
        _, _, spread, error = self.moments
        return r_squared(error, spread)
