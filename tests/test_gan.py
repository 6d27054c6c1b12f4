"""GAN: its losses and measures against torch, closed forms and cases by hand; training, resume, figures."""

import json
import math
import os
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from scipy.linalg import sqrtm
from test_figures import assert_shows_something
from test_reproducible import RUN, environment
from test_script import Script, weights
from torch import nn
from torch.nn import functional as F

from lab.data.base import LabData, TensorSet
from lab.data.digits import Digits
from lab.data.gaussians import Gaussians
from lab.errors import LabError
from lab.figures.gan import MOST, SamplesOverTime
from lab.models import adversarial, sample_quality
from lab.models.gan import GAN
from lab.models.judge import ImageQuality, Judge, baseline_samples, unit_samples
from lab.models.pixels import Pixels
from lab.nets.dcgan import DCGANDiscriminator, DCGANGenerator
from lab.nets.mlp import MLP
from lab.run.metrics_file import read_rows

UNDECIDED = 2 * math.log(2)
SMALL = partial(MLP, depth=1, width=16)
QUICK = (
    "--trainer.max_epochs",
    "2",
    "--trainer.log_every_n_steps",
    "2",
    "--data.points",
    "500",
    "--model.num_samples",
    "200",
)
RING = ("--model", "GAN", *QUICK)
BOUNDS = ((0.0,), (1.0,))


def gan(*, shape: tuple[int, ...] = (2,), bounds: Any = None, **options: Any) -> GAN:
    torch.manual_seed(0)
    nets = {"generator": SMALL, "discriminator": SMALL}
    return GAN(shape, bounds, 10 if bounds else 8, **{**nets, **options})


class Few(LabData):
    """The same few points for training, validation and test."""

    centres, std = torch.tensor([[1.0, -1.0]]), 0.1

    def __init__(self, points: torch.Tensor) -> None:
        super().__init__(batch_size=len(points))
        labels = torch.zeros(len(points)).long()
        self.train_set = self.val_set = self.test_set = TensorSet(points, labels)


def fit(model: GAN, data: LabData, *, epochs: int, **options: Any) -> pl.Trainer:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        **options,
    )
    trainer.fit(model, data)
    return trainer


# Data


@pytest.mark.parametrize(("layout", "modes"), [("ring", 8), ("grid", 25), ("single", 1)])
def test_points_lie_around_the_stated_centres(layout: str, modes: int) -> None:
    data = Gaussians(layout=layout, points=20_000)
    data.setup("fit")
    points, labels = data.train_set.tensors
    assert data.num_classes == modes == len(data.class_names) and data.centres.shape == (modes, 2)
    for mode in range(modes):
        cloud = points[labels == mode]
        assert len(cloud) == pytest.approx(20_000 / modes, rel=0.2)
        error = data.std / math.sqrt(len(cloud))
        assert ((cloud.mean(0) - data.centres[mode]).abs() < 5 * error).all()
        assert cloud.std(0).tolist() == pytest.approx([data.std] * 2, rel=0.12)


def test_layouts_are_those_of_the_literature() -> None:
    ring = Gaussians(modes=4).centres
    expected = torch.tensor([[2.0, 0], [0, 2], [-2, 0], [0, -2]])
    torch.testing.assert_close(ring, expected, atol=1e-6, rtol=0)
    grid = Gaussians(layout="grid").centres
    assert {tuple(row) for row in grid.tolist()} == {
        (x, y) for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)
    }
    scattered = Gaussians(layout="scattered", modes=30, std=0.2).centres
    assert torch.pdist(scattered).min() >= 5 * 0.2
    assert torch.equal(scattered, Gaussians(layout="scattered", modes=30, std=0.2).centres)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "rign"}, "--data.layout rign: no such layout.\nNearest: ring"),
        ({"modes": 0}, "--data.modes 0: choose 1 or more"),
        ({"layout": "grid", "modes": 8}, "--data.modes 8: a grid has 1, 4, 9"),
        ({"layout": "single", "modes": 2}, "--data.modes 2: a single Gaussian is 1"),
        ({"std": 0.0}, "--data.std must be above 0"),
        ({"points": 0}, "--data.points at least 1"),
    ],
)
def test_points_refuse(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError) as caught:
        Gaussians(**options)
    assert message in str(caught.value)


