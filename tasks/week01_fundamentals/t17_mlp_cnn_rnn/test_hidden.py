"""Hidden tests of w01.t17: counts of torch's own modules, other sizes."""

import torch
from torch import nn

from tasks.labs import checking


def test_counts_agree_with_torch(impl, rng):
    """Random sizes of all five layers."""
    for _ in range(3):
        a, b, size = (int(one) for one in rng.integers(1, 12, size=3))
        made = {
            ("linear", a, b): nn.Linear(a, b),
            ("conv", a, b, size): nn.Conv2d(a, b, size),
            ("rnn", a, b): nn.RNN(a, b),
            ("gru", a, b): nn.GRU(a, b),
            ("lstm", a, b): nn.LSTM(a, b),
        }
        for layer, module in made.items():
            want = sum(one.numel() for one in module.parameters())
            why = f"Count the shapes that torch lists for {layer[0]}."
            checking.equal(impl.count_params([layer]), want, concept="counts", why=why)
        total = impl.count_params(list(made))
        want = sum(one.numel() for module in made.values() for one in module.parameters())
        checking.equal(total, want, concept="sum", why="Layers of all kinds add up.")


def test_convolution_moves_with_its_input(impl, seed):
    """Away from the borders convolving and shifting can change places."""
    torch.manual_seed(seed % 2**31)
    layer = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    images = torch.randn(2, 2, 6, 12)
    for pixels in (2, -3):
        got, want = layer(impl.shift(images, pixels)), impl.shift(layer(images), pixels)
        inner = slice(4, -4)
        why = "Move every channel and every row by the same number of columns."
        near = {"rtol": 1e-4, "atol": 1e-5}
        checking.close(got[..., inner], want[..., inner], concept="shift", why=why, **near)


def test_one_set_of_weights_for_all_times(impl):
    """A longer sequence needs no more weights, and goes on where the shorter one has ended."""
    net = impl.RNN(2, 6)
    x, h = torch.randn(3, 11, 2), torch.zeros(3, 6)
    states, last = net(x, h)
    half, middle = net(x[:, :5], h)
    rest, end = net(x[:, 5:], middle)
    why = "The state is all that one step hands to the next."
    got = torch.cat([half, rest], dim=1)
    checking.close(got, states, rtol=1e-4, atol=1e-6, concept="state-carried", why=why)
    checking.close(end, last, rtol=1e-4, atol=1e-6, concept="state-carried", why=why)
    count = sum(one.numel() for one in net.parameters())
    checking.equal(count, 6 * 2 + 6 * 6 + 12, concept="shared-weights", why="One set of weights.")


def test_nets_in_float64(impl):
    """Nets that have been made float64 stay so."""
    for net in (impl.MLP([12, 4, 3]), impl.ConvNet(1, 2, 2, 3)):
        got = net.double()(torch.randn(5, 1, 3, 4).double())
        want = torch.zeros(5, 3).double()
        why = "Let dtype follow the weights."
        checking.equal(str(got.dtype), str(want.dtype), concept="dtype", why=why)
        checking.equal(tuple(got.shape), (5, 3), concept="dtype", why="One logit per class.")
