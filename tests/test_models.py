"""Models: losses and metrics against scikit-learn or by hand, baselines, learning by heart, checkpoints."""

import math
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers.logger import Logger
from sklearn import metrics as sklearn_metrics
from test_building import batches, fit, quiet_trainer
from torch import Tensor, nn
from torch.nn import functional as F

from lab.data.base import TensorSet
from lab.data.digits import Digits
from lab.errors import LabError
from lab.models.classification import Classification
from lab.models.metrics import R2, merge, r_squared
from lab.models.regression import Regression
from lab.nets.cnn import CNN
from lab.nets.linear import Linear
from lab.nets.mlp import MLP

ROOT = Path(__file__).parents[1]
START = partial(Linear, zero_init=False)


def classifier(classes: int = 4, **options: Any) -> Classification:
    """A linear net on three numbers."""
    torch.manual_seed(0)
    return Classification((3,), classes, **{"net": START, **options})


def labelled(count: int, classes: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (count,), generator=generator)
    return torch.randn(count, 3, generator=generator) * 2, y


def measure(verb: str, model: pl.LightningModule, *tensors: Tensor, size: int = 8) -> dict:
    """Metrics of `trainer.test` or `trainer.validate` on the tensors."""
    loader = batches(*tensors, size=size)
    (found,) = getattr(quiet_trainer(), verb)(model, loader, verbose=False)
    return found


def training_loss(model: pl.LightningModule, x: Tensor, y: Tensor) -> Tensor:
    """The loss of a training step that is not logged."""
    model.trainer = quiet_trainer(log_every_n_steps=1000)
    return model.training_step((x, y), 0)  # type: ignore[arg-type]


class Recorder(Logger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, dict[str, float]]] = []

    @property
    def name(self) -> str:
        return "recorder"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, *args: Any, **options: Any) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append((int(step or 0), metrics))

    def values(self, name: str) -> dict[int, float]:
        return {step: row[name] for step, row in self.rows if name in row}


# What both have in common

MODELS = {
    "classification": (lambda **options: classifier(**options), labelled(21)),
    "regression": (
        lambda **options: Regression((3,), (2,), **{"net": START, **options}),
        (torch.randn(21, 3), torch.randn(21, 2)),
    ),
}
both = pytest.mark.parametrize("model, data", MODELS.values(), ids=MODELS)
METRICS = {
    Classification: {"loss", "accuracy", "top_k_accuracy"},
    Regression: {"loss", "rmse", "r2"},
}


@both
def test_names_of_metrics_are_stage_and_metric(model: Any, data: tuple[Tensor, Tensor]) -> None:
    logger = Recorder()
    trainer = fit(built := model(), *data, log_every_n_steps=1, logger=logger)
    names = METRICS[type(built)]
    expected = {f"val/{name}" for name in names}
    assert set(trainer.callback_metrics) == expected | {"train/loss"}
    logged = {name for _, row in logger.rows for name in row}
    assert logged == expected | {"train/loss", "epoch"}
    assert set(measure("test", built, *data)) == {f"test/{name}" for name in names}


@both
def test_training_step_gives_a_scalar_with_a_gradient(model: Any, data: Any) -> None:
    loss = training_loss(built := model(), *data)
    assert loss.shape == () and loss.isfinite()
    loss.backward()
    assert all(weight.grad is not None for weight in built.parameters())


@both
@pytest.mark.parametrize(
    "options, steps",
    [
        ({"log_every_n_steps": 2}, [1, 3, 5]),
        ({"log_every_n_steps": 4}, [3]),
        ({"log_every_n_steps": 0}, []),
        ({"log_every_n_steps": 1, "accumulate_grad_batches": 3}, [0, 1]),
    ],
    ids=str,
)
def test_training_loss_is_logged_at_its_steps_only(
    model: Any, data: Any, options: dict[str, int], steps: list[int], monkeypatch: Any
) -> None:
    logger, built, calls = Recorder(), model(lr=0.1), []
    log, step = built.log, built.training_step
    losses: dict[int, float] = {}

    def counted_log(name: str, *args: Any, **settings: Any) -> None:
        calls.append(name)
        log(name, *args, **settings)

    def noted_step(batch: Any, batch_idx: int) -> Tensor:
        loss = step(batch, batch_idx)
        losses[built.trainer.global_step] = loss.item()
        return loss

    monkeypatch.setattr(built, "log", counted_log)
    monkeypatch.setattr(built, "training_step", noted_step)
    fit(built, *data, logger=logger, **options)
    assert list(logger.values("train/loss")) == steps
    for place, value in logger.values("train/loss").items():
        assert value == pytest.approx(losses[place])
    share = options.get("accumulate_grad_batches", 1)
    assert calls.count("train/loss") == len(steps) * share