# Losses


def test_losses_are_cross_entropies() -> None:
    real, fake = torch.randn(7), torch.randn(7)
    entropy = F.binary_cross_entropy_with_logits
    found = adversarial.loss_on_data("non_saturating", real)
    torch.testing.assert_close(found, entropy(real, torch.ones(7)))
    found = adversarial.loss_on_samples("non_saturating", fake)
    torch.testing.assert_close(found, entropy(fake, torch.zeros(7)))
    found = adversarial.generator_loss("non_saturating", fake)
    torch.testing.assert_close(found, entropy(fake, torch.ones(7)))


def test_hinge_losses_by_hand() -> None:
    logits = torch.tensor([-2.0, 0.5, 3.0])
    assert adversarial.loss_on_data("hinge", logits).item() == pytest.approx((3 + 0.5 + 0) / 3)
    assert adversarial.loss_on_samples("hinge", logits).item() == pytest.approx((0 + 1.5 + 4) / 3)
    assert adversarial.generator_loss("hinge", logits).item() == pytest.approx(-1.5 / 3)


def test_penalty_of_a_linear_discriminator_is_its_squared_slope() -> None:
    net, x = nn.Linear(12, 1), torch.randn(5, 3, 4, requires_grad=True)
    penalty = adversarial.gradient_penalty(net(x.flatten(1)).flatten(), x)
    torch.testing.assert_close(penalty, net.weight.square().sum())
    (slope,) = torch.autograd.grad(penalty, net.weight)
    torch.testing.assert_close(slope, 2 * net.weight)


def test_average_follows_the_net_with_its_statistics() -> None:
    net, average = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    net(torch.randn(10, 2))
    nn.init.constant_(net.weight, 3.0)
    adversarial.update_average(average, net, 0.75, 1_000)
    assert average.weight.tolist() == [1.5, 1.5]
    torch.testing.assert_close(average.running_mean, 0.25 * net.running_mean)
    assert average.num_batches_tracked == 1
    # In the first steps the past counts less.
    adversarial.update_average(average, net, 0.75, 0)
    torch.testing.assert_close(average.weight, torch.full((2,), 0.1 * 1.5 + 0.9 * 3))


# Measures


def test_frechet_distance_agrees_with_scipy() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(50, 4) @ torch.randn(4, 4), torch.randn(60, 4) + 1
    first, second = np.cov(x.T.numpy()), np.cov(y.T.numpy())
    expected = (x.mean(0) - y.mean(0)).square().sum().item()
    expected += np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert sample_quality.frechet_distance(x, y) == pytest.approx(expected, rel=1e-5)
    assert sample_quality.frechet_distance(x, x) == pytest.approx(0, abs=1e-5)
    moved = x + torch.tensor([3.0, 0, 0, 4])
    assert sample_quality.frechet_distance(x, moved) == pytest.approx(25, rel=1e-4)


def test_energy_distance_by_hand() -> None:
    x, y = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [5.0]])
    # Across 1, 5, 1, 3; within 2 and 4.
    assert sample_quality.energy_distance(x, y) == pytest.approx(2 * 2.5 - 2 - 4)
    cloud = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    other = torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
    assert abs(sample_quality.energy_distance(cloud, other)) < 0.02
    assert sample_quality.energy_distance(cloud, other + 1) > 0.3


def test_moment_errors_by_hand() -> None:
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    spread = torch.cov(x.T)
    found = sample_quality.moment_errors(2 * (x - x.mean(0)), x - x.mean(0) + 1)
    assert found["mean_error"] == pytest.approx(math.sqrt(2 / spread.trace()), rel=1e-4)
    assert found["covariance_error"] == pytest.approx(3.0, rel=1e-4)


