"""Regression with any net: squared error.

Batch: x of shape (B, *input_shape), y of shape (B, *output_shape).
Run:   python training/run_experiment.py --data Curve --model Regression --model.net MLP
"""

import math
from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.regression import MeanSquaredError, R2Score

from lab.figures import FitOverPoints
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
)

Batch = tuple[Tensor, Tensor]


class Regression(pl.LightningModule):
    """One or more numbers per sample, by squared error; RMSE, R2, fit over the points.

    Args:
        input_shape: shape of one sample, from the data module.
        output_shape: shape of one target, from the data module.
        net: builds the net that maps (B, *input_shape) to as many numbers as a target has.
        warmup: share of all steps in which the learning rate rises.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        net: NetBuilder,
        *,
        lr: float = 1e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
    ) -> None:
        super().__init__()
        self.output_shape = tuple(output_shape)
        self.net = build_net(net, input_shape, math.prod(output_shape))
        self.optimization = {"optimizer": optimizer, "lr": lr, "schedule": schedule, "warmup": warmup}
        for stage in ("val", "test"):
            self.add_module(f"{stage}_rmse", MeanSquaredError(squared=False))
            self.add_module(f"{stage}_r2", R2Score())

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).unflatten(1, self.output_shape)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "train")[0]

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "val")[1]

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "test")[1]

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Predicted targets, (B, *output_shape)."""
        return self(batch[0])

    def _step(self, batch: Batch, stage: str) -> tuple[Tensor, Tensor]:
        x, y = batch
        predicted = self(x)
        loss = F.mse_loss(predicted, y)
        if stage == "train":
            self.log("train/loss", loss, prog_bar=True)
            return loss, predicted
        self.log(f"{stage}/loss", loss, prog_bar=True, batch_size=len(y), sync_dist=True)
        for name in ("rmse", "r2"):
            metric = getattr(self, f"{stage}_{name}")
            metric.update(predicted.flatten(), y.flatten())
            self.log(f"{stage}/{name}", metric, prog_bar=name == "rmse", batch_size=len(y))
        return loss, predicted

    def configure_optimizers(self):
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [FitOverPoints()]

    def baselines(self, data: pl.LightningDataModule) -> dict[str, float]:
        """Test metrics of the mean of the training targets."""
        mean = torch.cat([y for _, y in data.train_dataloader()]).double().mean(0)
        test = torch.cat([y for _, y in data.test_dataloader()]).double()
        error = (test - mean).square().mean().item()
        return {
            "test/loss": error,
            "test/rmse": math.sqrt(error),
            "test/r2": 1 - error / (test - test.mean(0)).square().mean().item(),
        }
