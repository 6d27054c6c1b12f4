"""Nets: what all of them must do, one row of a table each; then what each one promises."""

import copy
import random
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from net_rows import OUTPUTS, ROWS, Row
from torch import Tensor, nn

from lab.nets.cnn import CNN
from lab.nets.layers import (
    ACTIVATIONS,
    GAINS,
    Activation,
    BatchNorm,
    Init,
    Norm,
    initialise,
    make_activation,
)
from lab.nets.linear import Linear
from lab.nets.mlp import MLP
from lab.nets.resnet import ResNet  # from week 2
from lab.run import names

FOR_IMAGES: list[Any] = [
    CNN,
    ResNet,  # from week 2
]
IDS = [f"{row.net.__name__}-{'x'.join(map(str, row.shape))}" for row in ROWS]
every_row = pytest.mark.parametrize("row", ROWS, ids=IDS)


def build(row: Row, seed: int = 0, outputs: int = OUTPUTS) -> nn.Module:
    torch.manual_seed(seed)
    return row.make(outputs)


def used(row: Row) -> nn.Module:
    """A net in evaluation mode whose running statistics are not those of a new one."""
    net = build(row)
    for step in range(3):
        net(other(row, inputs(row, 6, seed=step)))
    return net.eval()


def inputs(row: Row, batch: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if row.tokens:
        return torch.randint(OUTPUTS, (batch, *row.shape), generator=generator)
    return torch.randn(batch, *row.shape, generator=generator)


def other(row: Row, x: Tensor) -> Tensor:
    """Inputs that differ from `x` everywhere, by place, mean and spread."""
    return (x + 1) % OUTPUTS if row.tokens else 3 * x + 5


def parameter_count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def test_every_net_has_a_row() -> None:
    assert {row.net.__name__ for row in ROWS} == set(names.index("nets"))


@every_row
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("batch", [1, 3])
def test_output_has_its_shape_and_is_finite(row: Row, training: bool, batch: int) -> None:
    output = build(row).train(training)(inputs(row, batch))
    assert output.shape == (batch, *row.output(OUTPUTS)) and output.dtype == torch.float32
    assert output.isfinite().all()


@every_row
def test_number_of_outputs_is_the_callers(row: Row) -> None:
    x = inputs(row, 2)
    net = row.make(1)
    assert net(x * 0 if row.tokens else x).shape == (2, *row.output(1))


@every_row
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_every_parameter_and_the_input_get_a_gradient(row: Row, training: bool) -> None:
    net, x = build(row).train(training), inputs(row, 8)
    differentiable = [] if row.tokens else [("input", x.requires_grad_())]
    output = net(x)
    output.backward(torch.randn(output.shape, generator=torch.Generator().manual_seed(1)))
    for name, weight in [*net.named_parameters(), *differentiable]:
        assert weight.grad is not None and weight.grad.isfinite().all(), name
        # More than rounding: a bias before batch normalisation would get some 1e-9.
        assert weight.grad.abs().max() > 1e-6, name


@every_row
def test_evaluation_is_deterministic_and_draws_no_random_number(row: Row) -> None:
    net, x = used(row), inputs(row, 3)
    state = torch.get_rng_state()
    first = net(x)
    assert torch.equal(net(x), first)
    assert torch.equal(torch.get_rng_state(), state)


@every_row
def test_samples_are_independent_in_evaluation(row: Row) -> None:
    net, x = used(row), inputs(row, 4)
    together = net(x)
    for place in range(4):
        torch.testing.assert_close(net(x[place : place + 1])[0], together[place])
    x[1:] = other(row, x[1:])
    torch.testing.assert_close(net(x)[0], together[0])
    assert not torch.equal(net(x)[1:], together[1:])


@every_row
def test_copies_and_saved_states_compute_the_same(row: Row) -> None:
    net, x = used(row), inputs(row, 3)
    twin, other = copy.deepcopy(net), build(row, seed=1).eval()
    expected = net(x)
    assert torch.equal(twin(x), expected)
    assert not torch.allclose(other(x), expected)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), expected)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.add_(1)
    assert torch.equal(net(x), expected), "the copy shares weights"