def test_modes_need_their_share_of_near_points() -> None:
    centres = torch.tensor([[0.0, 0], [10, 0]])
    near, far = torch.tensor([0.29, 0.0]), torch.tensor([0.31, 0.0])
    points = torch.stack([near] * 12 + [far] * 5 + [centres[1] - near] * 3)
    found = sample_quality.mode_scores(points, centres, 0.1)
    # Of 20 points an even share is 10 and a quarter of it 2.5.
    assert found == {"modes": 2.0, "high_quality": 0.75}
    assert sample_quality.mode_scores(points[:18], centres, 0.1)["modes"] == 1


def test_verdict_by_hand() -> None:
    sure, unsure = [0.95, 0.05, 0.0], [0.5, 0.5, 0.0]
    found = sample_quality.verdict(torch.tensor([sure] * 3 + [unsure, [0.0, 0.05, 0.95]]))
    assert found["confident"] == pytest.approx(0.8) and found["classes"] == 2
    mean = [(3 * 0.95 + 0.5) / 5, (3 * 0.05 + 0.5 + 0.05) / 5, 0.95 / 5]
    assert found["entropy"] == pytest.approx(-sum(p * math.log(p) for p in mean), rel=1e-5)


def test_gaussian_baseline_has_the_moments_of_the_data() -> None:
    torch.manual_seed(0)
    train = torch.randn(400, 3) @ torch.randn(3, 3) + 2
    found = baseline_samples(train, train[:50], 20_000, bounded=False)
    errors = sample_quality.moment_errors(found["gaussian"], train)
    assert max(errors.values()) < 0.05
    assert len(found["real data"]) == 50


# The judge


@pytest.fixture(scope="module")
def judged() -> tuple[ImageQuality, Digits]:
    data, quality = Digits(), ImageQuality((1, 8, 8), 10)
    data.setup("fit")
    quality.prepare(data, Pixels(BOUNDS))
    return quality, data


def test_judge_knows_the_digits_and_is_the_same_for_every_seed(judged: Any) -> None:
    quality, data = judged
    images, labels = data.val_set.tensors
    features, probabilities = quality.judge(images)
    assert features.shape == (237, 64)
    assert (probabilities.argmax(1) == labels).float().mean() > 0.95
    torch.manual_seed(5)
    fresh = Judge((1, 8, 8), 10, steps=3)
    state = torch.get_rng_state()
    fresh.fit(*data.train_set.tensors)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    again = Judge((1, 8, 8), 10, steps=3)
    again.fit(*data.train_set.tensors)
    for key, value in again.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[key])
    assert not any(weight.requires_grad for weight in fresh.parameters())


def test_judge_learns_once(judged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quality, data = judged
    monkeypatch.setattr(quality.judge, "fit", None)
    quality.prepare(data, Pixels(BOUNDS))


def test_real_images_are_near_and_noise_is_far(judged: Any) -> None:
    quality, data = judged
    sets = (data.train_set, data.val_set, data.test_set)
    train, val, test = (unit_samples(data, part, Pixels(BOUNDS)) for part in sets)
    real = quality.features(test)
    found = {
        name: quality.scores(x, real)
        for name, x in baseline_samples(train, val, 500, bounded=True).items()
    }
    assert found["real data"]["distance"] < found["gaussian"]["distance"] / 3
    assert found["real data"]["confident"] > 0.9 > found["gaussian"]["confident"]
    assert found["real data"]["classes"] == 10
    assert found["real data"]["entropy"] == pytest.approx(math.log(10), abs=0.02)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 9, 7)])
def test_judge_reads_images_of_any_size(shape: tuple[int, ...]) -> None:
    features, probabilities = Judge(shape, 3)(torch.rand(2, *shape))
    assert features.shape == (2, 64)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2))


def test_images_without_labels_have_a_distance_and_no_verdict() -> None:
    quality = ImageQuality((1, 28, 28), None)
    quality.prepare(None, Pixels(BOUNDS))
    images = torch.rand(100, 1, 28, 28)
    features = quality.features(images)
    assert features.shape == (100, 64)
    assert quality.scores(images, features) == {"distance": pytest.approx(0, abs=1e-6)}


