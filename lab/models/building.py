"""What every model does with its options: build the net, the optimizer and the schedule.

The types tell the command line what to accept: the first arguments of a net (shape, outputs) and of an
optimizer (parameters, learning rate) come from the model, the rest are options.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from lab.errors import LabError, nearest

NetBuilder = Callable[[Sequence[int], int], nn.Module]
OptimizerBuilder = Callable[[Any, float], torch.optim.Optimizer]
Schedule = Literal["constant", "cosine", "onecycle"]


class ToRGB(nn.Module):
    """(B, 1, H, W) -> (B, 3, H, W): grey images for nets that want three channels."""

    def forward(self, images: Tensor) -> Tensor:
        return images.expand(-1, 3, -1, -1)


def build_net(
    net: NetBuilder, input_shape: Sequence[int], num_outputs: int, *, option: str = "net"
) -> nn.Module:
    """Call `net` with the sizes that the data decide.

    Our own nets take `(input_shape, num_outputs)`; a torchvision builder takes `num_classes` and reads
    images of three channels.

    Args:
        option: what the net is called on the command line, for a model of several nets.

    Raises:
        LabError: the net's own ValueError, or data that are no images for a torchvision net.
    """
    try:
        if not takes_num_classes(net):
            return net(input_shape, num_outputs)
        if len(input_shape) != 3 or input_shape[0] not in (1, 3):
            raise LabError(
                "this net reads images of 1 or 3 channels, "
                f"the data have shape {tuple(input_shape)}: use MLP"
            )
        built = net(num_classes=num_outputs)  # type: ignore[call-arg]
        return nn.Sequential(ToRGB(), built) if input_shape[0] == 1 else built
    except ValueError as error:
        raise LabError(in_terms_of(option, error)) from error


def in_terms_of(option: str, error: ValueError) -> str:
    """A net's message about its options, as they are called for the net `--model.<option>`."""
    return str(error).replace("--model.net.", f"--model.{option}.")


def signature_of(net: Callable[..., nn.Module]) -> inspect.Signature:
    """What a net's class can be called with, also when the command line or `partial` wraps it."""
    signature = inspect.signature(net)
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    if isinstance(net, partial) and net.args and inspect.Parameter.VAR_POSITIONAL in kinds:
        # The command line wraps the class: partial(make, CNN, width=8), where make takes anything.
        return inspect.signature(net.args[-1])
    return signature


def takes_num_classes(net: Callable[..., nn.Module]) -> bool:
    """Whether `net` is built like a torchvision model: by `num_classes`, with no input shape."""
    signature = signature_of(net)
    if {"input_shape", "num_outputs"} & set(signature.parameters):
        return False
    try:
        signature.bind(num_classes=2)
    except TypeError:
        return False
    return "num_classes" in signature.parameters or not binds_sizes(signature)


def binds_sizes(signature: inspect.Signature) -> bool:
    """Whether something can be called with an input shape and a number of outputs."""
    try:
        signature.bind((1, 8, 8), 2)
    except TypeError:
        return False
    return True


def optimization_options(
    *, optimizer: OptimizerBuilder | None, lr: float, schedule: Schedule, warmup: float
) -> dict[str, Any]:
    """The options of `build_optimizer` by name.

    Raises:
        LabError: one of them is out of range.
    """
    if not 0 < lr < math.inf:
        raise LabError(f"--model.lr {lr}: choose a number above 0")
    if schedule not in get_args(Schedule):
        close = nearest(schedule, get_args(Schedule))
        raise LabError(f"--model.schedule {schedule}: no such schedule.\nNearest: {close}")
    if not 0 <= warmup <= 1:
        raise LabError(f"--model.warmup {warmup}: choose 0 to 1, a share of all steps")
    return {"optimizer": optimizer, "lr": lr, "schedule": schedule, "warmup": warmup}


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
        schedule: constant, cosine (down to zero) or onecycle, see `lr_factor`.
        warmup: share of all steps in which the learning rate rises.
        parameters: what to train; all of the module's when not given.

    Raises:
        LabError: the optimizer refuses its options, or a schedule in a training without an end.
    """
    weights = list(module.parameters() if parameters is None else parameters)
    try:
        built = (optimizer or torch.optim.AdamW)(weights, lr)
    except ValueError as error:
        raise LabError(f"--model.optimizer: {error}") from error
    if schedule == "constant" and warmup == 0:
        return built
    steps = module.trainer.estimated_stepping_batches
    if math.isinf(steps):
        raise LabError(
            "--model.schedule and --model.warmup need to know when the training ends: "
            "give --trainer.max_epochs or --trainer.max_steps"
        )
    total = int(steps)
    scheduler = LambdaLR(
        built, lambda step: lr_factor(step, steps=total, schedule=schedule, warmup=warmup)
    )
    return {"optimizer": built, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def lr_factor(step: int, *, steps: int, schedule: Schedule, warmup: float) -> float:
    """Factor on the learning rate at one of `steps` steps.

    constant and cosine rise in a line over the warm-up; cosine then falls to 0. onecycle (Smith & Topin
    2018) starts at 1/25, and rises and falls along a cosine, to 1/250 000: the values of torch's
    OneCycleLR, which divides by zero when the warm-up is one step or all steps.
    """
    if schedule == "onecycle":
        low, lowest, peak = 1 / 25, 1 / 250_000, warmup * steps - 1
        if step <= peak:
            return cosine(low, 1.0, step / peak if peak > 0 else 1.0)
        falling = steps - 1 - peak
        return cosine(1.0, lowest, (step - peak) / falling if falling > 0 else 1.0)
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    return cosine(1.0, 0.0, (step - rising) / max(steps - rising, 1))


def cosine(start: float, end: float, done: float) -> float:
    """From `start` at 0 to `end` at 1, along half a wave; `end` after it."""
    return end + (start - end) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
