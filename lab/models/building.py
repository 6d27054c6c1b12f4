"""What every model does with its options: build the net, the optimizer and the schedule.

The types tell the command line what to accept: the first arguments of a net (shape, outputs) and of an
optimizer (parameters, learning rate) come from the model, the rest are options.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lab.errors import LabError

NetBuilder = Callable[[Sequence[int], int], nn.Module]
OptimizerBuilder = Callable[[Any, float], torch.optim.Optimizer]
Schedule = Literal["constant", "cosine", "onecycle"]


class ToRGB(nn.Module):
    """(B, 1, H, W) -> (B, 3, H, W): grey images for nets that want three channels."""

    def forward(self, images: Tensor) -> Tensor:
        return images.expand(-1, 3, -1, -1)


def build_net(net: NetBuilder, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Call `net` with the sizes that the data decide.

    Our own nets take `(input_shape, num_outputs)`; a torchvision builder takes `num_classes` and three
    channels. Errors of a net about its options become a LabError.
    """
    try:
        if takes_num_classes(net):
            built = net(num_classes=num_outputs)  # type: ignore[call-arg]
            return nn.Sequential(ToRGB(), built) if input_shape[0] == 1 else built
        return net(input_shape, num_outputs)
    except ValueError as error:
        raise LabError(str(error)) from error


def takes_num_classes(net: Callable[..., nn.Module]) -> bool:
    """Whether `net` is built like a torchvision model: by `num_classes`, with no input shape."""
    inner = getattr(
        net, "args", ()
    )  # a partial made by the command line keeps the class as last argument
    names = inspect.signature(inner[-1] if inner else net).parameters
    return "num_outputs" not in names and ("num_classes" in names or "weights" in names)


def build_optimizer(
    module: pl.LightningModule,
    *,
    optimizer: OptimizerBuilder | None,
    lr: float,
    schedule: Schedule,
    warmup: float,
    parameters: Iterable[Tensor] | None = None,
) -> Any:
    """The optimizer (AdamW when none is named) with a schedule that moves at every step.

    Args:
        schedule: constant, cosine (down to zero) or onecycle; the first two warm up linearly.
        warmup: fraction of all steps in which the learning rate rises.
    """
    weights = list(module.parameters() if parameters is None else parameters)
    built = (optimizer or torch.optim.AdamW)(weights, lr)
    if schedule == "constant" and warmup == 0:
        return built
    steps = module.trainer.estimated_stepping_batches
    if math.isinf(steps):
        raise LabError(
            f"schedule {schedule} needs an end: give --trainer.max_epochs or --trainer.max_steps"
        )
    if schedule == "onecycle":
        # Momentum stays as it is: cycling it needs an optimizer that has one.
        scheduler: Any = torch.optim.lr_scheduler.OneCycleLR(
            built, max_lr=lr, total_steps=int(steps), pct_start=warmup, cycle_momentum=False
        )
    else:
        shape = warmup_then(schedule, int(steps), math.ceil(warmup * steps))
        scheduler = torch.optim.lr_scheduler.LambdaLR(built, shape)
    return {"optimizer": built, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def warmup_then(schedule: Schedule, steps: int, rising: int) -> Callable[[int], float]:
    """Factor on the learning rate at each step: linear rise over `rising` steps, then the schedule."""

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        if schedule == "constant":
            return 1.0
        done = (step - rising) / max(steps - rising, 1)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    return factor