@both
def test_metrics_start_anew_at_each_epoch(model: Any, data: Any) -> None:
    logger = Recorder()
    built = model(lr=0.3)
    fit(built, *data, logger=logger, max_epochs=3)
    after = measure("validate", built, *data)
    for name, value in after.items():
        *_, before_last, last = logger.values(name).values()
        assert last == pytest.approx(value, abs=1e-6), name
    losses = list(logger.values("val/loss").values())
    assert len(set(losses)) == len(losses) == 3


@both
def test_validation_and_test_are_counted_apart(model: Any, data: Any) -> None:
    built, (x, y) = model(), data
    first = measure("test", built, x[:9], y[:9])
    measure("validate", built, x[9:], y[9:])
    assert measure("test", built, x[:9], y[:9]) == first


@both
@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle"])
def test_checkpoints_hold_plain_values_and_all_that_training_needs(
    model: Any, data: Any, schedule: str
) -> None:
    optimizer = partial(torch.optim.SGD, momentum=0.9)
    options = {"optimizer": optimizer, "lr": 0.1, "schedule": schedule, "warmup": 0.3}
    every_epoch = ModelCheckpoint("kept", filename="{epoch}", save_top_k=-1)
    settings = {"enable_checkpointing": True, "max_epochs": 2, "callbacks": [every_epoch]}
    whole = model(**options)
    fit(whole, *data, **settings)
    kinds = int | float | str | bool | tuple | None
    assert all(isinstance(value, kinds) for value in whole.hparams.values())
    content = torch.load("kept/epoch=1.ckpt", weights_only=True)
    other = model(**options)
    other.load_state_dict(content["state_dict"])
    assert torch.equal(other(data[0]), whole(data[0]))
    # From the checkpoint of the first epoch the second is the same again.
    resumed = model(**options)
    trainer = quiet_trainer(**settings)
    loaders = batches(*data), batches(*data)
    with pytest.warns(UserWarning, match="kept exists and is not empty"):
        trainer.fit(resumed, *loaders, ckpt_path="kept/epoch=0.ckpt", weights_only=True)
    assert trainer.global_step == 12
    assert torch.equal(resumed(data[0]), whole(data[0]))


@both
def test_a_last_batch_of_one_sample_can_be_trained_on(model: Any, data: Any) -> None:
    built = model(net=partial(MLP, width=8, norm="batch"))
    trainer = fit(built, *data, size=4)
    assert trainer.global_step == 6
    assert all(weight.isfinite().all() for weight in built.parameters())


def test_models_and_nets_name_no_device() -> None:
    for path in [
        *ROOT.glob("lab/models/*.py"),
        *ROOT.glob("lab/nets/*.py"),
        *ROOT.glob("lab/figures/*.py"),
    ]:
        text = path.read_text()
        assert not re.search(r"[\"'](cpu|cuda|mps)\b|\.cuda\(|torch\.device\(", text), path


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@both
def test_metrics_are_the_same_on_a_gpu(model: Any, data: Any, own_folder: Path) -> None:
    built = model()
    expected = measure("test", built, *data)
    trainer = quiet_trainer(accelerator="cuda", devices=1)
    (found,) = trainer.test(built, batches(*data, size=8), verbose=False)
    assert found == pytest.approx(expected, rel=1e-4)
    assert list(own_folder.glob("figures/*.png"))
    trainer = fit(built, *data, accelerator="cuda", devices=1)
    assert trainer.callback_metrics["val/loss"].device.type == "cuda"


