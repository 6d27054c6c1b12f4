"""Classification with any net: cross entropy over classes.

Batch: x of shape (B, *input_shape), y of shape (B,) with class numbers. The net gives logits (B, C).
Run:   python training/run_experiment.py --data Digits --model Classification --model.net MLP
"""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from lab.errors import LabError
from lab.figures.supervised import ConfusionMatrix, WorstMistakes
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.logging import log_metrics, log_training_loss

Batch = tuple[Tensor, Tensor]


class Classification(pl.LightningModule):
    """One class per sample, by cross entropy; accuracy, top-k, confusion matrix, worst mistakes.

    Args:
        input_shape: shape of one sample, from the data module.
        num_classes: C, from the data module.
        net: builds the net that maps (B, *input_shape) to logits (B, C).
        label_smoothing: share of the target spread evenly over all classes, in training only.
        top_k: a sample also counts in `top_k_accuracy` when its class is among the k likeliest; 3 when
            not given, or C when there are fewer classes.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        net: NetBuilder,
        *,
        lr: float = 1e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
        label_smoothing: float = 0.0,
        top_k: int | None = None,
    ) -> None:
        super().__init__()
        if top_k is None:
            top_k = min(3, num_classes)
        if not 1 <= top_k <= num_classes:
            raise LabError(
                f"--model.top_k {top_k}: choose 1 to {num_classes}, the number of classes"
            )
        if not 0 <= label_smoothing < 1:
            raise LabError(f"--model.label_smoothing {label_smoothing}: choose 0 to below 1")
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.net = build_net(net, input_shape, num_classes)
        self.num_classes, self.top_k, self.label_smoothing = num_classes, top_k, label_smoothing
        self.metrics = nn.ModuleDict({stage: self.build_metrics() for stage in ("val", "test")})

    def build_metrics(self) -> nn.ModuleDict:
        """Metrics of one stage, exact over uneven batches and processes."""
        options: dict[str, Any] = {
            "num_classes": self.num_classes,
            "average": "micro",
            "validate_args": False,
        }
        return nn.ModuleDict(
            {
                "loss": MeanMetric(),
                "accuracy": MulticlassAccuracy(**options),
                "top_k_accuracy": MulticlassAccuracy(top_k=self.top_k, **options),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "train")[0]

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "val")[1]

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "test")[1]

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Probabilities, (B, C)."""
        return self(batch[0]).softmax(-1)

    def _step(self, batch: Batch, stage: str) -> tuple[Tensor, Tensor]:
        x, y = batch
        logits = self(x)
        smoothing = self.label_smoothing if stage == "train" else 0.0
        loss = F.cross_entropy(logits, y, label_smoothing=smoothing)
        if stage == "train":
            log_training_loss(self, loss)
            return loss, logits
        metrics: Any = self.metrics[stage]
        metrics["loss"].update(loss, len(y))
        metrics["accuracy"].update(logits, y)
        metrics["top_k_accuracy"].update(logits, y)
        return loss, logits

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="accuracy")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="accuracy")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [ConfusionMatrix(), WorstMistakes()] if self.trainer.testing else []

    def baselines(self, data: Any) -> dict[str, float]:
        """Test metrics of a guess that knows only how frequent each class is in training.

        One sample of each class is added (Laplace), so that a class which training lacks is merely unlikely.
        """
        train, test = data.train_set.tensors[1], data.test_set.tensors[1]
        counts = torch.bincount(train, minlength=self.num_classes).double() + 1
        likeliest = counts.argsort(descending=True, stable=True)[: self.top_k]
        return {
            "test/loss": -(counts / counts.sum())[test].log().mean().item(),
            "test/accuracy": (test == likeliest[0]).double().mean().item(),
            "test/top_k_accuracy": torch.isin(test, likeliest).double().mean().item(),
        }
