"""Clustering in codes: its maths by hand and against torch, training in two phases, figures, errors."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from test_building import batches, fit, quiet_trainer
from test_clustering import blobs, digits, drawn, random_generator  # noqa: F401
from test_figures import assert_shows_something
from test_models import Recorder, measure
from test_reproducible import metrics
from test_script import Script, same, weights
from torch import Tensor, nn
from torch.nn import functional as F

from lab.errors import LabError
from lab.models.deep_clustering import DeepClustering, divergence, sharpened, soft_assignment
from lab.models.kmeans import nearest
from lab.models.views import random_warp
from lab.nets.linear import Linear
from lab.nets.mlp import MLP

NETS: dict[str, Any] = {"encoder": partial(MLP, width=16), "decoder": partial(MLP, width=16)}


def model(clusters: int = 4, classes: int = 4, **options: Any) -> DeepClustering:
    """For points in the plane."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {"latent_dim": 3, "pretrain": 2, "lr": 1e-2, **NETS, **options}
    return DeepClustering((2,), classes, None, clusters=clusters, **settings)


# Maths


def test_soft_assignment_by_hand() -> None:
    codes, centers = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]])
    expected = torch.tensor([[1 / (1 + 1 / 5), (1 / 5) / (1 + 1 / 5)], [0.5, 0.5]])
    torch.testing.assert_close(soft_assignment(codes, centers), expected)


def test_the_surest_cluster_is_the_nearest() -> None:
    codes, centers = torch.randn(50, 3), torch.randn(4, 3)
    q = soft_assignment(codes, centers)
    torch.testing.assert_close(q.sum(1), torch.ones(50))
    assert torch.equal(q.argmax(1), nearest(codes, centers[None])[1][:, 0])


def test_targets_are_surer_and_favour_small_clusters() -> None:
    q = torch.tensor([[0.8, 0.2], [0.5, 0.5]])
    mass = torch.tensor([4.0, 1.0])
    expected = torch.tensor([[0.16 / 0.2, 0.04 / 0.2], [0.0625 / 0.3125, 0.25 / 0.3125]])
    torch.testing.assert_close(sharpened(q, mass), expected)
    even = sharpened(q, torch.tensor([3.0, 3.0]))
    torch.testing.assert_close(even, torch.tensor([[0.64 / 0.68, 0.04 / 0.68], [0.5, 0.5]]))


def test_divergence_is_that_of_torch() -> None:
    p, q = torch.randn(2, 20, 5, generator=random_generator()).softmax(-1)
    expected = F.kl_div(q.log(), p, reduction="none").sum(1)
    torch.testing.assert_close(divergence(p, q), expected)
    sure = torch.tensor([[0.0, 1.0]])
    assert divergence(sure, torch.tensor([[0.75, 0.25]])).item() == pytest.approx(math.log(4))


def test_warps_move_images_a_little_and_each_its_own_way() -> None:
    torch.manual_seed(0)
    image = torch.zeros(1, 2, 9, 13)
    image[:, :, 3:6, 5:8] = 1
    images = image.expand(30, -1, -1, -1)
    warped = random_warp(images)
    assert warped.shape == images.shape and torch.equal(warped[:, 0], warped[:, 1])
    assert len({tuple(one.flatten().tolist()) for one in warped}) == 30
    assert 0 < (warped - images).abs().mean() < (warped - images.flip(3)).abs().mean() + 0.05
    assert (warped.sum((1, 2, 3)) / images.sum((1, 2, 3)) - 1).abs().max() < 0.5
    torch.testing.assert_close(random_warp(images, 0.0), images)
    stronger = random_warp(images, 3.0)
    assert (stronger - images).abs().mean() > 1.5 * (warped - images).abs().mean()


def test_a_warped_edge_has_no_border() -> None:
    torch.manual_seed(0)
    white = torch.ones(9, 1, 8, 8)
    torch.testing.assert_close(random_warp(white), white)


# Training