@every_row
def test_works_in_double(row: Row) -> None:
    net, x = used(row), inputs(row, 3)
    single = net(x)
    output = net.double()(x if row.tokens else x.double())
    assert output.dtype == torch.float64
    torch.testing.assert_close(output, single.double(), rtol=1e-3, atol=1e-4)


@every_row
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_input_is_left_as_it_is_and_may_lie_anywhere(row: Row, training: bool) -> None:
    x = inputs(row, 3)
    before = x.clone()
    torch.manual_seed(2)
    output = build(row).train(training)(x)
    assert torch.equal(x, before)
    # The same numbers, stored in another order.
    scattered = x.movedim(0, -1).contiguous().movedim(-1, 0)
    assert not scattered.is_contiguous()
    torch.manual_seed(2)
    torch.testing.assert_close(build(row).train(training)(scattered), output)


@every_row
def test_the_seed_alone_decides_the_weights(row: Row) -> None:
    first = build(row).state_dict()
    random.seed(5)
    np.random.seed(5)
    second, third = build(row).state_dict(), build(row, seed=1).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    # Offsets that start at zero do so for every seed.
    weights = [key for key in first if first[key].dim() > 1 and first[key].any()]
    assert weights and not any(torch.equal(first[key], third[key]) for key in weights)


# torch says so of its own recurrent layers.
@pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights")
@every_row
def test_exports_for_any_batch(row: Row) -> None:
    net = used(row)
    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (inputs(row, 2),), dynamic_shapes=({0: batch},))
    x = inputs(row, 5)
    torch.testing.assert_close(program.module()(x), net(x))


OUT_OF_RANGE = [
    (MLP, {"depth": -1}, "--model.net.depth -1"),
    (MLP, {"width": 0}, "--model.net.width 0"),
    (MLP, {"dropout": 1.0}, "--model.net.dropout 1.0"),
    (MLP, {"dropout": -0.1}, "--model.net.dropout -0.1"),
    (MLP, {"dropout": float("nan")}, "--model.net.dropout nan"),
    (MLP, {"activation": "rleu"}, "--model.net.activation rleu"),
    (MLP, {"activation": "rleu", "depth": 0}, "--model.net.activation rleu"),
    (MLP, {"norm": "bach"}, "--model.net.norm bach"),
    (MLP, {"init": "hee"}, "--model.net.init hee"),
    (CNN, {"depth": 0}, "--model.net.depth 0"),
    (CNN, {"width": 0}, "--model.net.width 0"),
    (CNN, {"dropout": 1.0}, "--model.net.dropout 1.0"),
    (CNN, {"activation": "rleu"}, "--model.net.activation rleu"),
    (CNN, {"init": "hee"}, "--model.net.init hee"),
    # >>> from week 2
    (ResNet, {"depth": 0}, "--model.net.depth 0"),
    (ResNet, {"width": 0}, "--model.net.width 0"),
    (ResNet, {"stem_stride": 0}, "--model.net.stem_stride 0"),
    (ResNet, {"dropout": 2.0}, "--model.net.dropout 2.0"),
    (ResNet, {"activation": "rleu"}, "--model.net.activation rleu"),
    (ResNet, {"zero_init": True, "skip": False}, "--model.net.zero_init"),
    # <<< from week 2
]


@pytest.mark.parametrize(
    "net, options, message",
    OUT_OF_RANGE,
    ids=[f"{net.__name__} {message}" for net, _, message in OUT_OF_RANGE],
)
def test_option_out_of_range_is_named(
    net: Callable[..., nn.Module], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}\\b"):
        net((1, 16, 16), 3, **options)


def test_unknown_choice_offers_the_nearest() -> None:
    with pytest.raises(ValueError, match="Nearest: relu, "):
        MLP((3,), 2, activation="rleu")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Nearest: none, batch, layer$"):
        MLP((3,), 2, norm="xyz")  # type: ignore[arg-type]


