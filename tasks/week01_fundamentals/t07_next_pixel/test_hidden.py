"""Hidden tests of w01.t07: other sizes, and what stacked layers see."""

import itertools

import torch

from tasks.labs import checking


def test_receptive_field_of_the_net(impl, seed):
    """Two stacked 3 x 3 kernels: a logit sees what can be reached by one step of kind A and one of kind B."""
    torch.manual_seed(seed % 2**31)
    net = impl.pixel_cnn(5, 6, channels=32)
    seen = torch.zeros(30, 30, dtype=torch.bool)
    for _ in range(4):
        x = torch.rand(30)
        seen |= impl.input_jacobian(net, x) != 0
    above = [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
    want = torch.zeros(30, 30, dtype=torch.bool)
    for row, column in itertools.product(range(5), range(6)):
        for (up, left), (up_b, left_b) in itertools.product(above, [*above, (0, 0)]):
            middle = row + up_b, column + left_b
            end = middle[0] + up, middle[1] + left
            inside = [0 <= a < 5 and 0 <= b < 6 for a, b in (middle, end)]
            if all(inside):
                want[6 * row + column, 6 * end[0] + end[1]] = True
    checking.equal(
        seen,
        want,
        concept="sees-the-future",
        why="A first layer of kind A and later ones of kind B: the centre is never seen, its past is.",
    )


def test_large_kernel_of_kind_b(impl):
    """7 x 7: 24 places before the centre, and the centre."""
    mask = impl.conv_mask(7, "B")
    why = "All rows above, what is left of the centre, and the centre."
    checking.equal(mask.sum().item(), 25.0, concept="mask-kind", why=why)
    checking.equal(mask[3], torch.tensor([1.0, 1, 1, 1, 0, 0, 0]), concept="mask-kind", why=why)


def test_log_likelihood_agrees_with_a_bernoulli(impl, seed):
    """Random logits and images, against torch's distribution, in float64."""
    noise = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(6, 11, generator=noise, dtype=torch.float64)
    x = (torch.rand(11, 6, generator=noise) < 0.4).double().T
    want = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(1)
    with checking.untouched(logits, x, why="Compute on copies."):
        got = impl.log_likelihood(logits, x)
        bits = impl.bits_per_pixel(logits, x)
    why = "A sum over the pixels of each image, in nats."
    checking.close(got, want, concept="product-of-conditionals", why=why)
    checking.alike(
        got, want, concept="product-of-conditionals", why="Keep the dtype of the logits."
    )
    why = "The mean over images and pixels, divided by ln 2."
    checking.close(bits, -want.mean() / 11 / 0.6931471805599453, concept="nats-or-bits", why=why)


def test_mask_covers_all_channels(impl, seed):
    """2 channels to 3: every output channel sees both input channels, before its place only."""
    torch.manual_seed(seed % 2**31)
    layer = impl.MaskedConv2d(2, 3, size=3, kind="A")
    x = torch.rand(1, 2, 3, 3).requires_grad_()
    want = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]]).expand(2, 3, 3)
    for value in layer(x)[0, :, 1, 1]:
        (gradient,) = torch.autograd.grad(value, x, retain_graph=True)
        got = (gradient[0] != 0).float()
        why = "One mask (size, size) holds for every pair of input and output channel."
        checking.equal(got, want, concept="all-channels", why=why)


def test_one_pixel(impl):
    """The smallest image: its logit is the bias."""
    layer = impl.MaskedLinear(1, "A")
    with torch.no_grad():
        got = layer(torch.tensor([[1.0], [0.0]]))
    want = layer.bias.detach().expand(2, 1)
    checking.equal(got, want, concept="bias", why="The first pixel depends on its bias alone.")
