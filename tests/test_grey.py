"""Grey levels: what the options `levels` and `binarise` do to images, and how models read them back."""

from pathlib import Path

import pytest
import torch
from data_files import put_all
from test_data import trainer
from torch import Tensor

from lab.data.base import LabData
from lab.data.cifar import CIFAR10
from lab.data.digits import Digits
from lab.data.emnist import EMNIST
from lab.data.grey import draw_bytes, quantise
from lab.data.mnist import KMNIST, MNIST, FashionMNIST
from lab.errors import LabError
from lab.models.pixels import Pixels, from_levels, to_levels

BYTES = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
BYTE_MODULES = [MNIST, FashionMNIST, KMNIST, EMNIST]


def unit(data: LabData, images: Tensor) -> Tensor:
    """Images of a set as shares of white, after the module's own transform."""
    batch = (images,) if data.batch_transform is None else data.batch_transform((images,))
    return Pixels(data.input_range).to_unit(batch[0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", BYTE_MODULES)
def test_bytes_are_cut_into_equal_parts(module: type) -> None:
    for levels in (2, 4, 8, 16):
        found = to_levels(unit(module(levels=levels), BYTES), levels).flatten()
        assert torch.equal(found, torch.arange(256) * levels // 256)
    assert torch.equal(to_levels(unit(module(), BYTES), 256).flatten(), torch.arange(256))


@pytest.mark.parametrize("module", [*BYTE_MODULES, CIFAR10])
def test_range_is_what_black_and_white_become(module: type) -> None:
    data = module()
    for byte, bound in zip((0, 255), data.input_range, strict=True):
        channels = data.input_shape[0]
        (image,) = data.batch_transform((torch.full((1, channels, 1, 1), byte).byte(),))
        torch.testing.assert_close(image.flatten(), torch.tensor(bound))


def test_digits_have_seventeen_levels_and_fewer_on_request() -> None:
    def pixels(levels: int) -> Tensor:
        data = Digits(levels=levels)
        data.setup("fit")
        return data.train_set.tensors[0]

    native = pixels(17) * 16
    assert torch.equal(native.unique(), torch.arange(17.0))
    assert torch.equal(pixels(2), (native >= 8).float())
    assert torch.equal(pixels(4) * 3, (native / 4).floor().clamp(max=3))


def test_quantising_twice_changes_nothing() -> None:
    values = torch.linspace(0, 1, 1001)
    for levels in (2, 3, 8, 17):
        once = quantise(values, levels)
        assert len(once.unique()) == levels
        assert torch.equal(to_levels(quantise(once, levels), levels), to_levels(once, levels))
        assert torch.equal(from_levels(to_levels(once, levels), levels), once)


def test_pixels_go_to_the_unit_and_back_by_channel() -> None:
    pixels = Pixels(((-1.0, 0.0), (1.0, 4.0)))
    x = torch.tensor([[-1.0, 0.0], [1.0, 4.0], [0.0, 1.0]]).view(3, 2, 1, 1)
    share = pixels.to_unit(x)
    assert share.flatten(1).tolist() == [[0, 0], [1, 1], [0.5, 0.25]]
    torch.testing.assert_close(pixels.from_unit(share), x)
    assert pixels.to_unit(x.double()).dtype == torch.double
    assert not pixels.state_dict()


def test_sampled_pixels_are_white_as_often_as_they_are_bright() -> None:
    grey = BYTES.expand(4000, -1, -1, -1)
    white = draw_bytes(grey, seed=1)
    assert white.unique().tolist() == [0, 255]
    assert torch.equal(white, draw_bytes(grey, seed=1))
    assert not torch.equal(white, draw_bytes(grey, seed=2))
    share = (white / 255).mean(0, keepdim=True)
    torch.testing.assert_close(share, BYTES / 255, atol=0.04, rtol=0)
    assert share.flatten()[[0, -1]].tolist() == [0, 1]


def test_sampled_images_are_fixed_but_for_training(monkeypatch: pytest.MonkeyPatch) -> None:
    put_all(monkeypatch, Path("tiny"), split="mnist")
    data, plain = MNIST(levels=2, binarise="sampled", augment=True), MNIST()
    for module in (data, plain):
        module.prepare_data()
        module.setup("fit")
    for part in ("val_set", "test_set"):
        drawn, grey = (getattr(module, part).tensors[0] for module in (data, plain))
        assert drawn.unique().tolist() == [0, 255]
        assert abs(drawn.float().mean() - grey.float().mean()) < 2
    data.trainer = trainer(training=True)
    torch.manual_seed(0)
    batch = data.train_set[0:50]
    first, second = (data.on_after_batch_transfer(batch, 0)[0] for _ in range(2))
    for images in (first, second):
        share = Pixels(data.input_range).to_unit(images)
        assert set(share.round(decimals=4).unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 1}, "--data.levels 1: choose 2 to 256"),
        ({"levels": 257}, "--data.levels 257"),
        ({"levels": 2, "binarise": "sample"}, "--data.binarise sample: .*\nNearest: sampled"),
        ({"binarise": "sampled"}, "add --data.levels 2"),
    ],
)
def test_wrong_levels_are_refused(options: dict, message: str) -> None:
    with pytest.raises(LabError, match=message):
        MNIST(**options)


def test_digits_have_no_more_levels_than_they_have() -> None:
    with pytest.raises(LabError, match="--data.levels 256: choose 2 to 17"):
        Digits(levels=256)