@pytest.mark.parametrize("net", FOR_IMAGES)
def test_nets_for_images_refuse_other_data(net: Callable[..., nn.Module]) -> None:
    with pytest.raises(ValueError, match=r"the data have shape \(10,\): use MLP"):
        net((10,), 3)


def test_too_small_image_is_told_with_a_way_out() -> None:
    CNN((1, 8, 9), 3, depth=3, width=2)
    with pytest.raises(ValueError, match="7x9 are too small: lower --model.net.depth, .* 8x8"):
        CNN((1, 7, 9), 3, depth=3, width=2)
    # >>> from week 2
    # The depth of a ResNet doesn't shrink its images, so lowering it would not help.
    with pytest.raises(ValueError, match="8x3 are too small: use MLP, or .* 4x4"):
        ResNet((1, 8, 3), 3)
    # <<< from week 2


# Linear


def test_linear_is_the_matrix_product() -> None:
    net = Linear((2, 3), 4, zero_init=False)
    weight, bias = (value.detach().numpy() for value in net.parameters())
    x = np.random.RandomState(0).randn(5, 2, 3).astype(np.float32)
    expected = np.array(
        [[x[b].flatten() @ weight[k] + bias[k] for k in range(4)] for b in range(5)]
    )
    np.testing.assert_allclose(net(torch.from_numpy(x)).detach(), expected, atol=1e-6)


def test_linear_starts_at_zero_and_may_lack_the_bias() -> None:
    assert torch.equal(Linear((3,), 4)(torch.randn(5, 3)), torch.zeros(5, 4))
    without = Linear((3,), 4, bias=False, zero_init=False)
    assert torch.equal(without(torch.zeros(5, 3)), torch.zeros(5, 4))
    assert parameter_count(Linear((2, 3), 4)) == 6 * 4 + 4


# Layers


def test_tables_of_choices_agree() -> None:
    assert set(ACTIVATIONS) == set(GAINS) == set(get_args(Activation))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_gains_are_those_of_torch(activation: Activation) -> None:
    slope = 0.01 if activation == "leaky_relu" else None
    assert GAINS[activation] == pytest.approx(nn.init.calculate_gain(activation, slope))


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
@pytest.mark.parametrize(
    "layer", [nn.Linear(30, 20), nn.Conv2d(5, 20, 3)], ids=["linear", "convolution"]
)
@pytest.mark.parametrize("init", ["he", "xavier", "lecun", "orthogonal", "normal", "zeros"])
def test_initialisations_are_those_of_torch(
    init: Init, layer: nn.Linear | nn.Conv2d, activation: Activation
) -> None:
    kind = "linear" if activation == "identity" else activation
    gain = nn.init.calculate_gain(kind)
    torchs: dict[str, Callable[[Tensor], Tensor]] = {
        "he": lambda w: nn.init.kaiming_normal_(w, nonlinearity=kind),
        "xavier": lambda w: nn.init.xavier_normal_(w, gain),
        "lecun": lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear"),
        "orthogonal": lambda w: nn.init.orthogonal_(w, gain),
        "normal": lambda w: nn.init.normal_(w, std=0.01),
        "zeros": nn.init.zeros_,
    }
    torch.manual_seed(0)
    expected = torchs[init](torch.empty_like(layer.weight))
    assert layer.bias is not None
    nn.init.ones_(layer.bias)
    torch.manual_seed(0)
    initialise(layer, init, activation)
    torch.testing.assert_close(layer.weight, expected)
    assert torch.equal(layer.bias, torch.zeros(20))


