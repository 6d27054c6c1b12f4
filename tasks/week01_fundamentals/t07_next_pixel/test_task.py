"""Public tests of w01.t07."""

import itertools

import numpy as np
import pytest
import torch

from tasks.labs import checking

FUTURE = (
    "Multiply the weights by the mask in forward: no output may move with its own or a later pixel."
)


def jacobian(net, x):
    """What each logit depends on, by torch's own function."""
    return torch.autograd.functional.jacobian(lambda one: net(one[None])[0], x)


def every_image(pixels):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=pixels)), dtype=torch.float64)


def odds_of(probabilities):
    p = torch.tensor(probabilities)
    return torch.log(p / (1 - p))


@pytest.fixture
def noise(seed):
    """A generator for tensors; the weights of layers made in the test follow the seed too."""
    torch.manual_seed(seed % 2**31)
    return torch.Generator().manual_seed(seed)


def test_masks_of_a_linear_layer(impl):
    """Three pixels: kind A sees those before, kind B its own too."""
    before = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]])
    got = impl.linear_mask(3, "A")
    why = "Row i belongs to output pixel i: it sees columns j < i, and column i itself for kind B only."
    checking.equal(got, before, concept="mask-kind", why=why)
    checking.equal(impl.linear_mask(3, "B"), before + torch.eye(3), concept="mask-kind", why=why)
    why = "Give a float32 tensor, which weights multiply with."
    checking.alike(got, before, concept="mask-dtype", why=why)


def test_masks_of_a_kernel(impl):
    """3 x 3 and 5 x 5: rows above, and in the centre's row what is left of it."""
    want = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]])
    got, wide = impl.conv_mask(3, "A"), impl.conv_mask(5, "A")
    why = "The centre is the pixel itself: closed for kind A, open for kind B."
    centres = [float(mask[1, 1]) for mask in (got, impl.conv_mask(3, "B"))]
    checking.equal(centres, [0.0, 1.0], concept="mask-kind", why=why)
    why = "Reading order: all rows above the centre, and in its own row what is to the left."
    checking.equal(got, want, concept="reading-order", why=why)
    counts = torch.tensor([5.0, 5, 2, 0, 0])
    checking.equal(wide.sum(1), counts, concept="reading-order", why=why)
    want[1, 1] = 1
    why = "Kind B adds the centre, and nothing else."
    checking.equal(impl.conv_mask(3, "B"), want, concept="mask-kind", why=why)
    checking.equal(impl.conv_mask(1, "B"), torch.ones(1, 1), concept="mask-kind", why=why)
    why = "Give a float32 tensor of the kernel's size."
    checking.alike(got, want, concept="mask-dtype", why=why)


def test_linear_layer_sees_only_what_is_before(impl, noise):
    """The Jacobian of kind A is the weights below the diagonal, and exactly zero elsewhere."""
    layer = impl.MaskedLinear(7, "A")
    got = jacobian(layer, torch.rand(7, generator=noise))
    checking.equal(got.triu(), torch.zeros(7, 7), concept="sees-the-future", why=FUTURE)
    want = layer.weight.detach().tril(-1)
    why = "Weights that the mask lets through count in full."
    checking.close(got, want, rtol=1e-5, concept="sees-the-past", why=why)
    got, want = layer(torch.zeros(2, 7)), layer.bias.detach().expand(2, 7)
    why = "The bias is not masked: the first pixel has nothing but its bias."
    checking.close(got, want, rtol=1e-5, concept="bias", why=why)


def test_mask_holds_after_a_training_step(impl, noise):
    """A step that pushes every weight opens nothing, and moves what is open."""
    layer = impl.MaskedLinear(6, "A")
    x, probe = torch.rand(5, 6, generator=noise), torch.rand(6, generator=noise)
    before = jacobian(layer, probe)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    (layer(x) * torch.randn(5, 6, generator=noise)).sum().backward()
    optimizer.step()
    moved = int((jacobian(layer, probe) != before).sum())
    with torch.no_grad():
        layer.weight += 1
    why = "Weights change after the layer was made: apply the mask anew in every forward."
    got = jacobian(layer, probe).triu()
    checking.equal(got, torch.zeros(6, 6), concept="mask-once", why=why)
    why = "All weights below the diagonal must learn: use the parameter itself, not a copy of its data."
    checking.equal(moved, 15, concept="gradient-flows", why=why)