# Classification


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_by_hand_and_smoothed_in_training_only(smoothing: float) -> None:
    model, (x, y) = classifier(label_smoothing=smoothing), labelled(10)
    logits = model(x).detach().double().numpy()
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    plain = -log_p[np.arange(10), y].mean()
    smooth = (1 - smoothing) * plain - smoothing * log_p.mean()
    assert training_loss(model, x, y).item() == pytest.approx(smooth, rel=1e-5)
    assert measure("validate", model, x, y)["val/loss"] == pytest.approx(plain, rel=1e-5)
    assert measure("test", model, x, y)["test/loss"] == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("classes", [2, 10, 47])
def test_first_loss_is_that_of_a_guess(classes: int) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(20 * classes, 1, 8, 8), torch.arange(20 * classes) % classes
    model = Classification((1, 8, 8), classes, MLP)
    assert training_loss(model, x, y).item() == pytest.approx(math.log(classes), rel=0.05)


@pytest.mark.parametrize("net", [MLP, partial(CNN, width=8)], ids=["MLP", "CNN"])
def test_a_batch_of_digits_is_learnt_by_heart(net: Any) -> None:
    torch.manual_seed(0)
    data = Digits()
    data.setup("fit")
    x, y = (tensor[:64] for tensor in data.train_set.tensors)
    model = Classification((1, 8, 8), 10, net, lr=1e-2)
    fit(model, x, y, size=64, max_epochs=60, check_val_every_n_epoch=60)
    found = measure("validate", model, x, y)
    assert found["val/accuracy"] == 1 and found["val/loss"] < 0.01


@pytest.mark.parametrize("verb, stage", [("validate", "val"), ("test", "test")])
@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_classification_metrics_are_those_of_scikit_learn(
    verb: str, stage: str, top_k: int
) -> None:
    # Batches of 8, the last of 5: a mean over batches would be wrong.
    model, (x, y) = classifier(top_k=top_k), labelled(37)
    logits = model(x).detach().double().numpy()
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    top_k_accuracy = sklearn_metrics.top_k_accuracy_score
    expected = {
        "loss": sklearn_metrics.log_loss(y, p),
        "accuracy": sklearn_metrics.accuracy_score(y, p.argmax(1)),
        "top_k_accuracy": 1.0 if top_k == 4 else top_k_accuracy(y, p, k=top_k),
    }
    assert 0 < expected["accuracy"] < 1
    found = measure(verb, model, x, y)
    assert found == pytest.approx({f"{stage}/{k}": v for k, v in expected.items()}, rel=1e-5)


@pytest.mark.parametrize("classes, top_k", [(2, 2), (3, 3), (10, 3)])
def test_top_k_fits_the_number_of_classes(classes: int, top_k: int) -> None:
    model, data = classifier(classes), labelled(20, classes)
    assert model.top_k == top_k
    found = measure("test", model, *data)
    assert found["test/top_k_accuracy"] >= found["test/accuracy"] > 0
    if classes == top_k:
        assert found["test/top_k_accuracy"] == 1


@pytest.mark.parametrize(
    "options, message",
    [
        ({"top_k": 5}, "--model.top_k 5: choose 1 to 4"),
        ({"top_k": 0}, "--model.top_k 0: choose 1 to 4"),
        ({"label_smoothing": 1.0}, "--model.label_smoothing 1.0: choose 0 to below 1"),
        ({"label_smoothing": -0.1}, "--model.label_smoothing -0.1: "),
    ],
    ids=str,
)
def test_classification_refuses_options_out_of_range(options: Any, message: str) -> None:
    with pytest.raises(LabError, match=f"^{message}"):
        classifier(**options)


def sets(train: Tensor, test: Tensor) -> SimpleNamespace:
    """Data with these targets."""
    return SimpleNamespace(
        train_set=TensorSet(torch.zeros(len(train)), train),
        test_set=TensorSet(torch.zeros(len(test)), test),
    )


