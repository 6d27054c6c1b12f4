"""Figures: what they collect, what they draw, and where it goes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread
from pytorch_lightning.loggers.logger import Logger
from sklearn.metrics import confusion_matrix
from test_building import batches, quiet_trainer
from torch import Tensor, nn

from lab.figures import supervised
from lab.figures.base import TestFigure, highest
from lab.figures.supervised import ConfusionMatrix, FitOverPoints, WorstMistakes
from lab.models.classification import Classification
from lab.models.regression import Regression

LOGITS = 4.0


class Given(nn.Module):
    """Outputs that the test decides: the first numbers of the input."""

    def __init__(self, input_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__()
        self.outputs = num_outputs
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, : self.outputs] * self.weight


def images(predicted: list[int], sureness: list[float], classes: int = 3) -> Tensor:
    """Images of 4x4 which `Given` takes for these classes, with a probability that grows with sureness."""
    x = torch.zeros(len(predicted), 1, 4, 4)
    for place, (guess, sure) in enumerate(zip(predicted, sureness, strict=True)):
        x[place].view(-1)[guess] = sure
        # Which one it is; no class reads this pixel.
        x[place, 0, 3, 3] = place
    return x


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures as they are saved, by name."""
    found: dict[str, Figure] = {}
    save = supervised.save_figure

    def noted(trainer: pl.Trainer, figure: Figure, name: str) -> None:
        found[name] = figure
        save(trainer, figure, name)

    monkeypatch.setattr(supervised, "save_figure", noted)
    return found


def classify(x: Tensor, y: Tensor, classes: int = 3, size: int = 4, **options: Any) -> pl.Trainer:
    """Test a classification of what `Given` says."""
    trainer = quiet_trainer(**options)
    model = Classification(tuple(x.shape[1:]), classes, Given)
    trainer.test(model, batches(x, y, size=size), verbose=False)
    return trainer


def regress(x: Tensor, y: Tensor, size: int = 4) -> None:
    model = Regression(tuple(x.shape[1:]), tuple(y.shape[1:]), Given)
    quiet_trainer().test(model, batches(x, y, size=size), verbose=False)


def numbers(figure: Figure) -> dict[tuple[int, int], int]:
    """What stands in the cells of a confusion matrix: (true, predicted) -> count."""
    texts = figure.axes[0].texts
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): int(text.get_text())
        for text in texts
    }


def assert_shows_something(path: Path, *, least: int = 300) -> None:
    pixels = imread(path)
    height, width, _ = pixels.shape
    assert least <= height <= 3000 and least <= width <= 3000
    shades = np.unique(pixels[::3, ::3].sum(-1))
    assert len(shades) > 20
    # A margin is left all around, so nothing is cut off.
    edges = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    assert all((edge == 1).all() for edge in edges)


# Confusion


def test_confusion_counts_all_batches(drawn: dict[str, Figure], own_folder: Path) -> None:
    random = np.random.RandomState(0)
    true, predicted = random.randint(0, 3, (2, 50))
    x = images(predicted.tolist(), [LOGITS] * 50)
    classify(x, torch.from_numpy(true), size=8)
    expected = confusion_matrix(true, predicted)
    found = np.zeros((3, 3), int)
    for place, count in numbers(drawn["confusion"]).items():
        found[place] = count
    np.testing.assert_array_equal(found, expected)
    axes = drawn["confusion"].axes[0]
    shares = axes.images[0].get_array()
    assert shares is not None
    np.testing.assert_allclose(shares, expected / expected.sum(1, keepdims=True), rtol=1e-6)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert f"{expected.trace()} of 50 right" in axes.get_title()
    assert_shows_something(own_folder / "figures" / "confusion.png")


def test_confusion_of_classes_that_do_not_occur(drawn: dict[str, Figure]) -> None:
    classify(images([0, 0, 1], [LOGITS] * 3), torch.tensor([0, 2, 1]), classes=5)
    assert numbers(drawn["confusion"]) == {(0, 0): 1, (2, 0): 1, (1, 1): 1}
    shares = drawn["confusion"].axes[0].images[0].get_array()
    assert shares is not None
    assert np.isfinite(shares).all() and shares.shape == (5, 5)


def test_confusion_is_named_by_the_data(drawn: dict[str, Figure]) -> None:
    class Animals(pl.LightningDataModule):
        class_names = ("cat", "dog", "elephant")

        def test_dataloader(self) -> Any:
            return batches(images([0, 1, 2], [LOGITS] * 3), torch.tensor([0, 1, 1]))

    model = Classification((1, 4, 4), 3, Given)
    quiet_trainer().test(model, datamodule=Animals(), verbose=False)
    axes = drawn["confusion"].axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == list(Animals.class_names)
    assert [text.get_text() for text in axes.get_yticklabels()] == list(Animals.class_names)
    assert drawn["worst_mistakes"].axes[0].get_title().startswith("dog\nnot elephant")


