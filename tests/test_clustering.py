"""K-means: its maths by hand and against scikit-learn, scores, training, figures, errors."""

import math
import warnings
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics
from sklearn.cluster import KMeans
from sklearn.cluster import kmeans_plusplus as sklearn_plusplus
from sklearn.exceptions import ConvergenceWarning
from test_building import batches, fit, quiet_trainer
from test_figures import assert_shows_something
from test_models import Recorder, measure
from test_reproducible import call, metrics
from test_scale import TWO
from test_script import Script, same, weights
from torch import Tensor, nn

from lab.data.base import TensorSet
from lab.data.digits import Digits
from lab.errors import LabError
from lab.figures import clusters as figures
from lab.models.clustering import Clustering
from lab.models.contingency import SCORES, ClusterScore, contingency, purity
from lab.models.kmeans import KMeansStep, kmeans, kmeans_plusplus, members, nearest
from lab.models.sampling import seeded_generator


def blobs(count: int = 300, clusters: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Well-separated groups on a line of slope one, and which group each point is of."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(clusters, (count,), generator=generator)
    return 10 * y[:, None] + torch.randn(count, 2, generator=generator), y


def model(clusters: int = 4, classes: int = 4, **options: Any) -> Clustering:
    """For points in the plane."""
    return Clustering((2,), classes, None, clusters=clusters, **options)


def random_generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digits() -> tuple[Tensor, Tensor]:
    data = Digits()
    data.setup("fit")
    return data.train_set.tensors[0], data.train_set.tensors[1]


# Distances, seeding, step


def test_nearest_centre_is_that_of_all_distances() -> None:
    x, centers = torch.randn(50, 3), torch.randn(2, 4, 3)
    squared, cluster = nearest(x, centers)
    every = (x[:, None, None] - centers).square().sum(-1)
    torch.testing.assert_close(squared, every.min(-1).values)
    assert torch.equal(cluster, every.argmin(-1))


def test_distances_keep_their_digits_far_from_zero() -> None:
    x, centers = torch.randn(50, 3, dtype=torch.double), torch.randn(1, 4, 3, dtype=torch.double)
    expected = nearest(x, centers)
    far = nearest(x.float() + 1000, centers.float() + 1000)
    torch.testing.assert_close(far[0].double(), expected[0], atol=1e-3, rtol=1e-3)
    assert torch.equal(far[1], expected[1])


def test_half_precision_does_not_reach_the_distances() -> None:
    x, centers = torch.randn(50, 3), torch.randn(1, 4, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = nearest(x, centers)
    assert found[0].dtype == torch.float and torch.equal(found[0], nearest(x, centers)[0])


def test_members_by_hand() -> None:
    cluster = torch.tensor([[0, 1], [2, 1], [2, 0]])
    assert members(cluster, 3).tolist() == [[1, 0, 2], [1, 2, 0]]


def test_seeds_are_samples_from_each_of_far_groups() -> None:
    x, y = blobs()
    found = kmeans_plusplus(x, 4, restarts=20, generator=random_generator())
    assert found.shape == (20, 4, 2)
    for centers in found:
        rows = (x[:, None] - centers).abs().sum(-1).argmin(0)
        torch.testing.assert_close(x[rows], centers)
        assert y[rows].sort().values.tolist() == [0, 1, 2, 3]


def test_seeds_depend_on_the_generator_alone() -> None:
    x, _ = blobs()
    first, again, other = (
        kmeans_plusplus(x, 4, restarts=2, generator=random_generator(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_seeds_are_as_good_as_those_of_scikit_learn() -> None:
    x = digits()[0].flatten(1)
    ours = kmeans_plusplus(x, 10, restarts=30, generator=random_generator())
    theirs = [sklearn_plusplus(x.numpy(), 10, random_state=seed)[0] for seed in range(30)]
    left, expected = (
        nearest(x, centers)[0].sum(0).mean() for centers in (ours, torch.tensor(np.array(theirs)))
    )
    assert left < 1.02 * expected


def test_seeds_of_samples_that_are_all_alike() -> None:
    x = torch.ones(5, 2)
    found = kmeans_plusplus(x, 3, restarts=2, generator=random_generator())
    assert torch.equal(found, torch.ones(2, 3, 2))


def test_kmeans_to_the_end_is_that_of_scikit_learn() -> None:
    x, _ = digits()
    rows = x.flatten(1)
    found = kmeans(rows, 10, restarts=10, generator=random_generator())
    best = KMeans(10, n_init=10, random_state=0).fit(rows.numpy()).inertia_
    assert nearest(rows, found[None])[0].sum() < 1.005 * best


@pytest.mark.parametrize("decay", [1.0, 0.5, 0.0])
def test_a_step_makes_centres_the_means_of_what_they_won(decay: float) -> None:
    x = [torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([[2.0], [3.0], [4.0]])]
    centers = nn.Parameter(torch.tensor([[[0.5], [8.0]]]))
    counts, batch = torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.long)
    optimizer = KMeansStep(centers, counts, batch, decay=decay)
    for rows in x:
        squared, cluster = nearest(rows, centers)
        batch += members(cluster, 2)
        optimizer.zero_grad()
        (squared.mean(0).sum() / 2).backward()
        optimizer.step()
    # The first two points, of which decay leaves something, then three; nine alone, then nothing.
    first = (decay * (0 + 1) + 2 + 3 + 4) / (2 * decay + 3)
    torch.testing.assert_close(centers.data, torch.tensor([[[first], [9.0]]]))
    torch.testing.assert_close(counts, torch.tensor([[2 * decay + 3, decay]]))
    assert batch.sum() == 0


def test_without_forgetting_it_is_mini_batch_kmeans_sample_by_sample() -> None:
    x, _ = blobs(64)
    x = x.double()
    start = x[:4].clone()
    centers, counts = start.clone(), torch.zeros(4, dtype=torch.double)
    # Sculley 2010, algorithm 1: the batch is assigned, then its samples pull one after another.
    for batch in x.split(16):
        cluster = (batch[:, None] - centers).square().sum(-1).argmin(1)
        for sample, winner in zip(batch, cluster, strict=True):
            counts[winner] += 1
            centers[winner] += (sample - centers[winner]) / counts[winner]
    built = model(restarts=1, memory=math.inf).double()
    built.on_train_start = lambda: built.centers.data.copy_(start)  # type: ignore[method-assign]
    fit(built, x, torch.zeros(64, dtype=torch.long), size=16, precision="64-true")
    torch.testing.assert_close(built.centers[0].data, centers)


# Scores


def test_scores_are_those_of_scikit_learn() -> None:
    random = np.random.RandomState(0)
    for clusters, classes, count in ((3, 3, 50), (7, 4, 200), (2, 9, 30), (5, 5, 5)):
        label = random.randint(0, classes, count)
        cluster = np.where(
            random.rand(count) < 0.6, label % clusters, random.randint(0, clusters, count)
        )
        table = contingency(
            torch.from_numpy(cluster), torch.from_numpy(label), clusters=clusters, classes=classes
        )
        expected = {
            "purity": sklearn_metrics.cluster.contingency_matrix(label, cluster).max(0).sum()
            / count,
            "nmi": sklearn_metrics.normalized_mutual_info_score(label, cluster),
            "ari": sklearn_metrics.adjusted_rand_score(label, cluster),
        }
        found = {name: score(table).item() for name, score in SCORES.items()}
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "table, expected",
    [
        ([[5, 0], [0, 3]], {"purity": 1, "nmi": 1, "ari": 1}),
        ([[0, 3], [5, 0]], {"purity": 1, "nmi": 1, "ari": 1}),
        ([[8]], {"purity": 1, "nmi": 1, "ari": 1}),
        ([[1]], {"purity": 1, "nmi": 1, "ari": 1}),
        ([[5, 3], [0, 0]], {"purity": 5 / 8, "nmi": 0, "ari": 0}),
        ([[2, 2], [2, 2]], {"purity": 0.5, "nmi": 0, "ari": (4 - 12 * 12 / 28) / (12 - 144 / 28)}),
    ],
    ids=str,
)
def test_scores_by_hand(table: list[list[int]], expected: dict[str, float]) -> None:
    found = {name: score(torch.tensor(table)).item() for name, score in SCORES.items()}
    assert found == pytest.approx(expected, abs=1e-6)


def test_scores_of_very_many_samples() -> None:
    table = torch.tensor([[60_000_000, 0], [20_000_000, 50_000_000]])
    small = {name: score(table // 10_000).item() for name, score in SCORES.items()}
    large = {name: score(table).item() for name, score in SCORES.items()}
    assert large == pytest.approx(small, abs=1e-3)


def test_scores_add_up_over_batches_and_start_anew() -> None:
    cluster, label = torch.randint(5, (2, 70), generator=random_generator())
    score = ClusterScore(purity, clusters=5, classes=5)
    for _ in range(2):
        for rows in torch.arange(70).split(16):
            score.update(cluster[rows], label[rows])
        whole = contingency(cluster, label, clusters=5, classes=5)
        assert torch.equal(score.table, whole) and score.compute() == purity(whole)
        score.reset()


# Training


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_full_batches_are_lloyds_algorithm(steps: int) -> None:
    x, y = digits()
    # Few grey levels make many a sample as near to one centre as to another.
    x = x + 1e-3 * torch.randn(x.shape, generator=random_generator())
    rows, built = x.flatten(1), Clustering((1, 8, 8), 10, None, restarts=1)
    fit(built, x, y, size=len(x), max_epochs=steps)
    start = kmeans_plusplus(rows, 10, restarts=1, generator=seeded_generator(x.device))
    options = {"n_init": 1, "max_iter": steps, "tol": 0, "algorithm": "lloyd"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected = KMeans(10, init=start[0].numpy(), **options).fit(rows.numpy())
    torch.testing.assert_close(
        built.centers[0].data, torch.tensor(expected.cluster_centers_), atol=1e-5, rtol=0
    )
    found = measure("validate", built, x, y)
    assert found["val/inertia"] == pytest.approx(expected.inertia_, rel=1e-5)
    assert found["val/loss"] == pytest.approx(expected.inertia_ / len(x), rel=1e-5)


@pytest.mark.parametrize("clusters", [3, 10, 40])
def test_inertia_never_increases(clusters: int) -> None:
    x, y = digits()
    logger = Recorder()
    built = Clustering((1, 8, 8), 10, ((0.0,), (1.0,)), clusters=clusters, restarts=1)
    options = {"precision": "64-true", "log_every_n_steps": 1, "logger": logger, "max_epochs": 40}
    fit(built.double(), x.double(), y, size=len(x), **options)
    losses = list(logger.values("train/loss").values())
    assert len(losses) == 40 and losses[-1] < losses[0]
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(losses))
    assert logger.values("val/loss")


def test_digits_come_within_a_percent_of_scikit_learns_best(script: Script) -> None:
    outcome = script("-c", "digits_kmeans")
    assert outcome.code == 0, outcome.err
    summary = outcome.summary
    x, _ = digits()
    best = KMeans(10, n_init=10, random_state=0).fit(x.flatten(1).numpy()).inertia_
    centers = weights(outcome.folder)["centers"]
    restart = weights(outcome.folder)["distance"].argmin()
    assert nearest(x.flatten(1), centers[restart][None])[0].sum() < 1.01 * best
    assert summary["test/inertia"] < 1.01 * summary["baseline/scikit_learn/test/inertia"]
    assert summary["baseline/one_cluster/test/inertia"] > 1.5 * summary["test/inertia"]


def test_each_sample_by_heart() -> None:
    x, y = torch.randn(8, 2, generator=random_generator()), torch.arange(8)
    assert measure("validate", model(clusters=8, classes=8), x, y)["val/purity"] == 1 / 8
    fit(built := model(clusters=8, classes=8), x, y, size=8, max_epochs=5)
    found = measure("validate", built, x, y)
    assert found["val/loss"] == pytest.approx(0, abs=1e-6)
    assert found["val/purity"] == found["val/nmi"] == found["val/ari"] == 1


def test_first_loss_is_that_of_seeds() -> None:
    x, y = blobs()
    logger = Recorder()
    fit(model(restarts=1), x, y, size=300, logger=logger, log_every_n_steps=1)
    # From a sample of its own group a point is twice as far as from the group's mean.
    (first,) = logger.values("train/loss").values()
    assert 2 < first < 6


def test_labels_do_not_reach_the_training() -> None:
    x, y = blobs()
    first, second = model(), model()
    fit(first, x, y, size=50, max_epochs=3)
    fit(second, x, 3 - y, size=50, max_epochs=3)
    assert same(first.state_dict(), second.state_dict())


def test_the_restart_with_the_least_distance_counts() -> None:
    x, y = blobs()
    built = model(restarts=3)
    fit(built, x, y, size=50)
    with torch.no_grad():
        built.centers[0] += 1
        built.centers[2] -= 1
    built.distance.copy_(torch.tensor([3.0, 1.0, 2.0]))
    assert torch.equal(built.best_centers(), built.centers[1])
    assert measure("validate", built, x, y)["val/purity"] == 1


def test_a_cluster_without_samples_starts_again_at_the_farthest() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [50.0, 0.0], [90.0, 0.0]])
    built = model(restarts=2)
    start = torch.tensor([[1.0, 0.0], [-500.0, 0.0], [-600.0, 0.0], [60.0, 0.0]])
    built.on_train_start = lambda: built.centers.data.copy_(start)  # type: ignore[method-assign]
    logger = Recorder()
    options = {"logger": logger, "log_every_n_steps": 1}
    fit(built, x, torch.zeros(5, dtype=torch.long), size=5, max_epochs=4, **options)
    found = built.centers.data[..., 0].sort().values
    assert found.shape == (2, 4) and (found[:, -2:] == torch.tensor([50.0, 90.0])).all()
    assert built.assigned.min() > 0 and built.assigned.sum(1).tolist() == [5, 5]
    losses = list(logger.values("train/loss").values())
    assert all(after <= before for before, after in pairwise(losses)) and losses[-1] < 1


def test_accumulated_batches_are_a_large_one() -> None:
    x, y = blobs(200)
    start = x[:4].clone()
    found = []
    for size, together in ((200, 1), (50, 4)):
        built = model(restarts=2)
        built.on_train_start = lambda built=built: built.centers.data.copy_(start)  # type: ignore
        fit(built, x, y, size=size, accumulate_grad_batches=together)
        found.append(built.centers.data)
    torch.testing.assert_close(*found)


def test_memory_is_counted_in_epochs() -> None:
    x, y = blobs(100)
    decays = {}
    for memory in (0.1, 1.0, 2.0, math.inf):
        trainer = fit(built := model(memory=memory), x, y, size=25)
        assert trainer.optimizers[0].decay == pytest.approx(max(0, 1 - 1 / (memory * 4)))
        decays[memory] = built.counts.sum(1)
    # With 25 samples a batch and everything counting alike, all stand behind the centres.
    torch.testing.assert_close(decays[math.inf], torch.full((10,), 100.0))
    torch.testing.assert_close(decays[0.1], torch.full((10,), 25.0))


@pytest.mark.slow
def test_further_training_is_as_if_it_had_not_stopped(script: Script) -> None:
    options = ("--model", "Clustering", "--data", "Digits")
    whole = script(*options, "--trainer.max_epochs", "4", "--data.num_workers", "1")
    parts = script(*options, "--trainer.max_epochs", "2")
    more = script("--resume", parts.folder, "--trainer.max_epochs", "4", "--run_dir", parts.folder)
    assert whole.code == parts.code == more.code == 0, more.err
    assert same(weights(whole.folder), weights(parts.folder))
    rows = [row for row in metrics(parts.folder) if not row["test/loss"]]
    assert rows == [row for row in metrics(whole.folder) if not row["test/loss"]]
    assert whole.summary["steps"] == 4 * 19


def test_the_seed_of_the_run_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = blobs()
    found = []
    for seed in ("0", "0", "1"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        fit(built := model(), x, y, size=50)
        found.append(built.state_dict())
    assert same(found[0], found[1]) and not same(found[0], found[2])


def test_a_checkpoints_centres_go_on_and_predict(script: Script) -> None:
    options = ("--model", "Clustering", "--data", "Gaussians", "--data.layout", "scattered")
    trained = script(*options, "--trainer.max_epochs", "3")
    path = trained.folder / "checkpoints" / "best.ckpt"
    more = script(*options, "--trainer.max_epochs", "1", "--ckpt_path", path)
    assert more.code == 0, more.err
    assert more.summary["test/loss"] == pytest.approx(trained.summary["test/loss"], rel=1e-2)
    predicted = script("predict", "--ckpt_path", path)
    assert predicted.code == 0, predicted.err
    cluster = torch.load(predicted.folder / "predictions.pt", weights_only=True)
    assert cluster.shape == (2000,) and cluster.unique().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_two_processes_give_the_centres_of_one() -> None:
    words = ("--model", "Clustering", "--data", "Digits", "--trainer.max_epochs", "3")
    words += ("--model.memory", ".inf", "--model.restarts", "2")
    call(*words, *TWO, "--data.batch_size", "600", "--run_dir", "two")
    # One process, from the seeds of the two, which look at the first one's share of the samples.
    two = weights(Path("two"))
    assert two["assigned"].sum(1).tolist() == [1200, 1200]
    x, _ = digits()
    loss = nearest(x.flatten(1), two["centers"])[0].sum(0)
    for row in two["counts"]:
        assert row.sum().item() == pytest.approx(3600)
    best = KMeans(10, n_init=10, random_state=0).fit(x.flatten(1).numpy()).inertia_
    assert loss.min() < 1.1 * best


# Baselines, figures, errors


def test_baselines_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [12.0, 0.0]])
    y = torch.tensor([0, 0, 1, 1])
    test = TensorSet(torch.tensor([[1.0, 0.0], [3.0, 0.0], [11.0, 2.0]]), torch.tensor([0, 0, 1]))
    data = SimpleNamespace(train_set=TensorSet(x, y), test_set=test, batch_transform=None)
    found = model(clusters=2, classes=2).baselines(data)
    mean = {"test/loss": (25 + 9 + 25 + 4) / 3, "test/inertia": 63.0}
    mean |= {"test/purity": 2 / 3, "test/nmi": 0.0, "test/ari": 0.0}
    assert found["one_cluster"] == pytest.approx(mean, abs=1e-5)
    two = {"test/loss": 8 / 3, "test/inertia": 8.0}
    two |= {"test/purity": 1.0, "test/nmi": 1.0, "test/ari": 1.0}
    assert found["scikit_learn"] == pytest.approx(two, abs=1e-5)


def test_baselines_see_images_as_the_model_does() -> None:
    levels = torch.randint(0, 256, (30, 1, 2, 2), dtype=torch.uint8, generator=random_generator())
    part = TensorSet(levels, torch.arange(30) % 2)
    transform: Any = lambda batch: (batch[0].float() / 64 - 2, batch[1])  # noqa: E731
    data = SimpleNamespace(train_set=part, test_set=part, batch_transform=transform)
    built = Clustering((1, 2, 2), 2, ((-2.0,), (255 / 64 - 2,)))
    unit = (levels.float() / 255).flatten(1)
    inertia = built.baselines(data)["one_cluster"]["test/inertia"]
    assert inertia == pytest.approx((unit - unit.mean(0)).square().sum().item(), rel=1e-5)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    save = figures.save_figure

    def noted(trainer: Any, figure: Any, name: str) -> None:
        found[name] = figure
        save(trainer, figure, name)

    monkeypatch.setattr(figures, "save_figure", noted)
    return found


def test_figures_of_points(drawn: dict[str, Any], own_folder: Path) -> None:
    x, y = blobs()
    fit(built := model(clusters=5), x, y, size=50)
    quiet_trainer().test(built, batches(x, y, size=64), verbose=False)
    assert set(drawn) == {"clusters", "contingency"}
    left, right = drawn["clusters"].axes
    assert left.get_title() == "300 test samples by cluster" and left.get_xlabel() == "$x_1$"
    texts = {text.get_text() for text in drawn["contingency"].axes[0].texts}
    assert sum(int(text) for text in texts) > 0
    counts = [int(text.get_text()) for text in drawn["contingency"].axes[0].texts]
    assert sum(counts) == 300
    for name in drawn:
        assert_shows_something(own_folder / "figures" / f"{name}.png")


def test_figures_of_images_with_many_clusters(drawn: dict[str, Any], own_folder: Path) -> None:
    x, y = (part[:300] for part in digits())
    built = Clustering((1, 8, 8), 10, ((0.0,), (1.0,)), clusters=70, restarts=1)
    fit(built, x, y, size=1200)
    quiet_trainer().test(built, batches(x, y, size=500), verbose=False)
    assert set(drawn) == {"clusters", "contingency", "centers"}
    panels = [axes for axes in drawn["centers"].axes if axes.images]
    assert len(panels) == 64
    shown = np.asarray(panels[3].images[0].get_array())
    np.testing.assert_allclose(shown, built.center_images()[3, 0].clamp(0, 1), rtol=1e-6)
    for name in drawn:
        assert_shows_something(own_folder / "figures" / f"{name}.png")


def test_figure_of_samples_that_are_one_number(drawn: dict[str, Any], own_folder: Path) -> None:
    x, y = blobs()
    built = Clustering((1,), 4, None)
    fit(built, x[:, :1], y, size=50)
    quiet_trainer().test(built, batches(x[:, :1], y, size=64), verbose=False)
    assert_shows_something(own_folder / "figures" / "clusters.png", least=200)
    assert all(height == 0 for _, height in drawn["clusters"].axes[0].collections[0].get_offsets())


@pytest.mark.parametrize(
    "options, message",
    [
        ({"clusters": 0}, "--model.clusters 0: choose 1 or more"),
        ({"restarts": 0}, "--model.restarts 0: choose 1 or more"),
        ({"memory": 0.0}, "--model.memory 0.0: choose a number of epochs above 0"),
        ({"memory": math.nan}, "--model.memory nan: "),
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=f"^{message}"):
        model(**options)


def test_more_clusters_than_samples_are_refused() -> None:
    with pytest.raises(LabError, match="^3 training samples can't make 4 clusters$"):
        fit(model(), *blobs(3))


def test_data_without_classes_do_not_fit(script: Script) -> None:
    outcome = script("--model", "Clustering", "--data", "Curve")
    assert outcome.code == 2
    assert "--data Curve does not fit --model Clustering: it states no num_classes" in outcome.err