# Training


def test_first_loss_is_that_of_a_guess() -> None:
    undecided = partial(MLP, init="zeros")
    model, losses = gan(discriminator=undecided), []
    step = model.step_discriminator
    model.step_discriminator = lambda *batch: losses.append(step(*batch)) or losses[-1]
    fit(model, Few(torch.randn(64, 2)), epochs=1)
    assert losses[0].item() == pytest.approx(UNDECIDED, abs=1e-6)


@pytest.mark.parametrize("objective", ["non_saturating", "hinge"])
def test_generator_memorises_a_point(objective: str) -> None:
    """The batch is one point, again and again: all samples end up there."""
    model = gan(objective=objective, penalty=1.0, lr=5e-3)
    fit(model, Few(torch.tensor([[1.0, -1.0]]).repeat(32, 1)), epochs=600)
    samples = model.eval()(model.noise(100, 1))
    assert (samples - torch.tensor([1.0, -1.0])).norm(dim=1).mean() < 0.1


def test_discriminator_memorises_a_batch_against_fixed_samples() -> None:
    torch.manual_seed(0)
    real = torch.randn(16, 2)
    model, losses = gan(penalty=0.0, lr=1e-2), []
    # The generator stands still, so the samples keep their distribution.
    model.step_generator = lambda loss: model.optimizers()[0].step()
    for weight in model.generator.parameters():
        nn.init.zeros_(weight)
    step = model.step_discriminator
    model.step_discriminator = lambda *batch: losses.append(step(*batch)) or losses[-1]
    fit(model, Few(real), epochs=500)
    assert losses[0] > 1 and losses[-1] < 0.1


def test_a_step_is_that_of_a_loop_by_hand() -> None:
    points = torch.randn(8, 2, generator=torch.Generator().manual_seed(3))
    model = gan(optimizer=torch.optim.SGD, lr=0.1, discriminator_lr=0.2, decay=0.5)
    draw, judge = (gan().generator, gan().discriminator)
    torch.manual_seed(9)
    noise = torch.randn(8, 2)
    fake, real = draw(noise), points.clone().requires_grad_()
    logits, other = judge(real).flatten(), judge(fake.detach()).flatten()
    (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    loss = -F.logsigmoid(logits).mean() - F.logsigmoid(-other).mean()
    (loss + 0.05 * slope.square().sum(1).mean()).backward()
    torch.optim.SGD(judge.parameters(), 0.2).step()
    (-F.logsigmoid(judge(fake).flatten()).mean()).backward()
    before = [weight.detach().clone() for weight in draw.parameters()]
    torch.optim.SGD(draw.parameters(), 0.1).step()

    class Seed(pl.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            torch.manual_seed(9)

    points_in_order = Few(points)
    points_in_order.train_dataloader = points_in_order.val_dataloader  # type: ignore[method-assign]
    trainer = fit(model, points_in_order, epochs=1, callbacks=[Seed()])
    assert trainer.global_step == 1
    for ours, expected in ((model.generator, draw), (model.discriminator, judge)):
        for value, other in zip(ours.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(value, other)
    share = 1 - 2 / 11
    for mean, old, new in zip(model.average.parameters(), before, draw.parameters(), strict=True):
        torch.testing.assert_close(mean, old + share * (new - old))


def test_learning_rates_follow_the_schedule() -> None:
    model = gan(schedule="cosine", lr=1e-2, discriminator_lr=1e-3)
    trainer = fit(model, Few(torch.randn(8, 2)), epochs=4)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
    assert rates == pytest.approx([0, 0], abs=1e-9)


def test_samples_lie_in_the_range_of_the_data() -> None:
    model = gan(shape=(1, 8, 8), bounds=((-0.5,), (2.5,))).eval()
    nn.init.constant_(model.average[0].output.bias, 100.0)
    assert torch.equal(model(model.noise(3, 0)), torch.ones(3, 1, 8, 8))
    predicted = model.predict_step((torch.zeros(5, 1, 8, 8),), 0)
    torch.testing.assert_close(predicted, torch.full((5, 1, 8, 8), 2.5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "hing"}, "--model.objective hing: no such objective.\nNearest: hinge"),
        ({"latent_dim": 0}, "--model.latent_dim 0"),
        ({"penalty": -1.0}, "--model.penalty -1.0"),
        ({"decay": 1.0}, "--model.decay 1.0"),
        ({"num_samples": 1}, "--model.num_samples 1"),
        ({"discriminator_lr": 0.0}, "--model.lr 0.0"),
        ({"generator": partial(MLP, width=0)}, "--model.generator.width 0"),
        ({"discriminator": partial(MLP, width=0)}, "--model.discriminator.width 0"),
        ({"generator": DCGANGenerator}, "the data have shape (2,): use MLP"),
    ],
)
def test_option_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError) as caught:
        gan(**options)
    assert message in str(caught.value)