def test_confusion_of_many_classes_is_small_to_keep_and_to_draw(own_folder: Path) -> None:
    figure, trainer = ConfusionMatrix(), SimpleNamespace(world_size=1, is_global_zero=True)
    trainer.datamodule, trainer.default_root_dir, trainer.loggers = None, own_folder, []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        y = torch.randint(62, (500,), generator=generator)
        output = torch.randn(500, 62, generator=generator)
        figure.on_test_batch_end(trainer, None, output, (output, y), seed)  # type: ignore[arg-type]
        assert sum(column.numel() for part in figure.kept for column in part) == 62**2
    ((table,),) = figure.kept
    assert table.sum() == 10_000
    figure.on_test_end(trainer, None)  # type: ignore[arg-type]
    assert_shows_something(own_folder / "figures" / "confusion.png")


def test_confusion_of_a_thousand_classes_stays_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Figure] = []
    monkeypatch.setattr(
        supervised, "save_figure", lambda trainer, figure, name: saved.append(figure)
    )
    trainer = SimpleNamespace(datamodule=None)
    ConfusionMatrix().draw(trainer, torch.eye(1000, dtype=torch.long))  # type: ignore[arg-type]
    assert max(saved[0].get_size_inches()) < 25
    labels = [text.get_text() for text in saved[0].axes[0].get_yticklabels()]
    assert labels == [str(place) for place in range(0, 1000, 10)]


# Worst mistakes


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.images]


def test_worst_mistakes_are_ranked_over_all_batches(
    drawn: dict[str, Figure], own_folder: Path
) -> None:
    x = images([0, 1, 2, 0, 1, 2], [1.0, 6.0, 3.0, 9.0, 2.0, 4.0])
    y = torch.tensor([1, 1, 0, 0, 2, 1])
    classify(x, y, size=2)
    probability = [np.exp(sure) / (np.exp(sure) + 2) for sure in (4.0, 3.0, 2.0, 1.0)]
    assert titles(drawn["worst_mistakes"]) == [
        f"1\nnot 2 ({probability[0]:.0%})",
        f"0\nnot 2 ({probability[1]:.0%})",
        f"2\nnot 1 ({probability[2]:.0%})",
        f"1\nnot 0 ({probability[3]:.0%})",
    ]
    shown = [axes.images[0].get_array() for axes in drawn["worst_mistakes"].axes if axes.images]
    for place, pixels in zip([5, 2, 4, 0], shown, strict=True):
        image = x[place, 0]
        # The right way up, stretched from black to white.
        expected = (image - image.min()) / (image.max() - image.min())
        np.testing.assert_allclose(pixels, expected, rtol=1e-5)
        assert_image_is_upright_and_bright(drawn["worst_mistakes"])
    assert_shows_something(own_folder / "figures" / "worst_mistakes.png", least=200)


def assert_image_is_upright_and_bright(figure: Figure) -> None:
    shown = figure.axes[0].images[0]
    assert shown.origin == "upper"
    assert shown.get_cmap()(1.0)[:3] == (1, 1, 1) and shown.get_cmap()(0.0)[:3] == (0, 0, 0)


def test_no_more_mistakes_than_fit_are_kept(drawn: dict[str, Figure]) -> None:
    sureness = [float(sure) / 10 for sure in range(1, 41)]
    classify(images([1] * 40, sureness), torch.zeros(40).long(), size=7)
    found = titles(drawn["worst_mistakes"])
    probability = [np.exp(sure) / (np.exp(sure) + 2) for sure in sureness]
    assert found == [f"0\nnot 1 ({p:.0%})" for p in probability[:-26:-1]]
    assert len(found) == 25


def test_nothing_wrong_makes_no_figure(own_folder: Path) -> None:
    classify(images([0, 1, 2], [LOGITS] * 3), torch.tensor([0, 1, 2]))
    assert [path.name for path in own_folder.glob("figures/*")] == ["confusion.png"]


def test_what_is_no_image_makes_no_figure(own_folder: Path) -> None:
    for shape in [(16,), (2, 4, 4)]:
        x = torch.randn(6, *shape)
        classify(x, torch.arange(6) % 3)
    assert [path.name for path in own_folder.glob("figures/*")] == ["confusion.png"]


