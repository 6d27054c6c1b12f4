"""Public tests of w01.t08."""

import numpy as np
import pytest
import torch

from tasks.labs import checking


@pytest.fixture
def cloud(rng):
    """300 points in 6 dimensions, far from the origin, of unlike variances along skew axes: (300, 6)."""
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    spread = rng.normal(size=(300, 6)) * [5.0, 3.0, 2.0, 1.0, 0.5, 0.2]
    return torch.tensor(spread @ axes + rng.normal(size=6) + 10)


def axes_of(X):
    """Variances in falling order, and the matching axes as rows, from the covariance matrix."""
    values, vectors = np.linalg.eigh(np.cov(X.numpy().T, bias=True))
    return values[::-1].copy(), vectors.T[::-1].copy()


def random_codes(rng, n, k):
    return torch.tensor(rng.normal(size=(n, k)))


def chained(net, values, sizes):
    """What a chain of layers of these sizes gives with the weights of `net`, found there by their shapes."""
    weights = {tuple(weight.shape): weight for weight in net.parameters()}
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        found = (outputs, inputs) in weights and (outputs,) in weights
        why = "Layers d, width, width // 2, k and back, each with a bias."
        expected = f"a layer from {inputs} to {outputs}"
        checking.that(found, concept="layers", why=why, expected=expected, got=[*weights])
        values = torch.einsum("ni,oi->no", values, weights[outputs, inputs]) + weights[outputs,]
        if outputs != sizes[-1]:
            values = values * (values > 0)
    return values.detach()


@pytest.fixture(scope="module")
def shallow(impl, run_seed):
    """A trained linear autoencoder of 3 latents, and the training images."""
    X, _, _ = impl.images()
    torch.manual_seed(run_seed)
    net = impl.linear_autoencoder(64, 3).double()
    impl.fit_all(net, X)
    return net, X