@pytest.mark.parametrize(("kind", "size"), [("A", 3), ("B", 3), ("B", 1), ("A", 5)])
def test_convolution_sees_only_what_is_before(impl, noise, kind, size):
    """On 4 x 5 images the Jacobian holds the kernel's weights at pixels before, and zeros elsewhere."""
    layer, half = impl.MaskedConv2d(1, 1, size=size, kind=kind), size // 2
    net = torch.nn.Sequential(torch.nn.Unflatten(1, (1, 4, 5)), layer, torch.nn.Flatten())
    why = "Keep height and width: pad with zeros by half the kernel's size, on each side."
    out = layer(torch.zeros(2, 1, 4, 5))
    checking.equal(tuple(out.shape), (2, 1, 4, 5), concept="padding", why=why)
    why = "The bias is not masked: it is added at each place."
    want = layer.bias.detach().expand(2, 1, 4, 5)
    checking.close(out, want, rtol=1e-5, concept="bias", why=why)
    got, want = jacobian(net, torch.rand(20, generator=noise)), torch.zeros(20, 20)
    reach = range(-half, half + 1)
    for row, column, up, left in itertools.product(range(4), range(5), reach, reach):
        seen = (up, left) < (0, 0) or (kind == "B" and (up, left) == (0, 0))
        if seen and 0 <= row + up < 4 and 0 <= column + left < 5:
            weight = layer.weight.detach()[0, 0, half + up, half + left]
            want[5 * row + column, 5 * (row + up) + column + left] = weight
    checking.equal(got != 0, want != 0, concept="sees-the-future", why=FUTURE)
    why = "Where the mask is 1 this is a convolution as any other."
    checking.close(got, want, rtol=1e-5, concept="sees-the-past", why=why)


def test_kernels_learn_where_they_are_open(impl, noise):
    """From two channels to three: every open weight, and every bias, has a gradient."""
    layer = impl.MaskedConv2d(2, 3, size=3, kind="B")
    x = torch.rand(4, 2, 5, 5, generator=noise)
    (layer(x) * torch.randn(4, 3, 5, 5, generator=noise)).sum().backward()
    why = "Use weight and bias themselves, not copies of their data: else the layer never learns."
    for name, values, learning in (("weight", layer.weight, 30), ("bias", layer.bias, 3)):
        count = 0 if values.grad is None else int((values.grad != 0).sum())
        checking.that(
            count >= learning,
            concept="gradient-flows",
            why=why,
            expected=f"{learning} numbers of {name} with a gradient",
            got=count,
        )


def test_jacobian_of_a_known_net(impl, noise):
    """tanh of a linear map: rows belong to logits, columns to pixels."""
    W, x = torch.randn(4, 4, generator=noise), torch.randn(4, generator=noise)
    with checking.untouched(x, why="Work on a copy of the image."):
        got = impl.input_jacobian(lambda images: torch.tanh(images @ W.T), x)
    why = "The caller's image stays a plain tensor: gradients are recorded for your own copy."
    checking.that(not x.requires_grad, concept="input-changed", why=why)
    want = (1 - torch.tanh(W @ x) ** 2)[:, None] * W
    why = "Entry i, j is the derivative of logit i by pixel j: one backward pass for each logit."
    checking.close(got, want, rtol=1e-4, atol=1e-6, concept="jacobian", why=why)