def test_colour_images_keep_their_colours(drawn: dict[str, Figure]) -> None:
    x = torch.rand(1, 3, 5, 4)
    x[0, 0, 0, 1] = 9
    classify(x, torch.tensor([2]))
    pixels = drawn["worst_mistakes"].axes[0].images[0].get_array()
    expected = (x[0] - x.min()) / (x.max() - x.min())
    assert pixels is not None
    np.testing.assert_allclose(pixels, expected.movedim(0, -1), rtol=1e-5)


def test_long_names_do_not_run_into_each_other(drawn: dict[str, Figure]) -> None:
    class Clothes(pl.LightningDataModule):
        class_names = ("T-shirt/top", "Ankle boot", "Trouser")

        def test_dataloader(self) -> Any:
            return batches(images([1] * 10, [LOGITS] * 10), torch.zeros(10).long())

    model = Classification((1, 4, 4), 3, Given)
    quiet_trainer().test(model, datamodule=Clothes(), verbose=False)
    figure = drawn["worst_mistakes"]
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])


# Fit over points


def test_fit_of_one_number_is_a_curve_over_all_points(
    drawn: dict[str, Figure], own_folder: Path
) -> None:
    x = torch.tensor([[0.5], [-1.0], [2.0], [0.0], [1.0]])
    regress(x, 3 * x, size=2)
    points, curve = drawn["fit"].axes[0].lines
    np.testing.assert_allclose(points.get_xdata(), [-1, 0, 0.5, 1, 2])
    np.testing.assert_allclose(points.get_ydata(), [-3, 0, 1.5, 3, 6])
    # `Given` predicts x itself.
    np.testing.assert_allclose(curve.get_ydata(), [-1, 0, 0.5, 1, 2])
    error = np.sqrt(np.mean([4, 0, 1, 4, 16]))
    title = drawn["fit"].axes[0].get_title()
    assert title == f"Fit over 5 test points\nRMSE {error:.3g}"
    assert_shows_something(own_folder / "figures" / "fit.png")


def test_fit_of_many_numbers_is_prediction_against_truth(
    drawn: dict[str, Figure], own_folder: Path
) -> None:
    x, y = torch.randn(10, 4), torch.randn(10, 1)
    regress(x, y)
    line, points = drawn["fit"].axes[0].lines
    found = np.array(points.get_xydata())
    expected = torch.stack([y[:, 0], x[:, 0]], 1).numpy()
    np.testing.assert_allclose(sorted(found.tolist()), sorted(expected.tolist()), rtol=1e-6)
    np.testing.assert_allclose(line.get_xdata(), line.get_ydata())
    assert_shows_something(own_folder / "figures" / "fit.png")


@pytest.mark.parametrize("inputs, shape, panels", [(1, (2, 2), 4), (8, (3,), 3), (8, (20,), 12)])
def test_each_number_of_a_target_has_its_panel(
    drawn: dict[str, Figure],
    own_folder: Path,
    inputs: int,
    shape: tuple[int, ...],
    panels: int,
) -> None:
    y = torch.randn(6, *shape)
    output = torch.randn(6, y[0].numel())
    figure = FitOverPoints()
    trainer = SimpleNamespace(world_size=1, is_global_zero=True, default_root_dir=own_folder)
    trainer.loggers = []
    figure.on_test_batch_end(trainer, None, output, (torch.randn(6, inputs), y), 0)  # type: ignore[arg-type]
    figure.on_test_end(trainer, None)  # type: ignore[arg-type]
    used = [axes for axes in drawn["fit"].axes if axes.lines]
    assert len(used) == panels
    values = [np.sort(axes.lines[0 if inputs == 1 else 1].get_ydata()) for axes in used]
    numbers_drawn = y.reshape(6, -1) if inputs == 1 else output
    for place, found in enumerate(values):
        np.testing.assert_allclose(found, np.sort(numbers_drawn[:, place]), rtol=1e-6)
        assert f", output {place}\n" in used[place].get_title()
    assert_shows_something(own_folder / "figures" / "fit.png")


def test_of_a_large_test_set_a_random_part_is_shown() -> None:
    figure, count = FitOverPoints(), 0
    for _ in range(6):
        x = torch.arange(count, count + 2000.0)[:, None]
        figure.on_test_batch_end(None, None, x, (x, x), 0)  # type: ignore[arg-type]
        count += 2000
    (columns,) = figure.kept
    shown = columns[1][:, 0]
    assert len(shown) == 5000 == len(shown.unique())
    assert shown.mean().item() == pytest.approx(count / 2, rel=0.03)
    state = torch.get_rng_state()
    figure.on_test_batch_end(None, None, x, (x, x), 0)  # type: ignore[arg-type]
    assert torch.equal(torch.get_rng_state(), state)


