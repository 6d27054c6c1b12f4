"""Compression to a latent vector: autoencoder against PCA, VAE against closed forms, their figures."""

import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from matplotlib.image import imread
from sklearn.decomposition import PCA
from test_building import batches, fit, quiet_trainer
from test_figures import assert_shows_something
from test_script import Script, same, weights
from torch import Tensor, nn
from torch.distributions import Bernoulli as Coin
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from lab.data.base import TensorSet
from lab.data.digits import Digits
from lab.errors import LabError
from lab.figures import latent
from lab.models import pca, variational
from lab.models.autoencoder import Autoencoder
from lab.models.building import build_net
from lab.models.decoders import build_decoder
from lab.models.pixels import Pixels, Unbounded, units
from lab.models.vae import VAE
from lab.nets.cnn import CNN
from lab.nets.conv_decoder import ConvDecoder
from lab.nets.linear import Linear
from lab.nets.mlp import MLP
from lab.run.metrics_file import read_rows

SHAPE, UNIT = (1, 8, 8), ((0.0,), (1.0,))
SMALL = partial(MLP, depth=1, width=16)
MODELS = [Autoencoder, VAE]
both = pytest.mark.parametrize("kind", MODELS)


def made(kind: Any, *, shape: Any = SHAPE, bounds: Any = UNIT, **options: Any) -> Any:
    torch.manual_seed(0)
    return kind(shape, bounds, **{"encoder": SMALL, "decoder": SMALL, **options})


def digits() -> Digits:
    data = Digits()
    data.setup("fit")
    return data


def measured(model: pl.LightningModule, *tensors: Tensor, size: int = 8) -> dict[str, float]:
    (found,) = quiet_trainer().test(model, batches(*tensors, size=size), verbose=False)
    return found


