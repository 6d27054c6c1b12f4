"""Next pixel: causality, probabilities that add up, sampling, baselines by hand, figures, and the script."""

import itertools
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from test_building import batches, fit, quiet_trainer
from test_models import Recorder
from test_script import Script, same, weights
from torch import Tensor, nn
from torch.nn import functional as F

from lab.data.base import TensorSet
from lab.data.digits import Digits
from lab.data.mnist import MNIST
from lab.errors import LabError
from lab.models import pixel_baselines
from lab.models.drawing import draw_pixels, whole_pass, without_lower_half
from lab.models.next_pixel import NextPixel
from lab.models.pixels import from_levels, to_levels
from lab.nets.grey import steps_reached
from lab.nets.made import MADE
from lab.nets.mlp import MLP
from lab.nets.pixel_cnn import PixelCNN
from lab.nets.pixel_transformer import PixelTransformer  # from week 4

UNIT = ((0.0,), (1.0,))
NETS: dict[str, Any] = {
    "MADE": partial(MADE, width=64),
    "PixelCNN": partial(PixelCNN, depth=2, width=8, kernel=5, first_kernel=5),
    "PixelTransformer": partial(PixelTransformer, depth=2, width=16, heads=2),  # from week 4
}
every_net = pytest.mark.parametrize("name", NETS)


def lively(name: str, shape: tuple[int, ...], levels: int) -> nn.Module:
    """A net in double precision with random weights throughout, none of them zero."""
    torch.manual_seed(0)
    net = NETS[name](shape, levels).double().eval()
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.5)
    return net