def test_error_of_a_case_by_hand(impl):
    """Differences 0, 2, 4, 0: the mean of the squares is 5, and its slope is a half of each difference."""
    X = torch.tensor([[1.0, 2.0], [4.0, 1.0]], requires_grad=True)
    got = impl.squared_error(X, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    why = "Take the mean over images and pixels both: a sum over pixels would be d times as large."
    checking.close(got, 5.0, concept="mean-over-entries", why=why)
    why = "Stay with tensors, so that gradients flow through the error: no detach, no item."
    flows = getattr(got, "requires_grad", False)
    expected = "an error with a gradient"
    checking.that(flows, concept="gradient-flows", why=why, expected=expected, got=got)
    (-3 * got).backward()
    want = [[0.0, -3.0], [-6.0, 0.0]]
    checking.close(X.grad, want, concept="gradient-flows", why=why)


def test_directions_are_those_of_greatest_variance(impl, cloud):
    """Orthonormal, in order, and up to sign the axes of the covariance matrix."""
    with checking.untouched(cloud, why="Subtract the mean from a copy."):
        mean, directions = impl.pca(cloud, 3)
    checking.close(
        mean, cloud.mean(0), concept="centring", why="The mean is taken over the images."
    )
    gram = checking.array(directions @ directions.T)
    why = "Rows of `directions` are of length 1 and at right angles, (k, d)."
    checking.close(gram, np.eye(3), atol=1e-8, concept="orthonormal", why=why)
    axes = axes_of(cloud)[1]
    centred = impl.pca(cloud - cloud.mean(0), 3)[1]
    overlap = np.abs(checking.array(centred) @ axes.T)
    why = "A direction is an eigenvector of the covariance, and a row here: mind where eigh and svd put them."
    checking.close(
        overlap.max(axis=1), np.ones(3), rtol=1e-6, concept="directions-as-rows", why=why
    )
    why = "The direction of the greatest variance comes first; eigh sorts the other way round."
    checking.equal(overlap.argmax(axis=1), np.arange(3), concept="greatest-first", why=why)
    overlap = np.abs(np.sum(checking.array(directions) * axes[:3], axis=1))
    why = "Subtract the mean: else the first direction points at the cloud, not along it."
    checking.close(overlap, np.ones(3), rtol=1e-6, concept="centring", why=why)


def test_error_is_the_variance_left_out(impl, cloud):
    """Coding with k directions loses exactly the variance of the other d - k."""
    variances = axes_of(cloud)[0]
    for k in (1, 2, 5):
        mean, directions = impl.pca(cloud, k)
        with checking.untouched(
            cloud, mean, why="Subtract and add the mean on copies: no -= and no +=."
        ):
            back = impl.decode(impl.encode(cloud, mean, directions), mean, directions)
        got = impl.squared_error(back, cloud)
        why = "Seen from the mean go to coordinates and back, then add the mean: what is lost is the rest."
        want = variances[k:].sum() / 6
        checking.close(got, want, rtol=1e-6, concept="discarded-variance", why=why)


def test_the_mean_has_code_zero(impl, rng, cloud):
    """The mean is coded as zeros, zeros decode to the mean, and a decoded code encodes to itself."""
    mean, directions = impl.pca(cloud, 2)
    codes = impl.encode(mean[None], mean, directions)
    why = "Codes are seen from the mean: subtract it before you project."
    checking.close(codes, np.zeros((1, 2)), atol=1e-9, concept="mean-in-encode", why=why)
    image = impl.decode(torch.zeros(1, 2).double(), mean, directions)
    why = "A decoded image starts from the mean: add it back."
    checking.close(image, mean[None], concept="mean-in-decode", why=why)
    codes = random_codes(rng, 5, 2)
    again = impl.encode(impl.decode(codes, mean, directions), mean, directions)
    why = "Decoding takes each direction times its coordinate; encoding undoes it."
    checking.close(again, codes, rtol=1e-6, concept="round-trip", why=why)


def test_shares_of_a_case_by_hand(impl):
    """Points at distance 3, 2 and 1 on three axes: shares 9/14, 13/14 and 1, wherever the centre is."""
    X = torch.cat(
        [torch.diag(torch.tensor([2.0, 1.0, 3.0])), -torch.diag(torch.tensor([2.0, 1, 3]))]
    )
    got = impl.explained_variance(X + 7)
    why = "Variances are squared singular values of centred data; add up from the largest on, divide by all."
    checking.close(got, [9 / 14, 13 / 14, 1.0], rtol=1e-5, concept="explained-variance", why=why)


def test_shares_on_digits(impl):
    """Two directions keep 28 % of the variance of the digits; 21 keep 90 %, 29 keep 95 %."""
    shares = checking.array(impl.explained_variance(impl.images()[0]))
    why = "Shares of variance, summed from the largest."
    got = shares[[1, 9]]
    checking.close(
        got, [0.28342, 0.73800], rtol=0, atol=1e-4, concept="explained-variance", why=why
    )
    needed = [int((shares < part).sum()) + 1 for part in (0.9, 0.95)]
    checking.equal(needed, [21, 29], concept="explained-variance", why=why)


def test_angle_between_two_planes(impl):
    """Planes that share an axis and are turned by 60 degrees: cosine 1/2, whatever their bases are."""
    flat = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    turned = torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0, 0.75**0.5]])
    mixed = torch.tensor([[2.0, 1], [-1, 3]]) @ turned
    why = "Among the k cosines take the smallest, which belongs to the largest angle."
    checking.close(
        impl.subspace_cosine(flat, turned), 0.5, rtol=1e-5, concept="largest-angle", why=why
    )
    why = "A subspace has many bases: make both orthonormal before you compare."
    pairs = ((flat, mixed, 0.5), (mixed, flat, 0.5), (turned, mixed, 1.0), (5 * flat, flat, 1.0))
    for A, B, want in pairs:
        got = impl.subspace_cosine(A, B)
        checking.close(got, want, rtol=1e-5, concept="basis-free", why=why)


def test_linear_autoencoder_is_two_linear_layers(impl, rng):
    """It maps mid-points to mid-points, moves in k directions only, and has 2 d k + d + k weights."""
    net = impl.linear_autoencoder(10, 4).double()
    count = sum(weight.numel() for weight in net.parameters())
    why = "Each layer has a bias: that of the decoder learns the mean image."
    checking.equal(count, 2 * 10 * 4 + 10 + 4, concept="biases", why=why)
    a, b = random_codes(rng, 9, 10), random_codes(rng, 9, 10)
    why = "No activation anywhere: the code of a linear autoencoder may be any number."
    got, want = net((a + b) / 2), (net(a) + net(b)) / 2
    checking.close(got, want.detach(), rtol=1e-6, concept="linear", why=why)
    checking.equal(tuple(net.encoder(a).shape), (9, 4), concept="code-size", why="k numbers each.")