@pytest.mark.parametrize("pretrain", [2, 5])
def test_first_it_reconstructs_then_it_clusters(pretrain: int) -> None:
    x, y = blobs()
    logger = Recorder()
    built = model(pretrain=pretrain)
    fit(built, x, y, size=100, max_epochs=4, logger=logger, log_every_n_steps=1)
    purity = list(logger.values("val/purity").values())
    assert len(purity) == 4
    # Without centres all is one cluster.
    share = y.bincount().max().item() / len(y)
    phase = [value == pytest.approx(share) for value in purity]
    assert phase == [epoch < pretrain for epoch in range(4)]
    if pretrain == 5:
        assert not built.centers.any() and not built.mass.any()
        assert logger.values("val/loss") == logger.values("val/reconstruction")
    else:
        assert built.mass.sum().item() == pytest.approx(300, rel=1e-5)
        assert built.running.sum().item() == pytest.approx(300, rel=1e-5)


def test_validation_by_hand() -> None:
    x, y = blobs(50)
    fit(built := model(), x, y, size=25, max_epochs=3)
    found = measure("validate", built, x, y)
    code = built.encoder(x)
    q = soft_assignment(code, built.centers)
    error = F.mse_loss(built.decoder(code), x).item()
    pull = divergence(sharpened(q, built.mass), q).mean().item()
    assert found["val/reconstruction"] == pytest.approx(error, rel=1e-5)
    assert found["val/loss"] == pytest.approx(error + 0.1 * pull, rel=1e-5)


def test_training_loss_by_hand() -> None:
    x, y = blobs(20)
    fit(built := model(weight=2.0, warp=0.0), x, y, size=20, max_epochs=4)
    mass = built.running.clone()
    expected = F.mse_loss(built.decoder(built.encoder(x)), x)
    q = soft_assignment(built.encoder(x), built.centers)
    expected = expected + 2 * divergence(sharpened(q.detach(), mass), q).mean()
    built.trainer.log_every_n_steps = 1000  # type: ignore[attr-defined]
    loss = built.training_step((x, y), 0)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(built.running, q.sum(0).detach())
    loss.backward()
    assert all(weight.grad is not None for weight in built.parameters())


def test_first_loss_is_that_of_a_guess() -> None:
    x, y = digits()
    built = DeepClustering((1, 8, 8), 10, ((0.0,), (1.0,)), MLP, MLP)
    built.trainer = quiet_trainer(log_every_n_steps=1000)  # type: ignore[assignment]
    loss = built.training_step((x, y), 0)
    # Something near zero for every pixel.
    assert loss.item() == pytest.approx(x.square().mean().item(), rel=0.1)


def test_a_batch_by_heart() -> None:
    x, y = blobs(24)
    fit(built := model(pretrain=100, latent_dim=2), x, y, size=24, max_epochs=150)
    found = measure("validate", built, x, y)
    assert found["val/purity"] == found["val/nmi"] == found["val/ari"] == 1
    assert found["val/reconstruction"] < 0.01 * x.var()


def test_centres_are_found_at_once_when_nothing_is_to_be_learnt_before() -> None:
    x, y = blobs()
    options = {"pretrain": 0, "weight": 0.0, "lr": 1e-6, "latent_dim": 2}
    fit(built := model(**options, encoder=partial(Linear, zero_init=False)), x, y, size=100)
    loss = nearest(built.encoder(x), built.centers[None])[0].mean()
    assert loss < 0.2 * built.encoder(x).var(0).sum()


def test_labels_do_not_reach_the_training() -> None:
    x, y = blobs()
    found = []
    for labels in (y, 3 - y):
        fit(built := model(), x, labels, size=100, max_epochs=3)
        found.append({k: v for k, v in built.state_dict().items() if not k.startswith("metrics")})
    assert same(*found)


def test_only_images_are_warped() -> None:
    assert model().warp == 0
    assert DeepClustering((1, 8, 8), 10, ((0.0,), (1.0,)), **NETS).warp == 1


def test_normalised_batches_of_other_ranges_are_seen_as_shares_of_white() -> None:
    x, _ = digits()
    built = DeepClustering((1, 8, 8), 10, ((-2.0,), (3.0,)), **NETS)
    torch.testing.assert_close(built.scale.to_unit(x * 5 - 2), x)
    torch.testing.assert_close(built(x * 5 - 2), soft_assignment(built.encoder(x), built.centers))