def greys(count: int, shape: tuple[int, ...] = (1, 4, 3), levels: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(levels, (count, *shape), generator=generator) / (levels - 1)


def model(net: Any = NETS["MADE"], levels: int = 3, **options: Any) -> NextPixel:
    torch.manual_seed(0)
    return NextPixel((1, 4, 3), UNIT, levels, net, **options)


class Always(nn.Module):
    """A net that thinks the same of every pixel."""

    def __init__(self, input_shape: Any, num_outputs: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.arange(float(num_outputs)))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.view(1, -1, 1, 1, 1).expand(len(x), -1, *x.shape[1:])


# Nets


@every_net
@pytest.mark.parametrize("levels", [2, 4])
def test_the_jacobian_is_zero_from_each_pixel_on_and_nowhere_before(name: str, levels: int) -> None:
    net, pixels = lively(name, (1, 4, 5), levels), 20
    reached = torch.zeros(pixels, pixels)
    # With several levels a pixel between two of them moves one step only.
    for seed in range(3):
        x = torch.rand(1, 1, 4, 5, generator=torch.Generator().manual_seed(seed)).double()
        jacobian: Any = torch.autograd.functional.jacobian(net, x)
        reached += jacobian.view(levels, pixels, pixels).abs().sum(0)
    before = torch.ones(pixels, pixels).tril(-1).bool()
    assert (reached[~before] == 0).all()
    assert (reached[before] > 0).all(), "a blind spot"


@every_net
def test_the_probabilities_of_all_small_images_add_up_to_one(name: str) -> None:
    net = lively(name, (1, 3, 3), 2)
    every = torch.tensor([*itertools.product([0.0, 1.0], repeat=9)]).double().view(512, 1, 3, 3)
    logs = -F.cross_entropy(net(every), every.long(), reduction="none").flatten(1).sum(1)
    assert len(logs.unique()) > 400
    assert logs.exp().sum().item() == pytest.approx(1, abs=1e-12)


@every_net
def test_steps_give_the_logits_of_a_whole_pass(name: str) -> None:
    net, x = lively(name, (1, 4, 5), 3), greys(2, (1, 4, 5)).double()
    whole = net(x).flatten(2)
    for first in (0, 7, 10):
        state = None
        for place in range(first, 20):
            step = getattr(net, "step", partial(whole_pass, net))
            logits, state = step(x, place, state)
            torch.testing.assert_close(logits, whole[:, :, place])


def test_a_level_is_shown_by_the_steps_it_has_taken() -> None:
    x = torch.tensor([0, 1 / 3, 1, 1 / 2]).view(1, 1, 2, 2)
    first, second, third = steps_reached(x, 4)[0].flatten(1)
    torch.testing.assert_close(first, torch.tensor([-1.0, 1, 1, 1]))
    torch.testing.assert_close(second, torch.tensor([-1.0, -1, 1, 0]))
    torch.testing.assert_close(third, torch.tensor([-1.0, -1, 1, -1]))
    torch.testing.assert_close(steps_reached(x, 2), 2 * x - 1)


def test_made_without_hidden_layers_is_masked_logistic_regression() -> None:
    net = MADE((1, 2, 3), 2, depth=0, zero_init=False)
    (weight, bias), x = (value.detach().numpy() for value in net.parameters()), greys(5, (1, 2, 3))
    shown, logits = 2 * x.flatten(1).numpy() - 1, net(x).detach().flatten(2).numpy()
    for level, pixel in itertools.product(range(2), range(6)):
        row = level * 6 + pixel
        expected = shown[:, :pixel] @ weight[row, :pixel] + bias[row]
        np.testing.assert_allclose(logits[:, level, pixel], expected, atol=1e-6)


def test_a_kernel_that_holds_what_may_be_seen_is_a_masked_kernel() -> None:
    net = PixelCNN((1, 6, 5), 2, depth=1, width=3, kernel=5)
    down, right, x = net.layers[0].vertical, net.layers[0].horizontal, torch.randn(2, 3, 6, 5)
    for layer, rows, columns in ((down, slice(0, 3), slice(0, 5)), (right, [2], slice(0, 3))):
        masked = torch.zeros(6, 3, 5, 5)
        masked[:, :, rows, columns] = layer.conv.weight.detach()
        torch.testing.assert_close(layer(x), F.conv2d(x, masked, layer.conv.bias, padding=2))


@pytest.mark.parametrize(
    ("net", "options", "message"),
    [
        (MADE, {"depth": -1}, "--model.net.depth -1"),
        (MADE, {"width": 0}, "--model.net.width 0"),
        (MADE, {"activation": "rleu"}, "--model.net.activation rleu"),
        (MADE, {"dropout": 1.0}, "--model.net.dropout 1.0"),
        (PixelCNN, {"depth": 0}, "--model.net.depth 0"),
        (PixelCNN, {"width": 0}, "--model.net.width 0"),
        (PixelCNN, {"kernel": 4}, "--model.net.kernel 4: choose an odd number"),
        (PixelCNN, {"first_kernel": 1}, "--model.net.first_kernel 1: choose an odd number"),
        (PixelCNN, {"dropout": -0.5}, "--model.net.dropout -0.5"),
        # >>> from week 4
        (PixelTransformer, {"depth": 0}, "--model.net.depth 0"),
        (PixelTransformer, {"width": 30}, "--model.net.width 30: choose a multiple of 8"),
        (PixelTransformer, {"dropout": 1.0}, "--model.net.dropout 1.0"),
        # <<< from week 4
    ],
)
def test_option_out_of_range_is_named(net: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        net((1, 8, 8), 2, **options)


@every_net
@pytest.mark.parametrize("shape", [(3, 8, 8), (8,)])
def test_other_data_than_grey_images_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"reads grey images \(1, H, W\)"):
        NETS[name](shape, 2)
    with pytest.raises(LabError, match="NextPixel reads grey images of one channel"):
        NextPixel(shape, UNIT, 2, NETS[name])


# Drawing


@every_net
def test_images_are_drawn_as_often_as_the_net_says(name: str) -> None:
    net, count = lively(name, (1, 1, 3), 2), 20_000
    every = torch.tensor([*itertools.product([0.0, 1.0], repeat=3)]).double().view(8, 1, 1, 3)
    nats = F.cross_entropy(net(every), every.long(), reduction="none").flatten(1).sum(1)
    chance = (-nats).exp().detach()
    generator = torch.Generator().manual_seed(0)
    start = torch.zeros(count, 1, 1, 3).double()
    drawn = draw_pixels(net, start, levels=2, generator=generator).view(count, 3)
    numbers = (drawn @ torch.tensor([4.0, 2, 1]).double()).long()
    found = torch.bincount(numbers, minlength=8) / count
    assert ((found - chance).abs() < 5 * (chance * (1 - chance) / count).sqrt()).all()


@every_net
def test_completions_keep_what_is_given_and_forget_the_rest(name: str) -> None:
    built, x = model(lambda shape, levels: lively(name, shape, levels).float()), greys(6)
    other = torch.cat([x[:, :, :2], 1 - x[:, :, 2:]], 2)
    state = torch.get_rng_state()
    first, second = (
        built.complete(images, torch.Generator().manual_seed(1)) for images in (x, other)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first[:, :, :2], x[:, :, :2]) and torch.equal(first, second)
    assert not torch.equal(first, x)
    assert set(first.unique().tolist()) == {0.0, 0.5, 1.0}
    assert torch.equal(without_lower_half(x)[:, :, 2:], torch.zeros(6, 1, 2, 3))


# Model


@every_net
def test_the_first_loss_is_that_of_a_guess_and_a_batch_is_learnt_by_heart(name: str) -> None:
    x, losses = greys(4), Recorder()
    # No net can tell apart what it has not seen yet, so the first pixel tells the image.
    x[:, 0, 0, 0] = 0.5
    x[1:3, 0, 0, 1], x[[0, 3], 0, 0, 1] = 0.0, 1.0
    x[1::2, 0, 0, 2], x[::2, 0, 0, 2] = 0.0, 1.0
    options: dict[str, Any] = {"log_every_n_steps": 1, "limit_val_batches": 0}
    built = model(NETS[name], lr=1e-2)
    # The same batch of four, two hundred times.
    fit(built, x.repeat(200, 1, 1, 1), torch.zeros(800), logger=losses, **options)
    values = list(losses.values("train/loss").values())
    assert values[0] == pytest.approx(math.log(3), abs=0.1)
    # Two pixels are a toss of a coin each; the other ten are known.
    assert values[-1] < 2 * math.log(2) / 12 + 0.03


def test_the_loss_is_the_mean_over_all_pixels() -> None:
    x = greys(7)
    (found,) = quiet_trainer().test(model(Always), batches(x, torch.zeros(7)), verbose=False)
    expected = F.cross_entropy(torch.arange(3.0).expand(84, -1), (2 * x).long().flatten()).item()
    assert found["test/loss"] == pytest.approx(expected, rel=1e-5)
    assert found["test/bits_per_pixel"] == pytest.approx(expected / math.log(2), rel=1e-5)
    assert found["test/nats_per_image"] == pytest.approx(expected * 12, rel=1e-5)
    assert set(found) == {"test/loss", "test/bits_per_pixel", "test/nats_per_image"}


def test_the_net_sees_levels_whatever_the_range_of_the_data() -> None:
    built = NextPixel((1, 4, 3), ((-0.4,), (2.8,)), 3, NETS["MADE"])
    x = greys(5)
    torch.testing.assert_close(built.exact(3.2 * x - 0.4), x)
    # Augmentation leaves greys between the levels.
    torch.testing.assert_close(built.exact(3.2 * (x * 0.9 + 0.04) - 0.4), x)


def test_a_net_of_another_kind_is_told(script: Script) -> None:
    wrong = script("--model", "NextPixel", "--model.net", "MLP")
    assert wrong.code != 0 and len(wrong.err.splitlines()) <= 6
    assert "MLP gives (17,) for an image" in wrong.err and "Choose MADE, PixelCNN" in wrong.err
    with pytest.raises(LabError, match="MLP gives"):
        model(MLP)(greys(2))


# Baselines


def set_of(*parts: Tensor) -> Any:
    class Data:
        batch_transform = None
        train_set, test_set = (TensorSet(part, torch.zeros(len(part))) for part in parts)

    return Data()


def test_baselines_by_hand() -> None:
    train, test = greys(9), greys(5, seed=1)
    found = model().baselines(set_of(train, test))
    numbers, asked = ((2 * part).long().flatten(1).tolist() for part in (train, test))
    alone, follows = 0.0, 0.0
    for image in asked:
        for place, level in enumerate(image):
            same_place = [row[place] for row in numbers]
            alone -= math.log((same_place.count(level) + 1) / (9 + 3))
            before = image[place - 1] if place else None
            pairs = [
                (row[spot - 1] if spot else None, row[spot])
                for row in numbers
                for spot in range(12)
            ]
            total = sum(first == before for first, _ in pairs)
            follows -= math.log((pairs.count((before, level)) + 1) / (total + 3))
    for name, nats in (("independent", alone), ("previous", follows)):
        row = found[name]
        assert row["test/loss"] == pytest.approx(nats / 60)
        assert row["test/bits_per_pixel"] == pytest.approx(nats / 60 / math.log(2))
        assert row["test/nats_per_image"] == pytest.approx(nats / 5)


def test_greys_count_as_the_draws_from_them_do_on_average() -> None:
    unit = torch.rand(2, 6, generator=torch.Generator().manual_seed(0))
    unit[0, :2] = torch.tensor([0.0, 1.0])
    draws = (torch.rand(40_000, 2, 6, generator=torch.Generator().manual_seed(1)) < unit).float()
    alone = pixel_baselines.independent_counts([unit], 2, 6) - 1
    pairs = pixel_baselines.previous_counts([unit], 2) - 1
    many = draws.view(-1, 6)
    drawn = (pixel_baselines.independent_counts([many], 2, 6) - 1) / 40_000
    torch.testing.assert_close(alone, drawn, atol=0.02, rtol=0)
    drawn = (pixel_baselines.previous_counts([many], 2) - 1) / 40_000
    torch.testing.assert_close(pairs, drawn, atol=0.03, rtol=0)
    assert alone.sum().item() == pytest.approx(12) and pairs.sum().item() == pytest.approx(12)


def test_levels_count_whole_in_any_range(image_files: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("LAB_DATA_DIR", str(image_files))
    data = MNIST(levels=8)
    data.setup("fit")
    built = NextPixel(data.input_shape, data.input_range, 8, NETS["MADE"])
    table = pixel_baselines.independent_counts(built.units(data, data.val_set), 8, 784) - 1
    assert torch.equal(table, table.round()) and (table.sum(1) == len(data.val_set)).all()


def test_digits_are_told_best_by_the_pixel_itself() -> None:
    data = Digits(levels=2)
    data.setup("fit")
    found = NextPixel(data.input_shape, data.input_range, 2, NETS["MADE"]).baselines(data)
    bits = {name: row["test/bits_per_pixel"] for name, row in found.items()}
    assert 0.5 < bits["independent"] < bits["previous"] < 1


# Figures


class Reader(Recorder):
    """A logger that takes images, as that of W&B does."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []

    def log_image(self, key: str, images: list[str]) -> None:
        self.keys.append(key)


def test_samples_are_drawn_at_doubling_epochs_and_change_nothing() -> None:
    x, reader, states = greys(8), Reader(), []
    for drawing in (True, False):
        built = model()
        if not drawing:
            built.configure_callbacks = lambda: []  # type: ignore[method-assign]
        fit(built, x, torch.zeros(8), max_epochs=5, logger=reader)
        states.append(built.state_dict())
    assert same(*states)
    assert reader.keys == 3 * ["figures/samples"]


def test_the_test_draws_samples_and_completions(own_folder: Path) -> None:
    quiet_trainer().test(model(), batches(greys(12), torch.zeros(12), size=12), verbose=False)
    for name in ("samples", "completions"):
        pixels = imread(own_folder / "figures" / f"{name}.png")
        assert len(np.unique(pixels)) > 10 and min(pixels.shape[:2]) > 300


# The script

SMALL = ["--model", "NextPixel", "--data.levels", "2", "--trainer.enable_progress_bar", "false"]


@pytest.mark.slow
def test_a_run_is_resumed_and_predicts_completions(script: Script) -> None:
    words = [*SMALL, "--model.net.width", "16", "--model.net.dropout", "0.2"]
    words += ["--trainer.limit_train_batches", "3", "--data.augment", "true"]
    words += ["--trainer.limit_test_batches", "1", "--data.batch_size", "50"]
    whole = script(*words, "--trainer.max_epochs", "2")
    part = script(*words, "--trainer.max_epochs", "1")
    more = script("--resume", part.folder, "--trainer.max_epochs", "2", "--run_dir", part.folder)
    assert more.code == 0, more.err
    assert same(weights(whole.folder), weights(part.folder))
    head, *_ = [line for line in whole.out.splitlines() if line.startswith("metric")]
    assert head.split()[2:] == ["independent", "previous"]
    best = whole.folder / "checkpoints/best.ckpt"
    told = script("predict", "--ckpt_path", best)
    assert told.code == 0, told.err
    images = torch.load(told.folder / "predictions.pt", weights_only=True)
    data = Digits(levels=2)
    data.setup("fit")
    assert images.shape == (360, 1, 8, 8)
    assert torch.equal(images[:, :, :4], data.test_set.tensors[0][:, :, :4])
    assert torch.equal(images, from_levels(to_levels(images, 2), 2))


def test_data_without_levels_are_told_apart(script: Script) -> None:
    wrong = script("--data", "Curve", "--model", "NextPixel")
    assert wrong.code == 2 and "does not fit --model NextPixel: it states no " in wrong.err


@pytest.mark.slow
def test_binarised_digits_are_told_better_than_by_logistic_regression(script: Script) -> None:
    outcome = script("-c", "pixels_digits", "--trainer.enable_progress_bar", "false")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/bits_per_pixel"] < 0.39
