"""Regression with any net: squared error.

Batch: x of shape (B, *input_shape), y of shape (B, *output_shape).
Run:   python training/run_experiment.py --data Curve --model Regression --model.net MLP
"""

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics.regression import MeanSquaredError

from lab.figures.supervised import FitOverPoints
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.logging import log_metrics, log_training_loss
from lab.models.metrics import R2, r_squared

Batch = tuple[Tensor, Tensor]


class Regression(pl.LightningModule):
    """One or more numbers per sample, by squared error; RMSE, R2, fit over the points.

    With several numbers per sample the loss is the mean over all, RMSE its root, R2 the mean of each
    number's own.

    Args:
        input_shape: shape of one sample, from the data module.
        output_shape: shape of one target, from the data module.
        net: builds the net that maps (B, *input_shape) to as many numbers as a target has.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: an option out of range.
    """

    defaults = {"data": "Curve", "net": "MLP"}

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
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.output_shape = tuple(output_shape)
        self.net = build_net(net, input_shape, math.prod(output_shape))
        self.metrics = nn.ModuleDict({stage: self.build_metrics() for stage in ("val", "test")})

    def build_metrics(self) -> nn.ModuleDict:
        """Metrics of one stage, exact over uneven batches and processes."""
        return nn.ModuleDict(
            {
                "loss": MeanMetric(),
                "rmse": MeanSquaredError(squared=False),
                "r2": R2(math.prod(self.output_shape)),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).reshape(len(x), *self.output_shape)

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
            log_training_loss(self, loss)
            return loss, predicted
        metrics: Any = self.metrics[stage]
        metrics["loss"].update(loss, len(y))
        metrics["rmse"].update(predicted.flatten(), y.flatten())
        metrics["r2"].update(predicted.reshape(len(y), -1), y.reshape(len(y), -1))
        return loss, predicted

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="rmse")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="rmse")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [FitOverPoints()] if self.trainer.testing else []

    def baselines(self, data: Any) -> dict[str, float]:
        """Test metrics of the mean of the training targets."""
        train, test = (
            part.tensors[1].double().reshape(len(part), -1)
            for part in (data.train_set, data.test_set)
        )
        error, spread = (test - train.mean(0)).square(), (test - test.mean(0)).square()
        return {
            "test/loss": error.mean().item(),
            "test/rmse": error.mean().sqrt().item(),
            "test/r2": r_squared(error.sum(0), spread.sum(0)).item(),
        }
