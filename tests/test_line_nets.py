"""Nets for lines of writing: frames, padding, any width, exports, options out of range."""
# from week 3

from collections.abc import Callable
from typing import Any

import pytest
import torch
from net_rows import OUTPUTS
from torch import Tensor, nn

from lab.nets.line_cnn import LineCNN
from lab.nets.line_cnn_lstm import LineCNNLSTM, backwards
from lab.nets.sliding_cnn import SlidingCNN

SMALL = {"width": 4, "features": 12}
NETS: dict[str, tuple[Callable[..., nn.Module], dict[str, Any]]] = {
    "LineCNN": (LineCNN, {**SMALL, "depth": 2}),
    "LineCNN stride 1": (LineCNN, {**SMALL, "stride": 1, "kernel": 3}),
    "LineCNN stride 2": (LineCNN, {**SMALL, "stride": 2}),
    "LineCNN stride 8": (LineCNN, {**SMALL, "stride": 8}),
    "LineCNNLSTM": (LineCNNLSTM, {**SMALL, "lstm_depth": 2, "lstm_width": 6}),
    "SlidingCNN": (SlidingCNN, {"width": 4, "window": 11, "stride": 4}),
}
every_net = pytest.mark.parametrize("name", NETS)
HEIGHT = 20


def lines(*widths: int, wide: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random images of these widths in a batch that is `wide`, and their sizes."""
    images = torch.rand(len(widths), 1, HEIGHT, wide, generator=torch.Generator().manual_seed(seed))
    sizes = torch.tensor([[HEIGHT, width] for width in widths])
    columns = torch.arange(wide) < sizes[:, 1:]
    return images * columns[:, None, None], sizes


def used(name: str) -> Any:
    """A net whose running statistics are not those of a new one, in evaluation."""
    torch.manual_seed(0)
    net, options = NETS[name]
    built = net((1, HEIGHT, 64), OUTPUTS, **options)
    for seed in range(3):
        built(*lines(40, 33, 17, wide=48, seed=seed))
    return built.eval()


@every_net
def test_padding_changes_nothing_of_a_line_and_neither_does_its_batch(name: str) -> None:
    net = used(name)
    widths = (29, 1, 40, 16)
    images, sizes = lines(*widths, wide=80)
    together, frames = net(images, sizes), net.frames(sizes)
    for place, (width, length) in enumerate(zip(widths, frames.tolist(), strict=True)):
        alone = net(images[place : place + 1, :, :, :width])
        assert alone.shape == (1, length, OUTPUTS)
        torch.testing.assert_close(together[place, :length], alone[0], rtol=1e-5, atol=1e-6)
        padded = net(images[place : place + 1, :, :, :64], sizes[place : place + 1])
        torch.testing.assert_close(padded[0, :length], alone[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["LineCNN", "LineCNNLSTM", "SlidingCNN"])
def test_exports_for_any_width(name: str) -> None:
    net = used(name)
    anywhere = ({3: torch.export.Dim.DYNAMIC}, None)
    program = torch.export.export(net, lines(37, wide=48), dynamic_shapes=anywhere).module()
    for own, wide in ((5, 16), (119, 131)):
        image, sizes = lines(own, wide=wide)
        torch.testing.assert_close(program(image, sizes), net(image, sizes))


@torch.no_grad()
def test_a_position_of_the_lstm_sees_the_whole_line_and_of_the_others_a_piece() -> None:
    changes = {}
    for name in NETS:
        net = used(name)
        images, sizes = lines(96, wide=96)
        other = images.clone()
        other[..., -1] = 1 - other[..., -1]
        first = (net(other, sizes)[0, 0] - net(images, sizes)[0, 0]).abs().max()
        last = (net(other, sizes)[0, -1] - net(images, sizes)[0, -1]).abs().max()
        assert last > 1e-6
        changes[name] = float(first)
    assert changes.pop("LineCNNLSTM") > 0
    assert changes.pop("LineCNN stride 8") >= 0
    assert set(changes.values()) == {0.0}


def test_lines_are_turned_within_their_frames() -> None:
    x = torch.arange(8).view(2, 4, 1)
    assert backwards(x, torch.tensor([4, 2]))[:, :, 0].tolist() == [[3, 2, 1, 0], [5, 4, 6, 7]]
    assert torch.equal(backwards(x, None), x.flip(1))


@pytest.mark.parametrize(
    ("net", "options", "message"),
    [
        (LineCNN, {"stride": 3}, "--model.net.stride 3"),
        (LineCNN, {"kernel": 4}, "--model.net.kernel 4"),
        (LineCNN, {"width": 0}, "--model.net.width 0"),
        (LineCNN, {"features": 0}, "--model.net.features 0"),
        (LineCNN, {"depth": -1}, "--model.net.depth -1"),
        (LineCNN, {"dropout": 1.0}, "--model.net.dropout 1.0"),
        (LineCNNLSTM, {"lstm_depth": 0}, "--model.net.lstm_depth 0"),
        (LineCNNLSTM, {"lstm_width": 0}, "--model.net.lstm_width 0"),
        (SlidingCNN, {"stride": 0}, "--model.net.stride 0"),
        (SlidingCNN, {"window": 3}, "--model.net.window 3"),
        (SlidingCNN, {"depth": 6}, "images of 20x64 are too small"),
    ],
)
def test_option_out_of_range_is_named(net: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}\\b"):
        net((1, HEIGHT, 64), 3, **options)


@pytest.mark.parametrize("net", [LineCNN, LineCNNLSTM, SlidingCNN])
def test_other_data_are_refused(net: Any) -> None:
    with pytest.raises(ValueError, match=r"the data have shape \(10,\)"):
        net((10,), 3)