def labelled(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Some digits with their classes."""
    images, labels = digits().train_set.tensors
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:count]
    return images[rows], labels[rows]


# The mathematics


def test_kl_and_densities_are_torchs() -> None:
    torch.manual_seed(0)
    mean, log_var, noise, x = torch.randn(4, 7, 3, dtype=torch.double)
    code, prior = Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0)
    torch.testing.assert_close(
        variational.gaussian_kl(mean, log_var), kl_divergence(code, prior).sum(-1)
    )
    torch.testing.assert_close(variational.gaussian_log_density(x, mean, log_var), code.log_prob(x))
    z = mean + (log_var / 2).exp() * noise
    torch.testing.assert_close(
        variational.log_ratio(z, noise, log_var), (code.log_prob(z) - prior.log_prob(z)).sum(-1)
    )
    bits = (x > 0).double()
    torch.testing.assert_close(
        variational.bernoulli_log_mass(bits, mean), Coin(logits=mean).log_prob(bits)
    )
    grey = x.sigmoid()
    torch.testing.assert_close(
        variational.bernoulli_log_mass(grey, 9 * mean),
        -F.binary_cross_entropy_with_logits(9 * mean, grey, reduction="none"),
    )


def test_bound_by_hand() -> None:
    log_weights = torch.tensor([[1.0, 0.0], [3.0, 0.0]]).log()
    expected = torch.tensor([math.log(2), -math.inf])
    assert torch.equal(variational.log_mean_weight(log_weights), expected)
    assert torch.equal(variational.log_mean_weight(log_weights[:1]), log_weights[0])
    # No overflow of weights that no float can hold.
    assert variational.log_mean_weight(torch.tensor([[900.0], [900.0]])).item() == 900.0


def test_likelihoods_sum_over_an_image_and_take_several_outputs() -> None:
    torch.manual_seed(0)
    unit, outputs = torch.rand(3, 2, 4, 4), torch.randn(5, 3, 2, 4, 4)
    for likelihood in (variational.Bernoulli(), variational.Gaussian()):
        together = likelihood.log_likelihood(unit, outputs)
        assert together.shape == (5, 3)
        for place in range(5):
            torch.testing.assert_close(
                likelihood.log_likelihood(unit, outputs[place]), together[place]
            )
    gaussian = Normal(outputs[0], math.exp(-1)).log_prob(unit).sum((1, 2, 3))
    torch.testing.assert_close(variational.Gaussian().log_likelihood(unit, outputs[0]), gaussian)


def test_components_are_those_of_scikit_learn() -> None:
    data = digits()
    mean, covariance = pca.mean_and_covariance(pca.chunks(data.train_set, data, Pixels(UNIT)))
    axes = pca.principal_axes(covariance, 5)
    train, test = (part.tensors[0].flatten(1).double() for part in (data.train_set, data.test_set))
    reference = PCA(5, svd_solver="full").fit(train.numpy())
    np.testing.assert_allclose(mean, reference.mean_, atol=1e-12)
    np.testing.assert_allclose(abs(axes.numpy() @ reference.components_.T), np.eye(5), atol=1e-9)
    rebuilt = reference.inverse_transform(reference.transform(test.numpy()))
    expected = ((rebuilt - test.numpy()) ** 2).mean()
    assert pca.projection_error(test.split(7), mean, axes) == pytest.approx(expected, rel=1e-9)
    everything = pca.principal_axes(covariance, 100)
    assert pca.projection_error([test], mean, everything) < 1e-9 and len(everything) == 64


def test_baselines_see_what_the_model_sees() -> None:
    images = torch.randint(0, 256, (9, 1, 2, 2), dtype=torch.uint8)
    scale = Pixels(((-2.0,), (3.0,)))
    data = SimpleNamespace(batch_transform=lambda batch: (batch[0].float() / 255 * 5 - 2, batch[1]))
    (found,) = pca.chunks(TensorSet(images, torch.zeros(9)), data, scale)
    torch.testing.assert_close(found, (images / 255).flatten(1).double())


def test_data_without_bounds_keep_their_units() -> None:
    x = torch.randn(4, 2) * 9
    assert isinstance(units(UNIT), Pixels) and isinstance(units(None), Unbounded)
    assert units(None).to_unit(x) is units(None).from_unit(x) is x


# Nets and their sizes


def test_decoders_give_the_shape_of_the_data() -> None:
    for decoder in (SMALL, Linear, partial(ConvDecoder, width=4)):
        net = build_decoder(decoder, 3, (2, 7, 5))
        assert net(torch.randn(4, 3)).shape == (4, 2, 7, 5)


def test_errors_of_nets_call_them_by_their_place() -> None:
    with pytest.raises(LabError, match=r"^--model\.encoder\.width 0: choose 1 or more$"):
        build_net(partial(MLP, width=0), SHAPE, 2, option="encoder")
    with pytest.raises(LabError, match=r"^--model\.decoder\.depth 0: choose 1 or more$"):
        build_decoder(partial(ConvDecoder, depth=0), 2, SHAPE)
    with pytest.raises(LabError, match=r"draws images .* have shape \(2,\): use MLP"):
        build_decoder(ConvDecoder, 1, (2,))
    with pytest.raises(ValueError, match=r"--model\.net\.width 0"):
        ConvDecoder((2,), SHAPE, width=0)
    with pytest.raises(ValueError, match="Nearest: relu"):
        ConvDecoder((2,), SHAPE, activation="rleu")  # type: ignore[arg-type]


def test_doublings_reach_every_pixel_equally_often() -> None:
    net = ConvDecoder((2,), (1, 13, 10), depth=2, width=3)
    last = net.stages[-1]
    nn.init.ones_(last.conv.weight)
    image = last(torch.ones(1, 3, 7, 5))[0, 0]
    assert image.shape == (13, 10)
    # At the border a part of the kernel falls outside.
    assert image[1:-1, 1:-1].unique().numel() == 1


# Both models


@both
def test_one_batch_is_learned_by_heart(kind: Any) -> None:
    x, y = labelled(16)
    wide = {"encoder": partial(MLP, activation="gelu"), "decoder": partial(MLP, activation="gelu")}
    x = (x > 0.5).float()
    model = made(kind, latent_dim=8, lr=3e-3, **wide, **({"beta": 0.0} if kind is VAE else {}))
    fit(model, x, y, size=16, max_epochs=200)
    assert F.mse_loss(model(x), x) < 2e-3


@both
def test_codes_and_images_have_their_shapes(kind: Any) -> None:
    x, _ = labelled(5)
    model = made(kind, latent_dim=3)
    assert model.encode(x).shape == model.predict_step((x,), 0).shape == (5, 3)
    assert model(x).shape == x.shape
    assert torch.equal(model(x), model.decode(model.encode(x)))


@both
def test_classes_play_no_part(kind: Any) -> None:
    x, y = labelled(24)
    found = []
    for labels in (y, 9 - y):
        model = made(kind)
        torch.manual_seed(1)
        fit(model, x, labels, max_epochs=2)
        found.append(model.state_dict())
    assert same(*found)


@both
def test_measures_do_not_depend_on_the_range_of_the_data(kind: Any) -> None:
    class Same(nn.Module):
        """Codes that are the same for both, whatever it is given."""

        def __init__(self, input_shape: Any, num_outputs: int) -> None:
            super().__init__()
            self.codes = nn.Parameter(torch.linspace(-1, 1, num_outputs))

        def forward(self, x: Tensor) -> Tensor:
            return self.codes.expand(len(x), -1)

    x, y = labelled(20)
    found = measured(made(kind, encoder=Same), x, y)
    other = made(kind, encoder=Same, bounds=((-0.4,), (2.8,)))
    assert measured(other, x * 3.2 - 0.4, y) == pytest.approx(found, rel=1e-5)


@both
def test_metrics_count_every_image_once(kind: Any) -> None:
    x, y = labelled(21)
    model = made(kind, latent_dim=2)
    whole = measured(model, x, y, size=21)
    if kind is Autoencoder:
        assert whole == pytest.approx({"test/loss": F.mse_loss(model(x), x).item()})
        assert measured(model, x, y, size=8) == pytest.approx(whole)
    else:
        assert measured(model, x, y, size=21) == whole


@pytest.mark.slow
@both
def test_checkpoints_are_plain_and_resume_to_the_last_bit(script: Script, kind: Any) -> None:
    words = (
        "--model",
        kind.__name__,
        "--data.augment",
        "true",
        "--trainer.limit_test_batches",
        "1",
    )
    whole = script(*words, "--trainer.max_epochs", "3", "--run_dir", "whole")
    assert whole.code == 0, whole.err
    script(*words, "--trainer.max_epochs", "1", "--run_dir", "part")
    resumed = script("--resume", "part", "--trainer.max_epochs", "3")
    assert resumed.code == 0, resumed.err
    assert same(weights(Path("whole")), weights(Path("part")))
    assert read_rows(Path("whole/metrics.csv")) == read_rows(Path("part/metrics.csv"))


@both
def test_predict_writes_codes(script: Script, kind: Any) -> None:
    run = script("--model", kind.__name__, "--model.latent_dim", "3", "--trainer.max_epochs", "1")
    best = run.folder / "checkpoints" / "best.ckpt"
    outcome = script("predict", "--ckpt_path", best, "--run_dir", "codes")
    assert outcome.code == 0, outcome.err
    codes = torch.load("codes/predictions.pt", weights_only=True)
    assert codes.shape == (360, 3) and codes.isfinite().all()
    again = script("test", "--ckpt_path", best).summary
    tested = {key: value for key, value in run.summary.items() if key.startswith("test/")}
    assert {key: again[key] for key in tested} == pytest.approx(tested, rel=1e-6)


WRONG = [
    ("Autoencoder", "--model.latent_dim 0", "--model.latent_dim 0: choose 1 or more", ""),
    ("Autoencoder", "--model.noise -1", "--model.noise -1.0: choose 0 or more", ""),
    ("Autoencoder", "--model.encoder.width 0", "--model.encoder.width 0: choose 1", ""),
    ("Autoencoder", "--model.decoder.depth -1", "--model.decoder.depth -1: choose 0", ""),
    ("Autoencoder", "--model.decoder.widht 3", "unknown option --model.decoder.widht", "width"),
    ("Autoencoder", "--model.decoder ConvDecodr", "--model.decoder ConvDecodr", "ConvDecoder"),
    ("Autoencoder", "--model.net MLP", "unknown option --model.net", ""),
    ("Autoencoder", "--data Curve", "--data Curve does not fit --model Autoencoder", "Regression"),
    ("VAE", "--model.latent_dim 0", "--model.latent_dim 0: choose 1 or more", ""),
    ("VAE", "--model.importance_samples 0", "--model.importance_samples 0: choose 1", ""),
    ("VAE", "--model.beta -1", "--model.beta -1.0: choose 0 or more", ""),
    ("VAE", "--model.likelihood gausian", "--model.likelihood gausian", "gaussian"),
    ("VAE", "--data Diabetes", "--data Diabetes does not fit --model VAE", "Regression"),
]


@pytest.mark.parametrize("model, words, first, offer", WRONG, ids=[row[1] for row in WRONG])
def test_wrong_options_get_a_short_answer(
    script: Script, model: str, words: str, first: str, offer: str
) -> None:
    outcome = script("--model", model, *words.split())
    assert outcome.code == 2
    lines = outcome.err.strip().splitlines()
    assert len(lines) <= 6 and first in lines[0] and offer in outcome.err


def test_points_need_a_likelihood_without_bounds() -> None:
    x, y = torch.randn(30, 2), torch.arange(30) % 3
    with pytest.raises(LabError, match="bernoulli is for pixels.*choose gaussian"):
        made(VAE, shape=(2,), bounds=None)
    for kind, options in ((VAE, {"likelihood": "gaussian"}), (Autoencoder, {})):
        model = made(kind, shape=(2,), bounds=None, latent_dim=1, **options)
        assert all(math.isfinite(value) for value in measured(model, x, y).values())
    assert [path.stem for path in Path("figures").iterdir()] == ["latent_map"]


# Autoencoder


def test_autoencoder_starts_from_the_error_of_black() -> None:
    x, y = labelled(40)
    model = made(Autoencoder, decoder=Linear)
    assert measured(model, x, y)["test/loss"] == pytest.approx(x.square().mean().item(), rel=1e-5)


def test_noise_is_in_the_input_of_training_alone() -> None:
    x, y = labelled(9)
    model = made(Autoencoder, noise=0.5)
    seen: list[Tensor] = []
    model.encoder.register_forward_hook(lambda net, args, out: seen.append(args[0]))
    measured(model, x, y, size=9)
    model.trainer = quiet_trainer(log_every_n_steps=1000)
    loss = model.training_step((x, y), 0)
    assert torch.equal(seen[0], x)
    assert (seen[1] - x).std().item() == pytest.approx(0.5, rel=0.1)
    assert loss == F.mse_loss(model.decode(model.encoder(seen[1])), x)


def test_autoencoder_stands_beside_pca_and_the_mean_image() -> None:
    data = digits()
    train, test = (part.tensors[0].flatten(1).double() for part in (data.train_set, data.test_set))
    reference = PCA(3, svd_solver="full").fit(train.numpy())
    error = test.numpy() - reference.inverse_transform(reference.transform(test.numpy()))
    found = made(Autoencoder, latent_dim=3).baselines(data)
    assert found["pca"]["test/loss"] == pytest.approx((error**2).mean(), rel=1e-9)
    error = test - train.mean(0)
    assert found["mean"]["test/loss"] == pytest.approx(error.square().mean().item(), rel=1e-9)


def test_linear_autoencoder_is_pca(script: Script) -> None:
    outcome = script("-c", "digits_linear_autoencoder")
    assert outcome.code == 0, outcome.err
    ratio = outcome.summary["test/loss"] / outcome.summary["baseline/pca/test/loss"]
    assert ratio == pytest.approx(1, abs=1e-3)
    # The plane is that of PCA, whatever the axes in it.
    data = digits()
    mean, covariance = pca.mean_and_covariance(pca.chunks(data.train_set, data, Pixels(UNIT)))
    axes = pca.principal_axes(covariance, 2)
    plane = weights(outcome.folder, "best")["decoder.0.sum.weight"].double()
    inside = (plane.T @ axes.T @ axes).norm() / plane.norm()
    assert inside > 0.999


# VAE


def test_vae_starts_from_a_guess() -> None:
    x, y = labelled(40)
    found = measured(made(VAE, encoder=Linear, decoder=Linear), (x > 0.5).float(), y)
    nats = 64 * math.log(2)
    expected = {"loss": nats, "elbo": -nats, "iw_bound": -nats, "reconstruction": nats, "kl": 0.0}
    assert found == pytest.approx({f"test/{k}": v for k, v in expected.items()}, rel=1e-5)


def test_vae_terms_add_up() -> None:
    x, y = labelled(24)
    model = made(VAE, beta=3.0, encoder=partial(Linear, zero_init=False), latent_dim=4)
    found = {key[5:]: value for key, value in measured(model, x, y).items()}
    assert found["elbo"] == pytest.approx(-found["reconstruction"] - found["kl"], rel=1e-5)
    assert found["loss"] == pytest.approx(found["reconstruction"] + 3 * found["kl"], rel=1e-5)
    mean, log_var = model.posterior(x)
    kl = kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert found["kl"] == pytest.approx(kl.item(), rel=1e-5) and found["kl"] > 0.01


def test_vae_is_trained_on_the_negative_elbo_of_codes_drawn_at_each_step() -> None:
    x, y = labelled(24)
    model = made(VAE, beta=2.0)
    model.trainer = quiet_trainer(log_every_n_steps=1000)
    torch.manual_seed(3)
    losses = [model.training_step((x, y), 0) for _ in range(2)]
    assert losses[0] != losses[1]
    torch.manual_seed(3)
    mean, log_var = model.posterior(x)
    code = Normal(mean, (log_var / 2).exp())
    z = mean + torch.randn_like(mean) * (log_var / 2).exp()
    logits = model.decoder(z)
    error = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / 24
    kl = kl_divergence(code, Normal(0.0, 1.0)).sum() / 24
    torch.testing.assert_close(losses[0], error + 2 * kl)
    losses[0].backward()
    assert all(weight.grad is not None for weight in model.parameters())


class Exact(nn.Module):
    """The true posterior of z ~ N(0, 1), x ~ N(w z, s2) for numbers x (B, D): its mean and log-variance."""

    def __init__(self, w: Tensor, s2: float) -> None:
        super().__init__()
        self.register_buffer("w", w)
        self.precision = 1 + w.square().sum().item() / s2
        self.s2 = s2

    def forward(self, x: Tensor) -> Tensor:
        mean = x @ self.w / self.s2 / self.precision
        return torch.stack([mean, torch.full_like(mean, -math.log(self.precision))], 1)


@pytest.mark.parametrize("samples", [1, 7])
def test_bounds_are_exact_when_the_posterior_is(samples: int) -> None:
    w, s2 = torch.tensor([0.5, -1.0, 2.0]), 0.3
    decoder = Linear((1,), 3, bias=False)
    decoder.sum.weight.data = w[:, None].clone()
    model = made(
        VAE,
        shape=(3,),
        bounds=None,
        latent_dim=1,
        likelihood="gaussian",
        importance_samples=samples,
        encoder=lambda *sizes: Exact(w, s2),
        decoder=lambda *sizes: decoder,
    )
    model.likelihood.log_var.data.fill_(math.log(s2))
    x = torch.randn(50, 3)
    covariance = w.outer(w) + s2 * torch.eye(3)
    truth = torch.distributions.MultivariateNormal(torch.zeros(3), covariance).log_prob(x)
    mean, log_var = model.posterior(x)
    random = torch.Generator().manual_seed(0)
    bound = model.importance_bound(x, mean, log_var, random)
    torch.testing.assert_close(bound, truth, rtol=1e-4, atol=1e-4)
    # And the ELBO is as much on average over codes.
    error, kl = zip(
        *(model.terms(x, mean, log_var, torch.randn_like(mean)) for _ in range(400)), strict=True
    )
    elbo = -(torch.stack(error) + torch.stack(kl)).mean()
    assert elbo.item() == pytest.approx(truth.mean().item(), abs=0.05)


def test_bound_of_more_codes_is_tighter() -> None:
    x, y = labelled(200)
    found = []
    for samples in (1, 10, 100):
        # A poor encoder, so that there is much to gain.
        model = made(VAE, importance_samples=samples, encoder=partial(Linear, zero_init=False))
        nn.init.normal_(model.decoder[0].output.weight, std=1.0)
        found.append(measured(model, x, y, size=200))
    elbo = found[0]["test/elbo"]
    assert all(row["test/elbo"] == elbo for row in found)
    first, second, third = (row["test/iw_bound"] for row in found)
    assert first == pytest.approx(elbo, rel=0.05)
    assert elbo < second < third


def test_codes_of_the_bound_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = labelled(1000)
    model = made(VAE, importance_samples=10)
    sizes = []
    model.decoder.register_forward_hook(lambda net, args, out: sizes.append(len(out)))
    mean, log_var = model.posterior(x)
    bound = model.importance_bound(x, mean, log_var, torch.Generator().manual_seed(0))
    assert bound.shape == (1000,) and sizes == [4000, 4000, 2000]


def test_vae_baseline_knows_each_pixel_for_itself() -> None:
    data = digits()
    data.train_set, data.test_set = (
        TensorSet((part.tensors[0] > 0.5).float(), part.tensors[1])
        for part in (data.train_set, data.test_set)
    )
    train, test = (part.tensors[0].flatten(1).double() for part in (data.train_set, data.test_set))
    chance = (train.sum(0) + 1) / 1202
    expected = Coin(chance).log_prob(test).sum(1).mean().item()
    found = made(VAE).baselines(data)["no code"]
    assert found["test/elbo"] == found["test/iw_bound"] == pytest.approx(expected, rel=1e-9)
    assert found["test/loss"] == -found["test/elbo"] and found["test/kl"] == 0


def test_gaussian_baseline_has_the_variance_of_the_training_images() -> None:
    data = digits()
    data.test_set = data.train_set
    train = data.train_set.tensors[0].flatten(1).double()
    variance = (train - train.mean(0)).square().mean().item()
    found = made(VAE, likelihood="gaussian").baselines(data)["no code"]["test/elbo"]
    assert found == pytest.approx(-32 * (math.log(2 * math.pi * variance) + 1), rel=1e-6)


def test_gaussian_variance_is_learned() -> None:
    torch.manual_seed(0)
    x = 3 + 0.5 * torch.randn(400, 2)
    model = made(VAE, shape=(2,), bounds=None, latent_dim=1, likelihood="gaussian", lr=1e-2)
    fit(model, x, torch.zeros(400), size=50, max_epochs=60)
    assert (model.likelihood.log_var / 2).exp().item() == pytest.approx(0.5, rel=0.3)


# Figures


def drawn() -> set[str]:
    return {path.stem for path in Path("figures").iterdir()}


@pytest.mark.parametrize("size", [1, 2, 5])
@both
def test_figures_are_those_that_can_be_drawn(kind: Any, size: int) -> None:
    x, y = labelled(30)
    measured(made(kind, latent_dim=size), x, y)
    expected = {"latent_map", "reconstructions", "interpolations"}
    expected |= {"samples"} if kind is VAE else set()
    expected |= {"manifold"} if size == 2 else set()
    assert drawn() == expected
    for name in expected:
        assert_shows_something(Path("figures", f"{name}.png"), least=80)


@both
def test_colour_images_go_through_convolutions(kind: Any) -> None:
    x, y = torch.rand(12, 3, 9, 12) * 2 - 1, torch.arange(12) % 4
    nets = {"encoder": partial(CNN, width=4), "decoder": partial(ConvDecoder, width=4)}
    model = made(kind, shape=(3, 9, 12), bounds=((-1.0,) * 3, (1.0,) * 3), latent_dim=4, **nets)
    fit(model, x, y)
    assert all(math.isfinite(value) for value in measured(model, x, y).values())
    assert imread("figures/reconstructions.png").std(axis=-1).max() > 0.1


def test_a_single_image_has_no_other_to_go_to() -> None:
    x, y = labelled(1)
    measured(made(Autoencoder), x, y)
    assert drawn() == {"latent_map", "reconstructions", "manifold"}


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The figures as they are saved, by name."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(
        latent, "save_figure", lambda trainer, figure, name: found.update({name: figure})
    )
    return found


class Ramp(nn.Module):
    """Decodes the first code as the left pixel and the second as the right one; encodes them back."""

    def __init__(self, input_shape: Any, num_outputs: int) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) * self.one


def ramp(count: int) -> tuple[Any, Tensor]:
    """A model whose codes are the pixels of 1x2 images, and random such images."""
    model = made(Autoencoder, shape=(1, 1, 2), encoder=Ramp, decoder=Ramp)
    return model, torch.rand(count, 1, 1, 2, generator=torch.Generator().manual_seed(0))


def test_manifold_lies_as_the_map_does(saved: dict[str, Any]) -> None:
    model, x = ramp(300)
    measured(model, x, torch.zeros(300, dtype=torch.long))
    pixels = saved["manifold"].axes[0].images[0].get_array()
    left, right = pixels[::2, ::3], pixels[::2, 1::3]
    low, high = x.flatten(1).quantile(torch.tensor([0.02, 0.98]), dim=0).numpy()
    np.testing.assert_allclose(
        left, np.linspace(low[0], high[0], 18)[None].repeat(18, 0), atol=1e-5
    )
    upwards = np.linspace(high[1], low[1], 18)[:, None].repeat(18, 1)
    np.testing.assert_allclose(right, upwards, atol=1e-5)


def test_manifold_of_normal_codes_is_even_in_probability(saved: dict[str, Any]) -> None:
    figure = latent.Manifold(prior=True)
    seen: list[Tensor] = []
    model = SimpleNamespace(
        parameters=lambda: iter([torch.ones(1)]),
        decode=lambda codes: seen.append(codes) or codes[:, :, None, None].mean(1, keepdim=True),
    )
    figure.draw(SimpleNamespace(lightning_module=model), torch.zeros(1), torch.zeros(1, 2))  # type: ignore[arg-type]
    share = Normal(0.0, 1.0).cdf(seen[0])
    assert share[0].tolist() == pytest.approx([0.02, 0.98], abs=1e-5)
    assert share[:18, 0].diff().tolist() == pytest.approx([0.96 / 17] * 17, abs=1e-5)


def test_map_shows_each_class_at_its_place(saved: dict[str, Any]) -> None:
    model, x = ramp(50)
    y = torch.arange(50) % 3
    measured(model, x, y)
    axes = saved["latent_map"].axes[0]
    assert [line.get_label() for line in axes.lines] == ["0", "1", "2"]
    for label, line in enumerate(axes.lines):
        found = np.array(sorted(line.get_xydata().tolist()))
        np.testing.assert_allclose(found, sorted(x[y == label].flatten(1).tolist()), rtol=1e-6)


def test_map_of_many_latents_is_their_two_principal_axes() -> None:
    torch.manual_seed(0)
    codes = torch.randn(200, 5) * torch.tensor([0.1, 3.0, 0.2, 1.0, 0.1]) + 4
    places, texts = latent.on_a_plane(codes)
    expected = PCA(2).fit(codes.numpy())
    np.testing.assert_allclose(
        places.abs(), abs(expected.transform(codes.numpy())), rtol=1e-3, atol=1e-3
    )
    share = round(100 * expected.explained_variance_ratio_[0])
    assert texts[0] == f"principal axis 1 of the codes, {share}% of their variance"
    assert latent.on_a_plane(codes[:, :2])[1] == ("latent 1", "latent 2")
    flat, _ = latent.on_a_plane(torch.zeros(4, 3))
    assert torch.equal(flat, torch.zeros(4, 2))


def test_interpolation_goes_from_image_to_image_in_even_steps(saved: dict[str, Any]) -> None:
    model, x = ramp(5)
    measured(model, x, torch.zeros(5, dtype=torch.long), size=2)
    pixels = saved["interpolations"].axes[0].images[0].get_array()
    assert pixels.shape == (2 + 1, 11 * 3 - 1)
    start, end = x[2, 0, 0].numpy(), x[3, 0, 0].numpy()
    for step, share in enumerate([0, *np.linspace(0, 1, 9), 1]):
        found = pixels[2, 3 * step : 3 * step + 2]
        np.testing.assert_allclose(found, start + share * (end - start), atol=1e-5)


def test_decoding_for_figures_draws_no_training_noise() -> None:
    x, y = labelled(20)
    noisy = partial(MLP, depth=1, width=16, norm="batch", dropout=0.5)
    model = made(Autoencoder, encoder=noisy, decoder=noisy)
    modes: list[bool] = []
    model.decoder.register_forward_hook(lambda net, args, out: modes.append(net.training))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    measured(model, x, y)
    assert not any(modes) and len(modes) > 3
    kept = {key: value for key, value in model.state_dict().items() if "metrics" not in key}
    assert all(torch.equal(before[key], value) for key, value in kept.items())


# Presets


@pytest.mark.slow
def test_two_numbers_keep_more_of_a_digit_than_pca_does(script: Script) -> None:
    outcome = script("-c", "digits_autoencoder")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/loss"] <= 0.4 * outcome.summary["baseline/pca/test/loss"]


@pytest.mark.slow
def test_vae_of_digits_beats_independent_pixels(script: Script) -> None:
    outcome = script("-c", "digits_vae")
    assert outcome.code == 0, outcome.err
    found = outcome.summary
    assert found["test/elbo"] < found["test/iw_bound"]
    assert found["test/elbo"] > found["baseline/no code/test/elbo"] + 3