def test_baselines_of_classification_by_hand() -> None:
    # With one of each class added the prior is 4, 3, 1, 2 and 1 of 11; training lacks classes 2 and 4.
    data = sets(torch.tensor([0, 1, 0, 3, 1, 0]), torch.tensor([0, 2, 1, 0]))
    found = classifier(5, top_k=2).baselines(data)
    loss = -(2 * math.log(4 / 11) + math.log(3 / 11) + math.log(1 / 11)) / 4
    expected = {"test/loss": loss, "test/accuracy": 2 / 4, "test/top_k_accuracy": 3 / 4}
    assert found == pytest.approx(expected)


def test_baselines_have_the_names_of_the_test_metrics() -> None:
    x, y = labelled(10)
    assert set(classifier().baselines(sets(y, y))) == set(measure("test", classifier(), x, y))


def test_predictions_are_probabilities() -> None:
    model, (x, y) = classifier(), labelled(10)
    found = quiet_trainer().predict(model, batches(x, y))
    assert found is not None
    p = torch.cat(found)  # type: ignore[arg-type]
    assert [len(part) for part in found] == [4, 4, 2]
    torch.testing.assert_close(p.sum(1), torch.ones(10))
    torch.testing.assert_close(p, F.softmax(model(x), dim=1))


# Regression

SHAPES: list[tuple[int, ...]] = [(), (1,), (3,), (2, 3)]


