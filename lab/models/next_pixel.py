"""Next-pixel prediction with any net that sees only the pixels before each one.

Batch: images of shape (B, 1, H, W); labels beside them are not looked at.
Run:   python training/run_experiment.py -c training/experiments/pixels_digits.yaml
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from lab.errors import LabError
from lab.figures.pixels import Completions, Samples
from lab.models import pixel_baselines
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.drawing import draw_pixels, without_lower_half
from lab.models.logging import log_metrics, log_training_loss
from lab.models.pixels import InputRange, Pixels, from_levels, to_levels

Batch = Sequence[Tensor]


def bits(nats: Any) -> Any:
    """Information in bits of that in nats."""
    return nats / math.log(2)


class NextPixel(pl.LightningModule):
    """The next pixel's grey level, by cross entropy; bits per pixel, samples, completed images.

    The loss is in nats per pixel; `nats_per_image` is what the literature on MNIST gives.

    Args:
        input_shape: (1, H, W), from the data module.
        input_range: what black and white are in a batch, from the data module.
        levels: L, number of grey levels, from the data module.
        net: builds the net that maps shares of white (B, 1, H, W) to logits (B, L, 1, H, W).
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: images that are not grey, a net of another kind, or an option out of range.
    """

    defaults = {"data": "Digits", "net": "MADE"}

    def __init__(
        self,
        input_shape: Sequence[int],
        input_range: InputRange,
        levels: int,
        net: NetBuilder,
        *,
        lr: float = 1e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
    ) -> None:
        super().__init__()
        if len(input_shape) != 3 or input_shape[0] != 1:
            raise LabError(
                "--model NextPixel reads grey images of one channel, "
                f"the data have shape {tuple(input_shape)}: choose another --data"
            )
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.levels, self.shape, self.input_range = levels, tuple(input_shape), input_range
        self.net = build_net(net, input_shape, levels)
        self.pixels = Pixels(input_range)
        self.metrics = nn.ModuleDict({stage: self.build_metrics() for stage in ("val", "test")})

    def build_metrics(self) -> nn.ModuleDict:
        """Metrics of one stage, exact over uneven batches and processes."""
        names = ("loss", "bits_per_pixel", "nats_per_image")
        return nn.ModuleDict({name: MeanMetric() for name in names})

    def forward(self, unit: Tensor) -> Tensor:
        """Logits (B, L, 1, H, W) of shares of white (B, 1, H, W).

        Raises:
            LabError: the net's output has another shape.
        """
        logits = self.net(unit)
        if logits.shape != (len(unit), self.levels, *self.shape):
            raise LabError(
                f"--model.net {type(self.net).__name__} gives {tuple(logits.shape[1:])} for an image, not "
                f"the logits of {self.levels} levels at each pixel.\n"
                "Choose MADE, PixelCNN, "
                "PixelTransformer "  # from week 4
                "or one with such an output"
            )
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The images, (B, 1, H, W) shares of white, with the lower halves drawn from the upper ones."""
        return self.complete(self.exact(batch[0]))

    def numbers(self, x: Tensor) -> Tensor:
        """Levels nearest to the images of a batch: augmentation may leave greys between them."""
        return to_levels(self.pixels.to_unit(x), self.levels)

    def exact(self, x: Tensor) -> Tensor:
        """Images of a batch as shares of white that are levels."""
        return from_levels(self.numbers(x), self.levels).to(x)

    def _step(self, batch: Batch, stage: str) -> Tensor:
        numbers = self.numbers(batch[0])
        loss = F.cross_entropy(self(from_levels(numbers, self.levels).to(batch[0])), numbers)
        if stage == "train":
            log_training_loss(self, loss)
            return loss
        metrics: Any = self.metrics[stage]
        metrics["loss"].update(loss, len(numbers))
        metrics["bits_per_pixel"].update(bits(loss), len(numbers))
        metrics["nats_per_image"].update(loss * math.prod(self.shape), len(numbers))
        return loss

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """New images, (count, 1, H, W) shares of white."""
        empty = self.pixels.low.new_zeros(count, *self.shape)
        return draw_pixels(self.net, empty, levels=self.levels, generator=generator)

    def complete(self, unit: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Images (B, 1, H, W) whose lower halves are drawn from their upper ones."""
        given = without_lower_half(unit)
        first = self.shape[1] // 2 * self.shape[2]
        return draw_pixels(self.net, given, levels=self.levels, first=first, generator=generator)

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="bits_per_pixel")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="bits_per_pixel")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [Samples(), Completions()]

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of two guesses from counts in training, see `lab.models.pixel_baselines`.

        `independent` knows how frequent each level is at each pixel, `previous` which level follows on that
        of the pixel before, the same everywhere.
        """
        pixels = math.prod(self.shape)
        independent = pixel_baselines.independent_counts(
            self.units(data, data.train_set), self.levels, pixels
        )
        previous = pixel_baselines.previous_counts(self.units(data, data.train_set), self.levels)
        numbers = to_levels(torch.cat([*self.units(data, data.test_set)]), self.levels)
        losses = {
            "independent": pixel_baselines.independent_loss(independent, numbers),
            "previous": pixel_baselines.previous_loss(previous, numbers),
        }
        return {
            name: {
                "test/loss": loss,
                "test/bits_per_pixel": bits(loss),
                "test/nats_per_image": loss * pixels,
            }
            for name, loss in losses.items()
        }

    def units(self, data: Any, part: Any) -> Iterator[Tensor]:
        """All images of a set in parts, as shares of white (B, N) on the CPU."""
        # Of full precision, whatever that of the net is.
        pixels = Pixels(self.input_range)
        for tensors in zip(*(tensor.split(2000) for tensor in part.tensors), strict=True):
            batch = data.batch_transform(tensors) if data.batch_transform else tensors
            yield pixels.to_unit(batch[0]).flatten(1)
