"""Public tests of w01.t12."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from tasks.labs import checking

READY_MADE = {"softmax", "log_softmax", "logsumexp", "cross_entropy", "nll_loss", "softmin"}
# Three rows that lead by 2, for targets of which two are right.
LEADS = torch.tensor([[2.0, 0.0]] * 3)


class Calls(TorchFunctionMode):
    """Notes which ready-made functions of torch are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names |= {getattr(func, "__name__", "").removeprefix("special_")} & READY_MADE
        return func(*args, **(kwargs or {}))


def normal(rng, *shape: int) -> torch.Tensor:
    return torch.from_numpy(3 * rng.normal(size=shape))


def classes(rng, rows: int, count: int) -> torch.Tensor:
    return torch.from_numpy(rng.integers(count, size=rows))


def gradient(value, leaf: torch.Tensor, upstream: torch.Tensor | None = None) -> torch.Tensor:
    """The gradient at `leaf`, or a failure that says why there is none."""
    checking.that(
        isinstance(value, torch.Tensor) and value.requires_grad,
        concept="gradient-flow",
        why="A net learns through this loss: no detach, .data, .item, numpy or torch.tensor on the way.",
        expected="a tensor that gradients flow through",
        got=value.detach() if isinstance(value, torch.Tensor) else value,
    )
    return torch.autograd.grad(value, leaf, upstream)[0]


def test_log_probabilities_by_hand(impl):
    """Logits ln 1, ln 2 and ln 5 are probabilities of 1/8, 2/8 and 5/8."""
    x = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64).log()
    with checking.untouched(x, why="Subtract into a new tensor: no -= on an argument."):
        got = impl.log_softmax(x)
    checking.alike(
        got,
        x,
        concept="dtype",
        why="Results keep shape and dtype: float64 stays float64 on the way.",
    )
    checking.close(
        got,
        torch.log(torch.tensor([1, 2, 5], dtype=torch.float64) / 8),
        concept="log-softmax",
        why="exp(x) over the sum of exp(x), then the logarithm.",
    )


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2])
def test_dim_is_the_axis_that_adds_up(impl, rng, dim):
    """A (2, 3, 4) tensor along each axis."""
    x = normal(rng, 2, 3, 4)
    checking.close(
        impl.log_softmax(x, dim=dim),
        F.log_softmax(x, dim=dim),
        concept="dim",
        why="Maximum and sum both go along `dim`, and keep that axis so that they can be subtracted.",
    )


def test_each_slice_has_its_own_maximum(impl):
    """Rows near +10000 and near -10000 in one tensor."""
    x = torch.tensor([[1e4, 1e4 - 1], [-1e4, -1e4 - 1], [0.0, -1.0]], dtype=torch.float64)
    checking.close(
        impl.log_softmax(x, dim=1),
        F.log_softmax(torch.tensor([[0.0, -1.0]] * 3, dtype=torch.float64), dim=1),
        concept="per-slice-max",
        why="Subtract the maximum of each slice, not that of the whole tensor: only differences count.",
    )


def test_tiny_probabilities_keep_their_logarithm(impl):
    """A class 50 or 20000 behind has log probability -50 or -20000."""
    x = torch.tensor([[0.0, -50.0], [1e4, -1e4]])
    checking.close(
        impl.log_softmax(x, dim=1)[:, 1],
        [-50.0, -20000.0],
        concept="log-of-softmax",
        why="exp(-20000) is 0, and an epsilon in the logarithm hides it: log(a / b) is log a - log b.",
    )


def test_gradient_flows_through_log_softmax(impl, rng):
    """A random gradient from above, against torch."""
    x, upstream = normal(rng, 5, 4).requires_grad_(), normal(rng, 5, 4)
    checking.close(
        gradient(impl.log_softmax(x, dim=0), x, upstream),
        gradient(F.log_softmax(x, dim=0), x, upstream),
        concept="gradient-flow",
        why="Each output depends on all inputs of its slice, by the sum too.",
    )


