"""Public tests of w01.t17."""

import pytest
import torch
from torch import nn

from tasks.labs import checking


@pytest.fixture(autouse=True)
def seeded(seed):
    torch.manual_seed(seed % 2**31)


def copied(made, trusted):
    """The parameters of a trusted net, in order, into the student's; then random ones in both."""
    ours, theirs = list(made.parameters()), list(trusted.parameters())
    shapes = [[tuple(one.shape) for one in side] for side in (ours, theirs)]
    why = "These layers, in this order, each with weight and bias, and nothing else that learns."
    checking.equal(shapes[0], shapes[1], concept="layers", why=why)
    with torch.no_grad():
        for one, other in zip(ours, theirs, strict=True):
            other.copy_(torch.randn(one.shape) / max(1, one[0].numel()) ** 0.5)
            one.copy_(other)


def same_slopes(made, trusted, got, want):
    """Both sums, weighted at random, have the same gradients by all parameters."""
    upstream = torch.randn(want.shape)
    (got * upstream).sum().backward()
    (want * upstream).sum().backward()
    why = "Gradients have to reach every weight on every way: nothing may leave the graph."
    for one, other in zip(made.parameters(), trusted.parameters(), strict=True):
        grad = torch.zeros_like(one) if one.grad is None else one.grad
        checking.close(grad, other.grad, rtol=1e-3, atol=1e-4, concept="gradient-flows", why=why)