def test_convolutional_nets_refuse_sizes_they_cannot_halve() -> None:
    for build in (
        lambda **options: DCGANGenerator((2,), (1, 28, 28), **options),
        lambda **options: DCGANDiscriminator((1, 28, 28), 1, **options),
    ):
        build(width=2)
        with pytest.raises(ValueError, match="depth 3: 28x28 images can't be halved so often"):
            build(depth=3)
        with pytest.raises(ValueError, match="--model.net.width 0"):
            build(width=0)
    with pytest.raises(ValueError, match="--model.net.norm bach"):
        DCGANDiscriminator((1, 8, 8), 1, norm="bach")


@pytest.mark.parametrize("size", [8, 28, 32])
def test_convolutional_nets_fit_together(size: int) -> None:
    nets = {"generator": DCGANGenerator, "discriminator": DCGANDiscriminator}
    small = {name: partial(net, width=4) for name, net in nets.items()}
    model = gan(shape=(1, size, size), bounds=BOUNDS, **small).eval()
    assert model(model.noise(2, 0)).shape == (2, 1, size, size)


# By the script


def test_script_trains_measures_draws_and_samples(script: Script) -> None:
    done = script(*RING)
    assert done.code == 0, done.err
    names = ("distance", "modes", "high_quality", "mean_error", "covariance_error")
    for name in names:
        assert {f"test/{name}", f"baseline/gaussian/test/{name}"} <= set(done.summary)
    assert done.summary["baseline/real data/test/modes"] == 8
    # 500 points in batches of 128 are 4 steps: those of the discriminator do not count.
    assert done.summary["steps"] == 2 * 4
    rows = read_rows(done.folder / "metrics.csv")
    assert any("train/discriminator_loss" in row for row in rows)
    figures = done.folder / "figures"
    assert_shows_something(figures / "samples_over_time.png")
    with Image.open(figures / "samples_over_time.gif") as picture:
        assert picture.n_frames == 2
    checkpoint = done.folder / "checkpoints" / "best.ckpt"
    made = script("predict", "--ckpt_path", checkpoint)
    samples = torch.load(made.folder / "predictions.pt")
    assert samples.shape == (2000, 2) and len(samples.unique(dim=0)) == 2000
    tested = script("test", "--ckpt_path", checkpoint)
    assert tested.summary["test/distance"] == done.summary["test/distance"]


def test_script_on_images_keeps_its_judge(script: Script) -> None:
    words = ("--data", "Digits", "--trainer.max_epochs", "1", "--model.num_samples", "100")
    done = script("--model", "GAN", *words)
    assert done.code == 0, done.err
    assert {"test/confident", "test/classes", "test/entropy"} <= set(done.summary)
    assert bool(weights(done.folder, "best")["quality.judge.trained"])
    assert_shows_something(done.folder / "figures" / "samples_over_time.png", least=100)