@pytest.mark.parametrize("count", [2, 10, 1000])
def test_zero_logits_cost_the_log_of_the_classes(impl, rng, count):
    """Who knows nothing pays ln C: 2.302585 for ten classes."""
    checking.close(
        impl.cross_entropy(torch.zeros(6, count).double(), classes(rng, 6, count)),
        math.log(count),
        concept="first-loss",
        why="Equal logits are probabilities 1 / C, in natural logarithms; the mean over rows, not the sum.",
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_loss_agrees_with_torch(impl, rng, smoothing):
    """Random rows, one row, and logits of +-10000: a confident mistake costs 20000."""
    for logits in (normal(rng, 9, 5), normal(rng, 1, 5), 1e4 * normal(rng, 8, 5).sign()):
        targets = classes(rng, len(logits), 5)
        checking.close(
            impl.cross_entropy(logits, targets, smoothing=smoothing),
            F.cross_entropy(logits, targets, label_smoothing=smoothing),
            concept="cross-entropy",
            why="Mean over the rows of -sum q log p; smoothing takes from the target, gives to all C alike.",
        )


def test_twice_the_rows_same_loss(impl, rng):
    """Rows that stand twice change nothing."""
    logits, targets = normal(rng, 4, 3), classes(rng, 4, 3)
    checking.close(
        impl.cross_entropy(torch.cat([logits, logits]), torch.cat([targets, targets])),
        impl.cross_entropy(logits, targets),
        concept="mean-over-rows",
        why="The mean makes the loss, and so the learning rate, independent of the batch size.",
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_gradient_flows_through_the_loss(impl, rng, smoothing):
    """The gradient that autograd finds through your loss, against torch's."""
    logits, targets = normal(rng, 6, 4).requires_grad_(), classes(rng, 6, 4)
    want = F.cross_entropy(logits, targets, label_smoothing=smoothing)
    checking.close(
        gradient(impl.cross_entropy(logits, targets, smoothing=smoothing), logits),
        gradient(want, logits),
        concept="gradient-flow",
        why="All terms depend on the logits, so all let gradients through.",
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_gradient_by_formula(impl, rng, smoothing):
    """Against torch's autograd, at +-10000 too; each row adds up to 0."""
    for logits in (normal(rng, 6, 4), 1e4 * normal(rng, 6, 4).sign()):
        logits, targets = logits.requires_grad_(), classes(rng, 6, 4)
        got = impl.cross_entropy_grad(logits, targets, smoothing=smoothing)
        want = F.cross_entropy(logits, targets, label_smoothing=smoothing)
        checking.close(
            got.sum(dim=1),
            torch.zeros(6),
            atol=1e-12,
            concept="p-minus-q",
            why="What is pushed up in one class is pushed down in the others: p and q both add up to 1.",
        )
        checking.close(
            got,
            gradient(want, logits),
            concept="p-minus-q",
            why="Probabilities minus what they should be, over the number of rows.",
        )


@pytest.mark.parametrize(("count", "smoothing"), [(10, 0.1), (3, 0.5), (7, 1.0), (10, 0.0)])
def test_smoothing_has_a_smallest_loss(impl, rng, count, smoothing):
    """Where p equals q the loss is smallest: the entropy of q."""
    hot, even = F.one_hot(torch.tensor([2]), count), torch.full((1, count), 1.0).double() / count
    q = smoothing * even + (1 - smoothing) * hot
    best, targets = torch.log(q + 1e-300), torch.tensor([2])
    want = torch.distributions.Categorical(q[0]).entropy()
    smallest = impl.smallest_loss(count, smoothing)
    checking.close(
        smallest,
        want,
        atol=1e-12,
        concept="smallest-loss",
        why="-sum q log p is smallest at p = q, the entropy of q; 0 log 0 counts 0.",
    )
    for _ in range(5):
        loss = impl.cross_entropy(best + normal(rng, 1, count) / 9, targets, smoothing=smoothing)
        checking.that(
            float(loss) >= smallest - 1e-12,
            concept="smallest-loss",
            why="No logits get below the smallest loss.",
            expected=f"at least {smallest:.6f}",
            got=float(loss),
        )


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 4.0])
def test_temperature_divides_the_logits(impl, rng, dim, temperature):
    """Probabilities along either axis, sharper below 1, flatter above, also for logits of +-10000."""
    for x in (normal(rng, 4, 5), 1e4 * normal(rng, 4, 5).sign()):
        checking.close(
            impl.temperature_scale(x, temperature, dim=dim),
            F.softmax(x / temperature, dim),
            concept="temperature",
            why="Divide the logits, before the softmax along `dim`; dividing probabilities is another thing.",
        )


def test_temperature_is_above_zero(impl):
    """0 and -1 are refused."""
    for temperature in (0.0, -1.0):
        with checking.raises(
            ValueError,
            concept="temperature",
            why="At 0 you would divide by it, below it order turns.",
        ):
            impl.temperature_scale(torch.zeros(1, 2), temperature)


@pytest.mark.parametrize("lead", [0.1, 5.0])
def test_best_temperature_of_two_classes(impl, lead):
    """All rows lead by as much, 8 of 10 are right: at best they say 80 %, so T = lead / ln 4."""
    targets = torch.tensor([0] * 8 + [1] * 2)
    logits = torch.tensor([[lead, 0.0]] * 10, dtype=torch.float64)
    checking.close(
        impl.fit_temperature(logits, targets),
        lead / math.log(4),
        rtol=0.01,
        concept="best-temperature",
        why="Above 1 if the net is too sure of itself, below 1 if it is too modest; the loss decides.",
    )


def test_dtype_stays_and_inputs_too(impl, rng):
    """float32 and float64, a transposed view among them; shapes as torch's; nothing is changed."""
    targets = classes(rng, 4, 3)
    for x in (normal(rng, 3, 4).T, normal(rng, 4, 3).float()):
        leads = LEADS.to(x.dtype)
        with checking.untouched(
            x, leads, targets, why="`x -= ...` and `x[...] = ...` reach the caller."
        ):
            pairs = [
                (impl.log_softmax(x), x),
                (impl.temperature_scale(x, 2.0), x),
                (impl.cross_entropy(x, targets), x.sum()),
                (impl.cross_entropy(x, targets, smoothing=0.1), x.sum()),
                (impl.cross_entropy_grad(x, targets), x),
            ]
            impl.fit_temperature(leads, torch.tensor([0, 0, 1]))
        for got, like in pairs:
            checking.alike(got, like, concept="dtype", why="A tensor as the logits are, no float.")


def test_written_by_hand(impl, rng):
    """From exp, log, sum and max: none of torch's own softmax or cross entropy."""
    x, targets = normal(rng, 4, 3), classes(rng, 4, 3)
    with Calls() as calls:
        impl.log_softmax(x)
        impl.cross_entropy(x, targets, smoothing=0.1)
        impl.cross_entropy_grad(x, targets)
        impl.temperature_scale(x, 2.0)
        impl.fit_temperature(LEADS, torch.tensor([0, 0, 1]))
    checking.equal(
        sorted(calls.names),
        [],
        concept="by-hand",
        why="Calling the ready-made function shows that torch can do it; this is about what is inside.",
    )