# What all have in common


def test_highest_rows_in_order_and_first_come_first() -> None:
    first = (torch.tensor([1.0, 3.0]), torch.tensor([[10, 11], [30, 31]]))
    second = (torch.tensor([2.0, 3.0, 0.0]), torch.tensor([[20, 21], [33, 34], [0, 1]]))
    rank, rows = highest([first, second], most=3)
    assert rank.tolist() == [3, 3, 2]
    assert rows.tolist() == [[30, 31], [33, 34], [20, 21]]
    assert len(highest([first], most=5)[0]) == 2


@pytest.mark.parametrize("kind", [ConfusionMatrix, WorstMistakes])
def test_several_processes_make_one_figure(
    kind: type[TestFigure], drawn: dict[str, Figure], own_folder: Path, monkeypatch: Any
) -> None:
    x = images([0, 1, 2, 0, 1, 2, 1], [1.0, 6.0, 3.0, 9.0, 2.0, 4.0, 1.0])
    y = torch.tensor([1, 1, 0, 0, 2, 1, 2])
    classify(x, y)
    alone = dict(drawn)
    drawn.clear()
    processes = []
    for rank in range(2):
        figure = kind()
        trainer = SimpleNamespace(world_size=2, is_global_zero=rank == 0, loggers=[])
        trainer.datamodule, trainer.default_root_dir = None, own_folder
        share = (x[rank::2], y[rank::2])
        figure.on_test_start(trainer, None)  # type: ignore[arg-type]
        output = share[0].flatten(1)[:, :3]
        figure.on_test_batch_end(trainer, None, output, share, 0)  # type: ignore[arg-type]
        processes.append((figure, trainer))
    kept = [figure.kept for figure, _ in processes]

    def gather(shares: list[Any], own: Any) -> None:
        assert any(own is share for share in kept)
        shares[:] = kept

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    for figure, trainer in reversed(processes):
        assert not drawn, "only the first process draws"
        figure.on_test_end(trainer, None)  # type: ignore[arg-type]
    ((name, figure),) = drawn.items()
    if name == "confusion":
        assert numbers(figure) == numbers(alone[name])
    else:
        assert sorted(titles(figure)) == sorted(titles(alone[name]))


class Album(Logger):
    """A logger that takes images, as that of W&B does."""

    def __init__(self) -> None:
        super().__init__()
        self.images: dict[str, list[str]] = {}

    @property
    def name(self) -> str:
        return "album"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, *args: Any, **options: Any) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None: ...

    def log_image(self, key: str, images: list[str]) -> None:
        assert all(Path(path).is_file() for path in images)
        self.images[key] = images


class Numbers(Album):
    """A logger that takes none."""

    log_image = property()  # type: ignore[assignment]


def test_figures_go_below_the_trainers_folder_and_to_loggers(own_folder: Path) -> None:
    album, folder = Album(), own_folder / "elsewhere"
    x, y = images([0, 1, 1], [LOGITS] * 3), torch.tensor([0, 1, 2])
    classify(x, y, default_root_dir=folder, logger=[Numbers(), album])
    paths = {
        key: str(folder / f"{key}.png") for key in ("figures/confusion", "figures/worst_mistakes")
    }
    assert album.images == {key: [path] for key, path in paths.items()}
    assert not (own_folder / "figures").exists()


def test_a_second_test_starts_anew(drawn: dict[str, Figure]) -> None:
    trainer = quiet_trainer()
    model = Classification((1, 4, 4), 3, Given)
    for place in range(2):
        x, y = images([place], [LOGITS]), torch.tensor([2])
        trainer.test(model, batches(x, y), verbose=False)
        assert numbers(drawn["confusion"]) == {(2, place): 1}
        assert len(titles(drawn["worst_mistakes"])) == 1


def test_figures_are_of_tests_only(own_folder: Path) -> None:
    x, y = images([0, 1, 1], [LOGITS] * 3), torch.tensor([0, 1, 2])
    model, loader = Classification((1, 4, 4), 3, Given), batches(x, y)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader, loader)
    trainer.validate(model, loader, verbose=False)
    assert not list(own_folder.glob("**/*.png"))


def test_what_a_broken_off_test_left_is_dropped() -> None:
    figure, output = ConfusionMatrix(), torch.randn(4, 3)
    figure.on_test_batch_end(None, None, output, (output, torch.arange(4) % 3), 0)  # type: ignore[arg-type]
    assert figure.kept
    figure.on_test_start(None, None)  # type: ignore[arg-type]
    assert figure.kept == []