@pytest.mark.parametrize("option", ["gradient_clip_val", "accumulate_grad_batches"])
def test_trainer_options_that_do_not_fit_are_refused(script: Script, option: str) -> None:
    refused = script(*RING, f"--trainer.{option}", "2")
    assert refused.code == 1
    assert f"error: --trainer.{option} is not for a GAN" in refused.err
    assert len(refused.err.splitlines()) <= 6


@pytest.mark.slow
def test_resumed_run_is_the_same(script: Script) -> None:
    whole = script(*RING, "--trainer.max_epochs", "4", "--run_dir", "whole")
    assert whole.code == 0, whole.err
    script(*RING, "--run_dir", "parts")
    again = script("--resume", "parts", "--trainer.max_epochs", "4", "--run_dir", "parts")
    assert again.code == 0, again.err
    first, second = weights(Path("whole"), "last"), weights(Path("parts"), "last")
    assert all(torch.equal(first[key], second[key]) for key in first)
    gifs = [Path(name, "figures", "samples_over_time.gif") for name in ("whole", "parts")]
    assert gifs[0].read_bytes() == gifs[1].read_bytes()
    rows = [
        [
            {k: v for k, v in row.items() if k[:4] != "test"}
            for row in read_rows(Path(n, "metrics.csv"))
        ]
        for n in ("whole", "parts")
    ]
    steps = [[row["step"] for row in part] for part in rows]
    assert len(set(steps[1])) == len(steps[1])


def test_frames_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Trainer:
        sanity_checking, global_step = False, 0

    figure, trainer = SamplesOverTime(), Trainer()
    monkeypatch.setattr(figure, "frame", lambda module: torch.zeros(2, 2))
    for step in range(5 * MOST):
        trainer.global_step = step
        figure.on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert MOST / 2 <= len(figure.frames) <= MOST
    assert set(np.diff(figure.steps)) == {figure.stride}
    other = SamplesOverTime()
    other.load_state_dict(figure.state_dict())
    assert other.steps == figure.steps and len(other.frames) == len(figure.frames)


# What the problem type promises


@pytest.mark.slow
def test_all_modes_of_the_ring_are_covered(script: Script) -> None:
    done = script("-c", "gan_ring", "--trainer.max_epochs", "12")
    assert done.code == 0, done.err
    assert done.summary["test/modes"] == 8
    assert done.summary["baseline/gaussian/test/modes"] == 0


@pytest.mark.slow
def test_discriminator_of_one_gaussian_ends_undecided(script: Script) -> None:
    done = script("-c", "gan_gaussian", "--trainer.max_epochs", "12")
    assert done.code == 0, done.err
    rows = read_rows(done.folder / "metrics.csv")
    losses = [float(row["val/discriminator_loss"]) for row in rows if row["val/discriminator_loss"]]
    assert np.mean(losses[-4:]) == pytest.approx(UNDECIDED, abs=0.05)
    assert done.summary["test/mean_error"] < 0.1


@pytest.mark.slow
def test_two_processes_stay_together_or_are_told_how() -> None:
    words = [*RUN, *RING, "--trainer.accelerator", "cpu", "--trainer.devices", "2"]
    refused = subprocess.run(
        [*words, "--trainer.strategy", "ddp"], capture_output=True, text=True, env=environment()
    )
    assert refused.returncode and "ddp_find_unused_parameters_true" in refused.stderr
    Path("twins.py").write_text(
        "import json, os, pytorch_lightning as pl, torch\n"
        "class Note(pl.Callback):\n"
        "    def on_train_end(self, trainer, module):\n"
        "        kept = {k: v.double().sum().item() for k, v in module.named_parameters()}\n"
        "        open(f'rank{trainer.global_rank}.json', 'w').write(json.dumps(kept))\n"
    )
    words += ["--trainer.strategy", "ddp_find_unused_parameters_true", "--run_dir", "two"]
    words += ["--trainer.callbacks+=twins.Note"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(Path(f"rank{rank}.json").read_text()) for rank in range(2))
    assert first == second
    started = gan(generator=MLP, discriminator=MLP)
    assert len(first) == len(dict(started.named_parameters()))
    assert os.path.isfile("two/figures/samples_over_time.png")
