"""How models build their net, optimizer and schedule, and what a training makes of them."""

import itertools
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torchvision
from jsonargparse import ArgumentParser
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lab.errors import LabError
from lab.models.building import (
    NetBuilder,
    Schedule,
    ToRGB,
    build_net,
    build_optimizer,
    lr_factor,
    takes_num_classes,
)
from lab.models.classification import Classification
from lab.models.regression import Regression
from lab.nets.cnn import CNN
from lab.nets.linear import Linear
from lab.nets.mlp import MLP


def quiet_trainer(**options: Any) -> pl.Trainer:
    """A trainer that writes nothing but figures, into the test's folder."""
    silent = ["enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger"]
    defaults = {"accelerator": "cpu", "default_root_dir": Path.cwd(), "max_epochs": 1}
    return pl.Trainer(**{**defaults, **dict.fromkeys(silent, False), **options})


def batches(*tensors: Tensor, size: int = 4) -> DataLoader:
    return DataLoader(TensorDataset(*tensors), batch_size=size)


def fit(model: pl.LightningModule, *tensors: Tensor, size: int = 4, **options: Any) -> pl.Trainer:
    """Train on the tensors, and validate on them."""
    trainer = quiet_trainer(**options)
    trainer.fit(model, batches(*tensors, size=size), batches(*tensors, size=size))
    return trainer