def test_default_initialisation_is_left_to_torch() -> None:
    layer = nn.Linear(3, 4)
    before = copy.deepcopy(layer.state_dict())
    initialise(layer, "default", "relu")
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 4, 5)], ids=["units", "images"])
def test_batch_norm_is_that_of_torch(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    ours, torchs = BatchNorm(3), (nn.BatchNorm1d(3) if len(shape) == 2 else nn.BatchNorm2d(3))
    for step in range(3):
        x = torch.randn(shape) * (step + 1) + step
        assert torch.equal(ours(x), torchs(x))
    assert ours.state_dict().keys() == torchs.state_dict().keys()
    assert all(torch.equal(v, torchs.state_dict()[k]) for k, v in ours.state_dict().items())
    assert torch.equal(ours.eval()(x), torchs.eval()(x))


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)], ids=["units", "images"])
def test_batch_norm_of_a_single_value_takes_the_running_statistics(shape: tuple[int, ...]) -> None:
    norm = BatchNorm(3)
    norm(torch.randn(20, *shape[1:]) * 2 + 1)
    before = copy.deepcopy(norm.state_dict())
    x = torch.randn(shape)
    single = norm(x)
    assert all(torch.equal(value, before[key]) for key, value in norm.state_dict().items())
    assert torch.equal(single, norm.eval()(x))
    assert single.abs().max() > 0.1


def test_batch_norms_can_be_shared_by_processes() -> None:
    net = nn.SyncBatchNorm.convert_sync_batchnorm(MLP((3,), 2, norm="batch", depth=2))
    assert sum(isinstance(module, nn.SyncBatchNorm) for module in net.modules()) == 2


# MLP


def test_mlp_is_the_chain_of_its_layers() -> None:
    net = MLP((2, 3), 4, depth=2, width=7, activation="tanh", norm="layer")
    chain = nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(6, 7), nn.LayerNorm(7), nn.Tanh()),
        *(nn.Linear(7, 7), nn.LayerNorm(7), nn.Tanh()),
        nn.Linear(7, 4),
    )
    chain.load_state_dict(dict(zip(chain.state_dict(), net.state_dict().values(), strict=True)))
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(net(x), chain(x))


def test_mlp_without_hidden_layers_is_linear() -> None:
    net = MLP((2, 3), 4, depth=0)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(net(x), x.flatten(1) @ net.output.weight.T + net.output.bias)
    assert parameter_count(net) == 6 * 4 + 4


def test_mlp_has_the_parameters_of_its_sizes() -> None:
    assert parameter_count(MLP((6,), 3, depth=2, width=5)) == 6 * 5 + 5 + 5 * 5 + 5 + 5 * 3 + 3
    # Batch normalisation: scale and shift of each unit in place of the bias.
    normed = MLP((6,), 3, depth=2, width=5, norm="batch")
    assert parameter_count(normed) == 6 * 5 + 10 + 5 * 5 + 10 + 5 * 3 + 3