def points(count: int, shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Targets whose numbers differ in mean and deviation."""
    generator = torch.Generator().manual_seed(seed)
    size = math.prod(shape)
    y = torch.randn(count, size, generator=generator) * torch.arange(1, size + 1)
    y += 10 * torch.arange(size)
    return torch.randn(count, 4, generator=generator), y.reshape(count, *shape)


def regressor(shape: tuple[int, ...], **options: Any) -> Regression:
    torch.manual_seed(0)
    return Regression((4,), shape, **{"net": START, **options})


@pytest.mark.parametrize("verb, stage", [("validate", "val"), ("test", "test")])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_regression_metrics_are_those_of_scikit_learn(
    verb: str, stage: str, shape: tuple[int, ...]
) -> None:
    model, (x, y) = regressor(shape), points(37, shape)
    assert model(x).shape == y.shape
    true, predicted = (v.detach().reshape(37, -1).double().numpy() for v in (y, model(x)))
    error = sklearn_metrics.mean_squared_error(true, predicted)
    r2 = sklearn_metrics.r2_score(true, predicted)
    expected = {"loss": error, "rmse": math.sqrt(error), "r2": r2}
    found = measure(verb, model, x, y)
    assert found == pytest.approx({f"{stage}/{k}": v for k, v in expected.items()}, rel=1e-4)
    assert training_loss(model, x, y).item() == pytest.approx(error, rel=1e-5)


def test_predictions_of_regression_have_the_shape_of_the_targets() -> None:
    for shape in SHAPES:
        model, (x, y) = regressor(shape), points(10, shape)
        found = quiet_trainer().predict(model, batches(x, y))
        assert found is not None
        torch.testing.assert_close(torch.cat(found), model(x))  # type: ignore[arg-type]
        assert sum(len(part) for part in found) == len(y)


def test_first_loss_of_a_small_output_is_the_second_moment() -> None:
    x, y = points(200, (1,))
    model = regressor((1,), net=partial(MLP, init="normal"))
    assert training_loss(model, x, y).item() == pytest.approx(y.square().mean().item(), rel=0.01)


def test_a_batch_of_numbers_is_learnt_by_heart() -> None:
    x, y = points(16, (2,))
    y = (y - y.mean(0)) / y.std(0)
    model = regressor((2,), net=MLP, lr=1e-2, schedule="cosine")
    fit(model, x, y, size=16, max_epochs=150, check_val_every_n_epoch=150)
    found = measure("validate", model, x, y)
    assert found["val/loss"] < 1e-4 and found["val/r2"] > 0.9999


@pytest.mark.parametrize("batch", [1, 4])
def test_one_sample_is_enough_for_the_metrics(batch: int) -> None:
    model = regressor((1,))
    found = measure("validate", model, torch.ones(1, 4), torch.ones(1, 1), size=batch)
    error = (model(torch.ones(1, 4)).item() - 1) ** 2
    assert found == pytest.approx({"val/loss": error, "val/rmse": math.sqrt(error), "val/r2": 0})
    zero = regressor((1,), net=Linear)
    found = measure("validate", zero, torch.ones(1, 4), torch.zeros(1, 1))
    assert found == {"val/loss": 0, "val/rmse": 0, "val/r2": 1}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_baselines_of_regression_by_hand(shape: tuple[int, ...]) -> None:
    _, train = points(30, shape)
    _, test = points(20, shape, seed=1)
    found = regressor(shape).baselines(sets(train, test))
    true = test.reshape(20, -1).double().numpy()
    guess = np.tile(train.reshape(30, -1).double().numpy().mean(0), (20, 1))
    error = sklearn_metrics.mean_squared_error(true, guess)
    r2 = sklearn_metrics.r2_score(true, guess)
    expected = {"test/loss": error, "test/rmse": math.sqrt(error), "test/r2": r2}
    assert found == pytest.approx(expected)
    assert found["test/r2"] <= 0


# R2


def test_r_squared_of_constant_targets_is_that_of_scikit_learn() -> None:
    error, spread = torch.tensor([0.0, 2.0, 3.0]), torch.tensor([0.0, 0.0, 4.0])
    assert r_squared(error, spread).item() == pytest.approx((1 + 0 + 1 / 4) / 3)


def moments(y: Tensor, predicted: Tensor) -> Tensor:
    mean = y.mean(0)
    sums = [(y - mean).square().sum(0), (y - predicted).square().sum(0)]
    return torch.stack([torch.full_like(mean, len(y)), mean, *sums])


def test_moments_of_parts_give_those_of_all() -> None:
    y, predicted = torch.randn(2, 20, 3, dtype=torch.float64).add(5)
    parts = [moments(y[a:b], predicted[a:b]) for a, b in [(0, 1), (1, 12), (12, 20)]]
    nothing = torch.zeros_like(parts[0])
    torch.testing.assert_close(merge(torch.stack([*parts, nothing])), moments(y, predicted))
    assert torch.equal(merge(torch.stack([nothing, nothing])), nothing)


def test_r2_keeps_its_digits_far_from_zero() -> None:
    y = torch.randn(1000, 1) + 10_000
    predicted = y + 0.5 * torch.randn(1000, 1)
    metric = R2(1)
    for part in range(0, 1000, 64):
        metric.update(predicted[part : part + 64], y[part : part + 64])
    expected = sklearn_metrics.r2_score(y.double(), predicted.double())
    assert metric.compute().item() == pytest.approx(expected, rel=1e-3)


def test_r2_counts_in_half_precision() -> None:
    y = torch.arange(301.0)[:, None] / 301
    metric = R2(1)
    metric.update((y + 0.25).bfloat16(), y.bfloat16())
    assert metric.moments[0].item() == 301
    expected = sklearn_metrics.r2_score(y, y + 0.25)
    assert metric.compute().item() == pytest.approx(expected, abs=0.02)


def test_r2_of_several_processes_is_that_of_all_samples() -> None:
    y, predicted = torch.randn(2, 21, 2)
    first, second = R2(2), R2(2)
    first.update(predicted[:5], y[:5])
    second.update(predicted[5:], y[5:])
    # As torchmetrics does it between processes.
    first.distributed_available_fn = lambda: True
    first.dist_sync_fn = lambda state, group: [state, second.moments]
    expected = sklearn_metrics.r2_score(y, predicted)
    assert first.compute().item() == pytest.approx(expected, rel=1e-5)
    assert first.moments[0, 0].item() == 5, "the process goes on with its own share"


def test_models_take_nets_from_outside() -> None:
    class Net(nn.Sequential):
        def __init__(self, shape: tuple[int, ...], outputs: int) -> None:
            super().__init__(nn.Flatten(), nn.Linear(math.prod(shape), outputs))

    assert Classification((2, 2), 3, Net)(torch.randn(5, 2, 2)).shape == (5, 3)
    assert Regression((2, 2), (3, 2), Net)(torch.randn(5, 2, 2)).shape == (5, 3, 2)