class Steps(pl.Callback):
    """Notes the learning rate of every optimizer step."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any
    ) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])


def train_line(model_options: dict[str, Any], **trainer_options: Any) -> tuple[Steps, pl.Trainer]:
    """Train a line on 19 points, so 5 batches an epoch of which the last is smaller."""
    x = torch.linspace(-1, 1, 19)[:, None]
    steps = Steps()
    model = Regression((1,), (1,), Linear, **model_options)
    return steps, fit(model, x, 2 * x, callbacks=[steps], **trainer_options)


# Nets


def test_own_nets_get_shape_and_outputs() -> None:
    net = build_net(partial(MLP, width=7, depth=1), (2, 3), 5)
    assert isinstance(net, MLP)
    assert net.hidden[0].linear.weight.shape == (7, 6) and net.output.weight.shape == (5, 7)


def as_command_line(*words: str) -> NetBuilder:
    """What the parser of the command line makes of the words for a net."""
    parser = ArgumentParser()
    parser.add_argument("--net", type=NetBuilder)
    return parser.instantiate_classes(parser.parse_args(list(words))).net


@pytest.mark.parametrize(
    "make",
    [
        lambda: torchvision.models.resnet18,
        lambda: partial(torchvision.models.resnet18, progress=False),
        lambda: as_command_line("--net=torchvision.models.resnet18"),
    ],
    ids=["function", "partial", "command line"],
)
def test_torchvision_nets_read_grey_images(make: Callable[[], NetBuilder]) -> None:
    net = build_net(make(), (1, 28, 28), 7).eval()
    images = torch.randn(2, 1, 28, 28)
    with torch.no_grad():
        output = net(images)
        assert output.shape == (2, 7) and output.isfinite().all()
        inner = net[1]  # type: ignore[index]
        torch.testing.assert_close(output, inner(torch.cat([images, images, images], 1)))


def test_torchvision_nets_read_colour_images_as_they_are() -> None:
    net = build_net(torchvision.models.resnet18, (3, 32, 32), 7)
    assert isinstance(net, torchvision.models.ResNet) and net.fc.out_features == 7


def test_own_nets_and_their_options_come_through_the_command_line() -> None:
    net = build_net(as_command_line("--net=lab.nets.cnn.CNN", "--net.width=3"), (1, 8, 8), 2)
    assert isinstance(net, CNN) and net.features[0][0].weight.shape == (3, 1, 3, 3)


class ByShape(nn.Module):
    def __init__(self, input_shape: tuple[int, ...], num_classes: int = 3) -> None: ...


def legacy(pretrained: bool = False, **options: Any) -> nn.Module: ...


def wrapped(*args: Any, **options: Any) -> nn.Module: ...


BUILDERS: dict[str, tuple[Any, bool]] = {
    "own": (MLP, False),
    "own with an option": (partial(MLP, width=3), False),
    "own by shape and classes": (ByShape, False),
    "own function": (lambda shape, outputs: Linear(shape, outputs), False),
    "own with weights": (lambda shape, outputs, weights=None: Linear(shape, outputs), False),
    "own with defaults": (lambda input_shape=(3,), num_classes=3: Linear(input_shape, 2), False),
    "anything": (wrapped, False),
    "own from the command line": (partial(wrapped, MLP, width=3), False),
    "torchvision from the command line": (partial(wrapped, torchvision.models.resnet18), True),
    "torchvision function": (torchvision.models.resnet18, True),
    "torchvision with an option": (partial(torchvision.models.resnet18, progress=False), True),
    "torchvision transformer": (torchvision.models.vit_b_16, True),
    "torchvision class": (torchvision.models.MobileNetV2, True),
    "class with an option": (partial(torchvision.models.AlexNet, dropout=0.1), True),
    "older torchvision": (legacy, True),
}


@pytest.mark.parametrize("net, expected", BUILDERS.values(), ids=BUILDERS)
def test_torchvision_builders_are_told_from_own_nets(net: Any, expected: bool) -> None:
    assert takes_num_classes(net) is expected


def test_grey_becomes_three_equal_channels() -> None:
    images = torch.randn(2, 1, 4, 5)
    assert torch.equal(ToRGB()(images), torch.cat([images, images, images], 1))


def test_what_a_net_refuses_is_the_users_error() -> None:
    with pytest.raises(LabError, match="^--model.net.depth -1: choose 0 or more"):
        build_net(partial(MLP, depth=-1), (3,), 2)
    for shape in [(10,), (2, 8, 8)]:
        with pytest.raises(LabError, match="1 or 3 channels, the data have shape .*: use MLP"):
            build_net(torchvision.models.resnet18, shape, 2)


def test_faults_of_a_net_stay_what_they_are() -> None:
    def broken(input_shape: Any, num_outputs: int) -> nn.Module:
        raise KeyError("a fault")

    with pytest.raises(KeyError):
        build_net(broken, (3,), 2)


# Optimizers


def built(**options: Any) -> Any:
    """The optimizer of a module that no trainer has seen."""
    defaults = {"optimizer": None, "lr": 0.1, "schedule": "constant", "warmup": 0.0}
    return build_optimizer(Regression((3,), (2,), MLP), **{**defaults, **options})


def test_default_is_adamw_with_all_weights_and_torchs_options() -> None:
    optimizer = built()
    reference = torch.optim.AdamW([torch.zeros(1)], lr=0.1)
    assert type(optimizer) is torch.optim.AdamW
    (group,) = optimizer.param_groups
    assert sum(weight.numel() for weight in group.pop("params")) == sum(
        weight.numel() for weight in MLP((3,), 2).parameters()
    )
    (expected,) = reference.param_groups
    assert group == {key: value for key, value in expected.items() if key != "params"}


def test_a_given_optimizer_is_used_and_takes_nothing_from_the_default() -> None:
    optimizer = built(optimizer=partial(torch.optim.SGD, momentum=0.9), lr=0.3)
    assert type(optimizer) is torch.optim.SGD
    (group,) = optimizer.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.3, 0.9, 0)


def test_given_parameters_are_the_only_ones() -> None:
    weight = torch.zeros(2, requires_grad=True)
    (group,) = built(parameters=iter([weight])).param_groups
    assert len(group["params"]) == 1 and group["params"][0] is weight


def test_option_that_an_optimizer_refuses_is_the_users_error() -> None:
    with pytest.raises(LabError, match="--model.optimizer: Invalid momentum value: -1"):
        built(optimizer=partial(torch.optim.SGD, momentum=-1))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lr": -1.0}, "--model.lr -1.0: choose a number above 0"),
        ({"lr": 0}, "--model.lr 0: "),
        ({"lr": math.nan}, "--model.lr nan: "),
        ({"lr": math.inf}, "--model.lr inf: "),
        ({"warmup": 2.0}, "--model.warmup 2.0: choose 0 to 1"),
        ({"warmup": -0.1}, "--model.warmup -0.1: "),
        ({"warmup": math.nan}, "--model.warmup nan: "),
        ({"schedule": "cosin"}, "--model.schedule cosin: no such schedule.\nNearest: cosine$"),
    ],
    ids=str,
)
def test_models_refuse_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=f"^{message}"):
        Regression((3,), (2,), MLP, **options)
    with pytest.raises(LabError, match=f"^{message}"):
        Classification((3,), 2, MLP, **options)


def test_options_at_the_ends_of_their_ranges_are_fine() -> None:
    for warmup, schedule in itertools.product((0, 1), ("constant", "cosine", "onecycle")):
        Regression((3,), (2,), MLP, lr=1e30, warmup=warmup, schedule=schedule)


# Schedules


def factors(schedule: Schedule, steps: int, warmup: float) -> list[float]:
    """Of every step, and of the one after the last, which a scheduler computes and nobody uses."""
    return [lr_factor(k, steps=steps, schedule=schedule, warmup=warmup) for k in range(steps + 1)]


def test_warmup_rises_in_a_line() -> None:
    rising = factors("constant", 8, 0.5)
    assert rising == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 1, 1, 1, 1])
    # 0.07 * 100 is a little above 7.
    assert factors("constant", 100, 0.07)[5:8] == pytest.approx([6 / 7, 1, 1])


def test_cosine_falls_to_zero() -> None:
    half = math.sqrt(0.5)
    expected = [1, (1 + half) / 2, 0.5, (1 - half) / 2, 0]
    assert factors("cosine", 4, 0) == pytest.approx(expected)
    assert factors("cosine", 6, 1 / 3) == pytest.approx([1 / 2, 1, *expected])
    assert lr_factor(9, steps=4, schedule="cosine", warmup=0) == 0


@pytest.mark.parametrize("steps, warmup", [(7, 0.0), (10, 0.3), (11, 0.45), (40, 0.5), (9, 0.95)])
def test_onecycle_is_that_of_torch(steps: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.3, total_steps=steps, pct_start=warmup, cycle_momentum=False
    )
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    ours = [0.3 * factor for factor in factors("onecycle", steps, warmup)[:steps]]
    assert ours == pytest.approx(rates)


# Torch's own divides by zero in the first two.
@pytest.mark.parametrize("steps, warmup", [(10, 0.1), (10, 1.0), (1, 0.0), (1, 1.0), (3, 0.1)])
def test_onecycle_with_hardly_a_phase(steps: int, warmup: float) -> None:
    rates = factors("onecycle", steps, warmup)
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[-1] < 1e-5
    if warmup == 1:
        assert rates[steps - 1] == 1


@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle"])
def test_a_training_without_steps_has_a_schedule(schedule: Schedule) -> None:
    assert all(0 <= factor <= 1 for factor in factors(schedule, 0, 0.3))


def test_constant_rate_needs_no_trainer_and_no_end() -> None:
    assert isinstance(built(), torch.optim.Optimizer)
    steps, trainer = train_line({"lr": 0.01}, max_epochs=2)
    assert steps.rates == [0.01] * 10 and trainer.lr_scheduler_configs == []


@pytest.mark.parametrize(
    "schedule, warmup", [("constant", 0.4), ("cosine", 0.0), ("cosine", 0.2), ("onecycle", 0.3)]
)
@pytest.mark.parametrize(
    "options, count",
    [
        ({"max_epochs": 3}, 15),
        ({"max_steps": 7, "max_epochs": -1}, 7),
        ({"max_epochs": 3, "accumulate_grad_batches": 2}, 9),
        ({"max_epochs": 2, "limit_train_batches": 3}, 6),
    ],
    ids=["epochs", "steps", "accumulated", "limited"],
)
def test_schedules_move_at_every_step(
    schedule: Schedule, warmup: float, options: dict[str, Any], count: int
) -> None:
    steps, trainer = train_line({"lr": 0.02, "schedule": schedule, "warmup": warmup}, **options)
    (config,) = trainer.lr_scheduler_configs
    expected = [0.02 * factor for factor in factors(schedule, count, warmup)]
    assert steps.rates == pytest.approx(expected[:-1])
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(expected[-1])
    assert config.interval == "step" and config.frequency == 1
    assert config.scheduler.last_epoch == count == trainer.global_step
    assert trainer.estimated_stepping_batches == count


@pytest.mark.parametrize("epochs", [3, 20])
def test_onecycle_ends_below_where_it_began(epochs: int) -> None:
    options = {"schedule": "onecycle", "warmup": 0.3}
    steps, trainer = train_line({"lr": 0.02, **options}, max_epochs=epochs)
    assert max(steps.rates) > 0.9 * 0.02
    assert steps.rates[-1] < steps.rates[0] / 100
    assert trainer.optimizers[0].param_groups[0]["lr"] < steps.rates[0] / 100


@pytest.mark.parametrize("options", [{"schedule": "cosine"}, {"warmup": 0.1}], ids=str)
def test_schedule_of_an_endless_training_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(LabError, match="give --trainer.max_epochs or --trainer.max_steps"):
        train_line(options, max_epochs=-1)


# Trainings


def test_lbfgs_solves_least_squares() -> None:
    torch.manual_seed(0)
    random = np.random.RandomState(0)
    x, y = random.randn(60, 4).astype(np.float32), random.randn(60, 2).astype(np.float32)
    solution, *_ = np.linalg.lstsq(np.c_[x, np.ones(60)], y)
    lbfgs = partial(torch.optim.LBFGS, max_iter=30, line_search_fn="strong_wolfe")
    model = Regression((4,), (2,), Linear, optimizer=lbfgs, lr=1.0)
    fit(model, torch.from_numpy(x), torch.from_numpy(y), size=60, max_epochs=3)
    weight, bias = (value.detach().numpy() for value in model.net.parameters())
    # The optimizer's own tolerances end it up to 1e-4 from the solution, over ten first weights.
    np.testing.assert_allclose(np.r_[weight.T, bias[None]], solution, atol=5e-4)


def test_accumulated_gradients_are_those_of_the_whole_batch() -> None:
    x, y = torch.randn(12, 3), torch.randn(12, 1)
    weights = []
    for size, options in [(12, {}), (4, {"accumulate_grad_batches": 3})]:
        model = Regression((3,), (1,), Linear, optimizer=torch.optim.SGD, lr=0.1)
        fit(model, x, y, size=size, max_epochs=5, **options)
        weights.append(torch.cat([value.flatten() for value in model.parameters()]))
    torch.testing.assert_close(*weights)
    assert weights[0].abs().max() > 0.01