def test_log_likelihood_of_a_case_by_hand(impl):
    """Ones have probabilities 3/4 and 1/5: image (1, 0) has 3/4 * 4/5, image (0, 1) has 1/4 * 1/5."""
    logits = odds_of([0.75, 0.2]).expand(2, 2)
    got = impl.log_likelihood(logits, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    why = "The log of a product over the pixels is a sum: of log p where a pixel is 1, log (1 - p) where 0."
    checking.close(got, np.log([0.6, 0.05]), rtol=1e-5, concept="product-of-conditionals", why=why)


def test_log_likelihood_of_extreme_logits(impl):
    """A logit of 1e4 at a pixel of 0 costs 1e4 nats, and at a pixel of 1 nothing."""
    logits = torch.tensor([[1e4, -1e4], [1e4, -1e4]], requires_grad=True)
    got = impl.log_likelihood(logits, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    why = "A probability rounds to 0, and its log is lost: go from the logit to the log at once."
    checking.close(got, [0.0, -2e4], concept="log-of-zero", why=why)
    (got * torch.tensor([0.5, -2.0])).sum().backward()
    why = "The derivative by a logit is x - p, times what comes from above."
    checking.close(logits.grad, [[0.0, 0.0], [2.0, -2.0]], concept="gradient-flows", why=why)


def test_probabilities_of_all_images_sum_to_one(impl, noise):
    """All 512 images of 3 x 3 pixels, under a masked linear layer and under a net of convolutions."""
    images = every_image(9)
    for made in (impl.MaskedLinear(9, "A"), impl.pixel_cnn(3, 3)):
        net = made.double()
        with torch.no_grad():
            for weight in net.parameters():
                weight.copy_(torch.randn(weight.shape, generator=noise, dtype=torch.float64))
            total = impl.log_likelihood(net(images), images).exp().sum().item()
        why = "Conditionals on earlier pixels alone multiply to a distribution; one that sees more does not."
        checking.close(total, 1.0, rtol=1e-9, concept="sums-to-one", why=why)


def test_bits_of_a_coin_and_of_a_bent_coin(impl):
    """Logits of zero cost 1 bit; p = 3/4 costs log2(4/3) for a one and 2 bits for a zero."""
    x = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    why = "Bits are logs to base 2: divide nats by ln 2. And it is a mean over images and pixels."
    got = impl.bits_per_pixel(torch.zeros(2, 3), x)
    checking.close(got, 1.0, rtol=1e-6, concept="nats-or-bits", why=why)
    kind = type(got).__name__
    number = (
        "Give a number of Python, not a tensor: it is to be read, and nothing is derived from it."
    )
    checking.equal(kind, "float", concept="plain-number", why=number)
    got = impl.bits_per_pixel(odds_of([0.75]).expand(2, 3), x)
    want = (4 * np.log2(4 / 3) + 2 * 2) / 6
    checking.close(got, want, rtol=1e-5, concept="nats-or-bits", why=why)


def test_independent_pixels_by_hand(impl):
    """In 3 images the first pixel is never 1, the second always: p is 1/5 and 4/5."""
    train, test = torch.tensor([[0.0, 1.0]]).expand(3, 2), torch.tensor([[0.0, 0.0]])
    want = (np.log2(5 / 4) + np.log2(5)) / 2
    why = "Count in the training images, with one more 0 and one more 1; then code the test images."
    got = impl.independent_bits(train, test)
    checking.close(got, want, rtol=1e-5, concept="independent-pixels", why=why)


def test_samples_follow_the_pixels_before(impl, noise):
    """A net that wants each pixel unlike the one before it draws stripes and nothing else."""

    def stripes(x):
        before = torch.cat([torch.full((len(x), 1), 0.5), x[:, :-1]], dim=1)
        return 1000 * (0.5 - before)

    got = impl.sample(stripes, 40, 6, generator=noise)
    why = "Give float32 zeros and ones, (n, pixels): a draw, not a probability."
    checking.alike(got, torch.zeros(40, 6), concept="sample-form", why=why)
    checking.that(bool(((got == 0) | (got == 1)).all()), concept="sample-form", why=why)
    equal = int((got[:, 1:] == got[:, :-1]).sum())
    why = "Draw a pixel, put it into the image, and ask the net again before drawing the next."
    checking.equal(f"{equal} equal pairs", "0 equal pairs", concept="one-pixel-at-a-time", why=why)


def test_samples_have_the_net_s_probabilities(impl, noise):
    """4000 images of 3 pixels: each of the 8 images about as often as the net says."""
    odds = odds_of([0.3, 0.6, 0.8])

    def net(x):
        shift = torch.stack([x[:, 0] * 0, 2 * x[:, 0], x[:, 0] - 3 * x[:, 1]], dim=1)
        return odds.to(x.dtype) + shift

    images = every_image(3)
    p = torch.sigmoid(net(images))
    want = torch.where(images == 1, p, 1 - p).prod(1)
    got = impl.sample(net, 4000, 3, generator=noise)
    counts = torch.bincount((got @ torch.tensor([4.0, 2.0, 1.0])).long(), minlength=8)
    why = "Each pixel is 1 with the probability sigmoid(logit), given what was drawn before it: do not round."
    checking.close(counts / 4000, want, atol=0.045, rtol=0, concept="draw-not-argmax", why=why)


def test_generator_decides_the_samples(impl):
    """The same seed gives the same images, another seed others."""

    def draw(seed):
        return impl.sample(torch.zeros_like, 20, 8, generator=torch.Generator().manual_seed(seed))

    first, second, other = draw(3), draw(3), draw(4)
    why = "Draw with the generator that is given, and with no other."
    checking.equal(second, first, concept="generator", why=why)
    checking.that(bool((other != first).any()), concept="generator", why=why)


def test_digits_cost_less_bits_than_independent_pixels(impl, run_seed):
    """A masked linear layer comes to 0.41 bits per test pixel; independent pixels cost 0.55."""
    train, test = impl.binary_digits()
    torch.manual_seed(run_seed)
    net = impl.MaskedLinear(64, "A")
    impl.fit(net, train)
    with torch.no_grad():
        bits = impl.bits_per_pixel(net(test), test)
    alone = impl.independent_bits(train, test)
    why = "Count in the training images, and measure on the test images."
    checking.close(alone, 0.5508, rtol=0, atol=5e-4, concept="independent-pixels", why=why)
    why = (
        "More: the layer sees too little, or does not learn. Less: it sees what it should predict."
    )
    wanted = "between 0.395 and 0.42 bits per pixel"
    within = 0.395 < bits < 0.42
    checking.that(within, concept="trained-bits", why=why, expected=wanted, got=bits)