def test_deep_autoencoder_passes_k_numbers(impl, rng):
    """Its output moves in at most k directions, its codes have both signs, its pixels are in [0, 1]."""
    torch.manual_seed(int(rng.integers(2**31)))
    net = impl.mlp_autoencoder(20, 3, width=32).double()
    X = torch.tensor(rng.random((50, 20)))
    count = sum(weight.numel() for weight in net.parameters())
    want = 2 * (20 * 32 + 32 * 16 + 16 * 3) + (32 + 16 + 3) + (16 + 32 + 20)
    why = "Layers d, width, width // 2, k and back, each with a bias."
    checking.equal(count, want, concept="layers", why=why)
    codes = torch.cat([net.encoder(X), net.encoder(-X), net.encoder(100 * X)])
    negative = (codes < 0).any(0) | (codes == 0).all(0)
    free = bool((codes < 0).any()) and not bool((codes == 0).any())
    why = "No activation on the code: a ReLU there throws half of the latent space away."
    checking.that(free, concept="free-code", why=why, got=f"negative in {int(negative.sum())} of 3")
    matrix = torch.autograd.functional.jacobian(lambda x: net(x[None])[0], X[0])
    rank = int(torch.linalg.matrix_rank(matrix, rtol=1e-9))
    why = "Everything that the decoder knows has to pass the code of k numbers."
    checking.that(rank <= 3, concept="bottleneck", why=why, expected="rank at most 3", got=rank)
    far = net.decoder(1e4 * random_codes(rng, 40, 3))
    within = bool(((far >= 0) & (far <= 1)).all()) and bool((far > 0.5).any())
    why = "A sigmoid at the very end keeps pixels between 0 and 1."
    checking.that(within, concept="pixel-range", why=why, expected="values in [0, 1]", got=far)


def test_deep_autoencoder_layer_by_layer(impl, rng):
    """The same numbers come out when its weights are applied one layer after the other."""
    torch.manual_seed(int(rng.integers(2**31)))
    net = impl.mlp_autoencoder(20, 3, width=32).double()
    why = "A ReLU after each of the two hidden layers of either side; none on the code."
    X, codes = 4 * random_codes(rng, 30, 20), 9 * random_codes(rng, 30, 3)
    want = chained(net.encoder, X, (20, 32, 16, 3))
    checking.close(net.encoder(X), want, rtol=1e-6, concept="activation", why=why)
    why = "A ReLU after each hidden layer, and after the last layer the sigmoid alone."
    want = 1 / (1 + torch.exp(-chained(net.decoder, codes, (3, 16, 32, 20))))
    checking.close(net.decoder(codes), want, rtol=1e-6, concept="activation", why=why)


def test_deep_autoencoder_learns_everywhere(impl, rng):
    """Every weight gets a gradient, and the code is no linear map of the image."""
    torch.manual_seed(int(rng.integers(2**31)))
    net = impl.mlp_autoencoder(20, 3, width=32).double()
    X, Y = torch.tensor(rng.random((200, 20))), torch.tensor(rng.random((200, 20)))
    (net(X) * random_codes(rng, 200, 20)).sum().backward()
    silent = [name for name, w in net.named_parameters() if w.grad is None or not w.grad.any()]
    why = "All layers are on the way from image to image."
    checking.equal(silent, [], concept="gradient-flows", why=why)
    bend = (net.encoder((X + Y) / 2) - (net.encoder(X) + net.encoder(Y)) / 2).abs().max()
    why = "Without activations between its layers a deep net is a linear one."
    checking.that(bend > 1e-4, concept="activation", why=why, expected="a bent map", got=bend)


def test_trained_linear_autoencoder_is_pca(impl, shallow):
    """At its best it has the error of 3 principal components, and spans the same subspace."""
    net, X = shallow
    mean, directions = impl.pca(X, 3)
    best = impl.squared_error(
        impl.decode(impl.encode(X, mean, directions), mean, directions), X
    ).item()
    got = impl.squared_error(net(X), X).item()
    why = "Nothing linear beats principal components, and training reaches them: is a bias or a mean missing?"
    checking.that(
        best * (1 - 1e-9) < got < best * 1.0005,
        concept="equals-pca",
        why=why,
        expected=f"{best:.6f} to {best * 1.0005:.6f}",
        got=got,
    )
    moves = net.decoder(torch.eye(3).double()) - net.decoder(torch.zeros(3).double())
    cosine = impl.subspace_cosine(moves.detach(), directions)
    why = "The decoder's columns are a basis of the principal subspace, if not the orthonormal one."
    checking.that(cosine > 0.999, concept="equals-pca", why=why, expected="over 0.999", got=cosine)


def test_deep_autoencoder_beats_pca(impl, run_seed):
    """With 2 latents its error on test digits is little over half of that of 2 principal components."""
    train, test, _ = impl.images()
    torch.manual_seed(run_seed)
    net = impl.mlp_autoencoder(64, 2)
    impl.fit_batches(net, train.float())
    with torch.no_grad():
        got = impl.squared_error(net(test.float()), test.float()).item()
    mean, directions = impl.pca(train, 2)
    flat = impl.decode(impl.encode(test, mean, directions), mean, directions)
    limit = 0.7 * impl.squared_error(flat, test).item()
    why = "A bent surface of 2 dimensions passes closer to the digits than any plane."
    words = f"below {limit:.4f}, which is 0.7 times the error of the plane"
    checking.that(got < limit, concept="non-linear", why=why, expected=words, got=got)