@pytest.mark.slow
def test_further_training_over_the_change_is_as_if_it_had_not_stopped(script: Script) -> None:
    options = ("--model", "DeepClustering", "--model.pretrain", "2", "--data.batch_size", "200")
    whole = script(*options, "--trainer.max_epochs", "4")
    assert whole.code == 0, whole.err
    # Before the centres are found; after it.
    for epochs in (2, 3):
        parts = script(*options, "--trainer.max_epochs", epochs)
        more = script(
            "--resume", parts.folder, "--trainer.max_epochs", "4", "--run_dir", parts.folder
        )
        assert more.code == 0, more.err
        assert same(weights(whole.folder), weights(parts.folder))
        rows = [row for row in metrics(parts.folder) if not row["test/loss"]]
        assert rows == [row for row in metrics(whole.folder) if not row["test/loss"]]
    # The last epoch is what is tested: nothing but labels could choose one.
    assert same(weights(whole.folder, "best"), weights(whole.folder, "last"))
    predicted = script("predict", "--ckpt_path", whole.folder / "checkpoints" / "best.ckpt")
    cluster = torch.load(predicted.folder / "predictions.pt", weights_only=True)
    assert cluster.shape == (360,) and cluster.max() < 10
    figures = {path.stem for path in (whole.folder / "figures").iterdir()}
    assert figures == {"clusters", "contingency", "centers"}
    assert set(whole.summary) >= {
        "baseline/scikit_learn/test/purity",
        "baseline/one_cluster/test/ari",
    }
    assert "baseline/scikit_learn/test/loss" not in whole.summary


@pytest.mark.slow
def test_two_processes_train_both_phases(script: Script) -> None:
    from test_reproducible import call
    from test_scale import TWO

    words = ("--model", "DeepClustering", "--model.pretrain", "2", "--trainer.max_epochs", "4")
    call(*words, *TWO, "--data.batch_size", "100", "--run_dir", "two")
    found = weights(Path("two"))
    assert found["mass"].sum().item() == pytest.approx(1200, rel=1e-4)
    assert found["centers"].any()


@pytest.mark.slow
def test_soft_assignment_is_purer_than_kmeans_on_digits(script: Script) -> None:
    outcome = script("-c", "digits_deep_clusters")
    assert outcome.code == 0, outcome.err
    summary = outcome.summary
    assert summary["test/purity"] > summary["baseline/scikit_learn/test/purity"]
    assert summary["test/nmi"] > summary["baseline/scikit_learn/test/nmi"]


# Figures, errors


def test_figures_are_of_codes(drawn: dict[str, Any], own_folder: Path) -> None:  # noqa: F811
    x, y = (part[:200] for part in digits())
    built = DeepClustering((1, 8, 8), 10, ((0.0,), (1.0,)), **NETS, pretrain=1)
    fit(built, x, y, size=100, max_epochs=2)
    quiet_trainer().test(built, batches(x, y, size=64), verbose=False)
    assert set(drawn) == {"clusters", "contingency", "centers"}
    left, _ = drawn["clusters"].axes
    assert left.get_xlabel() == "first principal component"
    assert len(left.collections[0].get_offsets()) == 200
    images: Tensor = built.center_images()
    assert images.shape == (10, 1, 8, 8) and not images.requires_grad
    assert_shows_something(own_folder / "figures" / "clusters.png")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"clusters": 0}, "--model.clusters 0: choose 1 or more"),
        ({"latent_dim": 0}, "--model.latent_dim 0: choose 1 or more"),
        ({"pretrain": -1}, "--model.pretrain -1: choose 0 or more"),
        ({"weight": -0.1}, "--model.weight -0.1: choose 0 or more"),
        ({"weight": math.nan}, "--model.weight nan: choose 0 or more"),
        ({"warp": math.inf}, "--model.warp inf: choose 0 or more"),
        ({"lr": 0.0}, "--model.lr 0.0: "),
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=f"^{message}"):
        model(**options)


def test_more_clusters_than_samples_are_refused() -> None:
    with pytest.raises(LabError, match="^3 training samples can't make 4 clusters$"):
        fit(model(pretrain=0), *blobs(3))


def test_what_a_decoder_refuses_is_the_users_error() -> None:
    with pytest.raises(LabError, match="^--model.decoder.width 0: choose 1 or more$"):
        model(decoder=partial(MLP, width=0))


def test_parts_are_nets_of_their_own() -> None:
    built = model()
    assert isinstance(built.encoder, MLP) and isinstance(built.decoder, nn.Sequential)
    assert built.decoder(torch.zeros(5, 3)).shape == (5, 2)