def convolutions(channels, first, second, classes):
    return nn.Sequential(
        nn.Conv2d(channels, first, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(second, classes),
    )


def test_weights_of_each_layer_by_hand(impl):
    """Linear 3 -> 2 has 8, a 5 x 5 kernel from 3 to 4 channels 304, an RNN of 2 inputs and 3 states 21."""
    cases = [
        ("linear-bias", ("linear", 3, 2), 3 * 2 + 2, "One bias for each output."),
        (
            "conv-bias",
            ("conv", 3, 4, 5),
            3 * 25 * 4 + 4,
            "A 5 x 5 kernel per pair, a bias per output.",
        ),
        ("two-biases", ("rnn", 2, 3), 3 * 2 + 3 * 3 + 3 + 3, "Input and state have a bias each."),
        ("gates", ("gru", 2, 3), 3 * 21, "A GRU has three sets of weights and biases."),
        ("gates", ("lstm", 2, 3), 4 * 21, "An LSTM has four sets of weights and biases."),
    ]
    for concept, layer, want, why in cases:
        checking.equal(impl.count_params([layer]), want, concept=concept, why=why)


def test_weights_of_lenet(impl):
    """LeNet-5 in today's form has 61 706; no layers have none."""
    convs = [("conv", 1, 6, 5), ("conv", 6, 16, 5)]
    linears = [("linear", 400, 120), ("linear", 120, 84), ("linear", 84, 10)]
    why = "Add up the weights of all layers, each with its biases."
    checking.equal(impl.count_params([*convs, *linears]), 61_706, concept="sum", why=why)
    checking.equal(impl.count_params([]), 0, concept="sum", why=why)


def test_logits_may_be_negative(impl):
    """A net of a single layer is linear; its logits have both signs."""
    net = impl.MLP([6, 40])
    images = torch.randn(8, 1, 2, 3)
    got, other = net(images), net(-images)
    middle = (got + other) / 2
    bias = net(torch.zeros(8, 1, 2, 3))
    why = "A ReLU stands between two layers, and none after the last: logits are any numbers."
    checking.close(middle, bias, rtol=1e-4, atol=1e-5, concept="last-layer", why=why)


def test_pixels_are_read_in_order(impl):
    """Output k of a layer with the identity as its weights is pixel k, row by row."""
    net = impl.MLP([12, 12])
    copied(net, nn.Linear(12, 12))
    with torch.no_grad():
        for one in net.parameters():
            one.copy_(torch.eye(12) if one.dim() == 2 else torch.zeros(12))
    images = torch.randn(2, 1, 3, 4)
    why = "Weights belong to places: read channel by channel, row by row, the batch untouched."
    want = images.reshape(2, 12)
    checking.close(net(images), want, rtol=1e-5, concept="flatten-order", why=why)
    try:
        got = net(images.transpose(2, 3))
    except RuntimeError as error:
        got = str(error)[:80]
    want = images.transpose(2, 3).reshape(2, 12)
    why = "Turned images lie in memory as before: `view` cannot read them, what may copy can."
    checking.close(got, want, rtol=1e-5, concept="any-memory-order", why=why)


def test_mlp_agrees_with_torch(impl):
    """Images of 2 channels and 3 x 4 pixels, three layers, weights copied; and the gradients."""
    net = impl.MLP([24, 7, 6, 5])
    trusted = nn.Sequential(
        nn.Flatten(), nn.Linear(24, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 5)
    )
    copied(net, trusted)
    images = torch.randn(9, 2, 3, 4)
    with checking.untouched(images, why="Do not change the images in place."):
        got, want = net(images), trusted(images)
    why = "A ReLU comes between any two layers: with the same weights it gives what torch gives."
    checking.close(got, want, rtol=1e-4, atol=1e-5, concept="mlp", why=why)
    same_slopes(net, trusted, got, want)


def test_largest_value_counts_wherever_it_is(impl):
    """A pattern away from the borders gives the same logits at another place, and beside a copy of itself."""
    net = impl.ConvNet(1, 4, 5, 3)
    pattern = torch.rand(2, 2)
    here, there, both = (torch.zeros(1, 1, 16, 16) for _ in range(3))
    here[0, 0, 3:5, 4:6] = both[0, 0, 3:5, 4:6] = pattern
    there[0, 0, 10:12, 9:11] = both[0, 0, 10:12, 9:11] = pattern
    want = net(here)
    why = "The same kernels look everywhere, and only the greatest answer of each goes on, not the mean."
    for images in (there, both):
        checking.close(net(images), want, rtol=1e-4, atol=1e-6, concept="global-max", why=why)


def test_one_pixel_is_enough_for_a_conv_net(impl):
    """On a 1 x 1 image only the centre of each kernel meets a pixel; what is around are zeros."""
    net, trusted = impl.ConvNet(1, 3, 4, 2), convolutions(1, 3, 4, 2)
    copied(net, trusted)
    images = torch.randn(5, 1, 1, 1)
    try:
        got = net(images)
    except RuntimeError:
        got = "no output: the image is smaller than the kernel"
    why = "Pad with one row and column of zeros on each side, so that height and width stay."
    checking.that(not isinstance(got, str), concept="padding", why=why, expected="logits", got=got)
    why = "Around the image are zeros, and each convolution has its ReLU."
    checking.close(got, trusted(images), rtol=1e-4, atol=1e-5, concept="conv-net", why=why)


def test_conv_net_agrees_with_torch(impl):
    """Images of 2 channels and 6 x 9 pixels, weights copied; and the gradients."""
    net, trusted = impl.ConvNet(2, 4, 5, 3), convolutions(2, 4, 5, 3)
    copied(net, trusted)
    images = torch.randn(7, 2, 6, 9)
    with checking.untouched(images, why="Do not change the images in place."):
        got, want = net(images), trusted(images)
    why = "Convolution, ReLU, convolution, ReLU, maximum, linear layer, as torch does with these weights."
    checking.close(got, want, rtol=1e-4, atol=1e-5, concept="conv-net", why=why)
    same_slopes(net, trusted, got, want)


LAST = "The last state, (B, hidden), is the one that the last step has made."


def recurrent(impl, inputs, hidden):
    net, trusted = impl.RNN(inputs, hidden), nn.RNN(inputs, hidden, batch_first=True)
    net.load_state_dict(trusted.state_dict())
    return net, trusted


def test_rnn_makes_one_step(impl):
    """From a state of zeros and from another one, batch of 4."""
    net, trusted = recurrent(impl, 3, 5)
    x = torch.randn(4, 1, 3)
    for h in (torch.zeros(4, 5), torch.randn(4, 5)):
        with checking.untouched(x, h, why="Make a new state in each step."):
            states, last = net(x, h)
        want = trusted(x, h[None])[0]
        why = "States lie as the inputs do: the batch first, then the steps, then the numbers."
        checking.equal(tuple(states.shape), (4, 1, 5), concept="batch-first", why=why)
        why = "Input and state both go through their weights, with their biases, and then through tanh."
        checking.close(states, want, rtol=1e-4, atol=1e-6, concept="rnn-step", why=why)
        checking.close(last, want[:, -1], rtol=1e-4, atol=1e-6, concept="last-state", why=LAST)


def test_rnn_agrees_with_torch_over_time(impl):
    """7 steps for a batch of 4: all states, the last one, and gradients back to the first step."""
    net, trusted = recurrent(impl, 3, 5)
    x, h = torch.randn(4, 7, 3), torch.randn(4, 5)
    with checking.untouched(x, h, why="Make a new state in each step."):
        states, last = net(x, h)
    want, end = trusted(x, h[None])
    why = "Each step starts from the state that the step before has left."
    checking.close(states, want, rtol=1e-4, atol=1e-5, concept="state-carried", why=why)
    checking.close(last, end[0], rtol=1e-4, atol=1e-5, concept="last-state", why=LAST)
    same_slopes(net, trusted, states, want)


def test_shift_by_hand(impl):
    """Two rows of four pixels, moved right, left, and out of the picture."""
    images = torch.tensor([[[[1.0, 2, 3, 4], [5, 6, 7, 8]]]])
    stay = "Columns move, rows do not; what leaves on one side does not come back on the other."
    none = "Moved by its width or more, no pixel of the image is left."
    left = "Below 0 the images move to the left, above 0 to the right."
    new = "Moved by 0 pixels, too, the result is a new tensor with the numbers of the images."
    cases = [
        (1, [[0.0, 1, 2, 3], [0, 5, 6, 7]], "shift", f"{stay} {left}"),
        (3, [[0.0, 0, 0, 1], [0, 0, 0, 5]], "shift", stay),
        (-2, [[3.0, 4, 0, 0], [7, 8, 0, 0]], "shift-to-the-left", left),
        *((pixels, [[0.0] * 4] * 2, "beyond-the-width", none) for pixels in (4, 5, -4, -5, -9)),
        (0, [[1.0, 2, 3, 4], [5, 6, 7, 8]], "shift-by-zero", new),
    ]
    for pixels, want, concept, why in cases:
        with checking.untouched(images, why="Give a new tensor."):
            try:
                got = impl.shift(images, pixels)
            except (RuntimeError, IndexError) as error:
                if isinstance(error, NotImplementedError):
                    raise
                got = str(error)[:80]
        checking.equal(got, torch.tensor([[want]]), concept=concept, why=why)
    why = "The result has the dtype of the images."
    twice = images.double()
    checking.equal(str(impl.shift(twice, 1).dtype), "torch.float64", concept="dtype", why=why)
    impl.shift(images, 0).add_(1.0)
    checking.equal(images[0, 0, 0, 0], 1.0, concept="shift-by-zero", why=new)


def test_shift_hurts_an_mlp_more_than_a_conv_net(impl):
    """Equally many weights, equally good on test digits; then these move by one and two pixels."""
    train, labels, test, truth = impl.pictures()
    nets = impl.MLP([64, 64, 10]), impl.ConvNet(1, 16, 30, 10)
    scores = []
    for net in nets:
        impl.fit(net, train, labels)
        scores.append([impl.accuracy(net, impl.shift(test, by), truth) for by in range(3)])
    mlp, cnn = scores
    why = "Both nets learn the digits; what is not trained well cannot be compared."
    least = min(mlp[0], cnn[0])
    checking.that(least > 0.94, concept="learns", why=why, expected="over 0.94", got=least)
    why = "An MLP has weights for each place: a digit that moves meets weights of other places."
    checking.that(mlp[1] < 0.75, concept="places", why=why, expected="below 0.75", got=mlp[1])
    why = "Kernels see the same thing one pixel further, and the maximum over places does not care where."
    checking.that(cnn[1] > 0.88, concept="invariance", why=why, expected="over 0.88", got=cnn[1])
    checking.that(cnn[2] > 0.7, concept="invariance", why=why, expected="over 0.7", got=cnn[2])