@pytest.mark.parametrize(
    "option, values",
    [
        ("activation", get_args(Activation)),
        ("norm", get_args(Norm)),
        ("init", get_args(Init)),
        ("depth", (0, 1, 2, 5)),
        ("width", (8, 16)),
        ("skip", (False, True)),
        ("dropout", (0.0, 0.5)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_choice_of_the_mlp_makes_a_difference(option: str, values: tuple) -> None:
    x, outputs = torch.randn(6, 10, generator=torch.Generator().manual_seed(0)), []
    for value in values:
        torch.manual_seed(0)
        outputs.append(MLP((10,), 3, **{"width": 16, option: value})(x))
    for place, output in enumerate(outputs):
        assert output.isfinite().all()
        for other in outputs[:place]:
            assert not torch.allclose(output, other, rtol=1e-3)


@pytest.mark.parametrize("name", get_args(Activation))
def test_activations_are_what_they_are_called(name: Activation) -> None:
    x = torch.linspace(-3, 3, 101)
    function = (lambda x: x) if name == "identity" else getattr(nn.functional, name)
    torch.testing.assert_close(make_activation(name)(x), function(x))


def deep_deviations(init: Init) -> list[float]:
    """Standard deviation of what comes out of each of 20 layers of rectified units."""
    torch.manual_seed(0)
    net = MLP((200,), 2, depth=20, width=200, init=init)
    deviations, x = [], torch.randn(100, 200)
    for layer in net.hidden:
        x = layer(x)
        deviations.append(x.std().item())
    return deviations


def test_he_keeps_the_variance_of_a_deep_net_and_small_weights_lose_it() -> None:
    he, normal, lecun = (deep_deviations(init) for init in ("he", "normal", "lecun"))
    assert all(0.3 < deviation / he[0] < 3 for deviation in he)
    assert normal[-1] / normal[0] < 1e-15
    # Half the second moment is lost at each layer.
    assert lecun[-1] / lecun[0] == pytest.approx(2 ** (-19 / 2), rel=0.6)


def test_skips_pass_the_input_of_all_but_the_first_hidden_layer() -> None:
    net, plain = (MLP((5,), 2, depth=4, width=8, skip=skip) for skip in (True, False))
    plain.load_state_dict(net.state_dict())
    x = torch.randn(3, 5)
    hidden = net.hidden[0](x)
    assert torch.equal(hidden, plain.hidden[0](x))
    torch.testing.assert_close(net.hidden[1](hidden), hidden + plain.hidden[1](hidden))
    for layer in [*net.hidden[1:], *plain.hidden[1:]]:
        nn.init.zeros_(layer.linear.weight)
        nn.init.zeros_(layer.linear.bias)
    assert torch.equal(net.hidden(x), hidden)
    assert torch.equal(plain.hidden(x), torch.zeros(3, 8))


def test_dropout_acts_in_training_only_and_on_its_share() -> None:
    net, plain = (MLP((50,), 3, depth=1, width=4000, dropout=share) for share in (0.3, 0.0))
    plain.load_state_dict(net.state_dict())
    x = torch.randn(4, 50)
    kept, all_units = net.hidden(x), plain.hidden(x)
    alive = all_units > 0
    dropped = (kept[alive] == 0).float().mean().item()
    assert dropped == pytest.approx(0.3, abs=0.03)
    left = alive & (kept > 0)
    torch.testing.assert_close(kept[left], all_units[left] / 0.7)
    assert not torch.equal(net(x), net(x))
    torch.testing.assert_close(net.eval()(x), plain(x))


# CNN


def test_cnn_is_the_chain_of_its_layers() -> None:
    net = CNN((2, 9, 8), 5, depth=2, width=3, activation="tanh")
    chain = nn.Sequential(
        *(nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.Tanh()),
        *(nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.Tanh()),
        *(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(6), nn.Tanh()),
        *(nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.Tanh()),
        nn.Flatten(),
        nn.Linear(6 * 2 * 2, 5),
    )
    chain.load_state_dict(dict(zip(chain.state_dict(), net.state_dict().values(), strict=True)))
    for step in range(3):
        x = torch.randn(4, 2, 9, 8) + step
        torch.testing.assert_close(net(x), chain(x))
    torch.testing.assert_close(net.eval()(x), chain.eval()(x))


def test_cnn_has_the_parameters_of_its_sizes() -> None:
    # Convolutions 1-4, 4-4, 4-8 and 8-8, each with scale and shift; 8 channels of 2x2 are left.
    convolutions = 9 * (1 * 4 + 4 * 4 + 4 * 8 + 8 * 8) + 2 * (4 + 4 + 8 + 8)
    assert parameter_count(CNN((1, 8, 8), 3, depth=2, width=4)) == convolutions + 32 * 3 + 3


@pytest.mark.parametrize("net", FOR_IMAGES)
def test_dropout_before_the_last_layer_in_training_only(net: Callable[..., nn.Module]) -> None:
    torch.manual_seed(0)
    model = net((1, 8, 8), 3, width=4, dropout=0.5)
    x = torch.randn(4, 1, 8, 8)
    assert not torch.allclose(model(x), model(x))
    plain = net((1, 8, 8), 3, width=4)
    plain.load_state_dict(model.state_dict())
    assert torch.equal(plain.eval()(x), model.eval()(x))


@pytest.mark.parametrize("init", get_args(Init))
def test_cnn_starts_its_convolutions_as_asked(init: Init) -> None:
    torch.manual_seed(0)
    net = CNN((1, 8, 8), 3, width=32, init=init, activation="relu")
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    fan_in, fan_out = 9 * 32, 9 * 64
    gain = 2**0.5
    deviation = {
        "default": (1 / (3 * fan_in)) ** 0.5,
        "he": gain / fan_in**0.5,
        "xavier": gain * (2 / (fan_in + fan_out)) ** 0.5,
        "lecun": 1 / fan_in**0.5,
        # 64 orthogonal rows of length `gain` in 9 * 32 dimensions.
        "orthogonal": gain / fan_in**0.5,
        "normal": 0.01,
        "zeros": 0.0,
    }
    assert len(convolutions) == 4
    assert convolutions[2].weight.std().item() == pytest.approx(deviation[init], rel=0.03)


# >>> from week 2
# ResNet


def test_zero_init_makes_each_block_the_identity() -> None:
    net = ResNet((1, 8, 8), 3, depth=2, width=4, zero_init=True)
    same = [block for block in net.blocks if block.shortcut is None]
    other = [block for block in net.blocks if block.shortcut is not None]
    assert len(same) == 4 and len(other) == 2
    for block in same:
        x = torch.randn(3, block.last.in_channels, 5, 6)
        assert torch.equal(block(x), x)
    for block in other:
        x = torch.randn(3, block.shortcut.in_channels, 6, 8)
        torch.testing.assert_close(block(x), block.shortcut(block.enter(x)))
    ordinary = ResNet((1, 8, 8), 3, depth=1, width=4)
    x = torch.randn(3, 4, 5, 6)
    assert not torch.allclose(ordinary.blocks[0](x), x)


def test_block_adds_what_it_was_given_to_its_branch() -> None:
    net, plain = (ResNet((1, 8, 8), 3, depth=2, width=4, skip=skip) for skip in (True, False))
    plain.load_state_dict(net.state_dict(), strict=False)
    x = torch.randn(3, 4, 8, 8)
    torch.testing.assert_close(net.blocks[0](x), x + plain.blocks[0](x))
    assert not [key for key in plain.state_dict() if "shortcut" in key]
    for block in plain.blocks:
        nn.init.zeros_(block.last.weight)
    assert torch.equal(plain.blocks(x), torch.zeros(3, 16, 2, 2))


def test_resnet_halves_the_image_twice_and_doubles_the_channels() -> None:
    net = ResNet((3, 16, 12), 5, depth=1, width=4)
    x = net.stem(torch.randn(2, 3, 16, 12))
    shapes = [tuple(x.shape[1:])]
    for block in net.blocks:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(4, 16, 12), (4, 16, 12), (8, 8, 6), (16, 4, 3)]


def test_resnet_stem_can_halve_the_image() -> None:
    images, options = torch.randn(2, 1, 28, 28), {"depth": 1, "width": 4}
    full = ResNet((1, 28, 28), 3, **options)
    half = ResNet((1, 28, 28), 3, stem_stride=2, **options)
    half.load_state_dict(full.state_dict())
    assert half.stem(images).shape == (2, 4, 14, 14)
    torch.testing.assert_close(half.stem(images), full.stem(images)[:, :, ::2, ::2])
    with pytest.raises(ValueError, match="8x7 are too small: use MLP, or .* 8x8"):
        ResNet((1, 8, 7), 3, stem_stride=2)


def test_resnet_has_the_parameters_of_its_sizes() -> None:
    # Convolutions of each block, scale and shift of its two normalisations, its shortcut.
    first = 9 * (4 * 4 + 4 * 4) + 2 * (4 + 4)
    second = 9 * (4 * 8 + 8 * 8) + 2 * (4 + 8)
    third = 9 * (8 * 16 + 16 * 16) + 2 * (8 + 16)
    shortcuts = 4 * 8 + 8 * 16
    ends = 9 * 1 * 4 + 2 * 16 + 16 * 3 + 3
    plain = first + second + third + ends
    assert parameter_count(ResNet((1, 8, 8), 3, depth=1, width=4, skip=False)) == plain
    assert parameter_count(ResNet((1, 8, 8), 3, depth=1, width=4)) == plain + shortcuts == 4975


# <<< from week 2
