"""Tables, curves and digits: compared with scikit-learn, closed forms and rows worked by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_files import put_all
from sklearn.datasets import load_diabetes, load_digits

from lab.data import california
from lab.data.base import TensorSet
from lab.data.california import California
from lab.data.curve import FUNCTIONS, Curve
from lab.data.diabetes import Diabetes
from lab.data.digits import Digits
from lab.data.tables import split_table
from lab.errors import LabError


def joined(*sets: TensorSet) -> list[np.ndarray]:
    """All inputs and all targets."""
    return [torch.cat(column).numpy() for column in zip(*(s.tensors for s in sets), strict=True)]


def test_digits_are_those_of_scikit_learn() -> None:
    data = Digits(by_position=True)
    data.setup("fit")
    images, labels = joined(data.train_set, data.val_set, data.test_set)
    expected = load_digits()
    np.testing.assert_array_equal(images[:, 0], expected.images / 16)
    np.testing.assert_array_equal(labels, expected.target)


def test_dealt_digits_are_the_same_ones_in_another_order() -> None:
    def rows(*, by_position: bool) -> list[list[float]]:
        data = Digits(by_position=by_position)
        data.setup("fit")
        images, labels = joined(data.train_set, data.val_set, data.test_set)
        return np.column_stack([images.reshape(-1, 64), labels]).tolist()

    dealt, in_order = rows(by_position=False), rows(by_position=True)
    assert dealt != in_order and sorted(dealt) == sorted(in_order)


def test_table_is_cut_and_standardised_by_its_training_part() -> None:
    # Each row is its own number, so that the outcome tells which row went where.
    numbers = np.arange(100.0)[:, None]
    sets = split_table(numbers, numbers**2)
    values = [part.tensors[0].double() for part in sets]
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    rows = [((v - low) / (high - low) * 99).round() for v in values]
    assert [len(part) for part in rows] == [60, 20, 20]
    assert torch.cat(rows).flatten().sort().values.tolist() == list(range(100))
    assert torch.cat(rows).flatten().tolist() != list(range(100))
    for column, power in ((0, 1), (1, 2)):
        train = rows[0] ** power
        for part, row in zip(sets, rows, strict=True):
            expected = (row**power - train.mean()) / train.std(correction=0)
            torch.testing.assert_close(part.tensors[column], expected.float())


def test_diabetes_is_that_of_scikit_learn() -> None:
    data = Diabetes()
    data.setup("fit")
    found = np.hstack(joined(data.train_set, data.val_set, data.test_set))
    source = load_diabetes(scaled=False)
    expected = np.column_stack([source.data, source.target])
    # Up to order and to the scale of each column the tables are equal.
    for column in range(11):
        low, high = expected[:, column].min(), expected[:, column].max()
        back = found[:, column] - found[:, column].min()
        found[:, column] = low + back / back.max() * (high - low)
    order, source_order = np.lexsort(found.round(2).T), np.lexsort(expected.round(2).T)
    np.testing.assert_allclose(found[order], expected[source_order], rtol=1e-5)
    train = torch.cat(data.train_set.tensors, dim=1)
    torch.testing.assert_close(train.mean(0), torch.zeros(11), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.std(0, correction=0), torch.ones(11))


def test_california_has_the_columns_of_scikit_learn(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_all(monkeypatch, own_folder / "tiny", split="digits")
    tables: list[np.ndarray] = []

    def keep(*table: np.ndarray) -> Any:
        tables.extend(table)
        return split_table(*table)

    monkeypatch.setattr(california, "split_table", keep)
    data = California()
    data.prepare_data()
    data.setup("fit")
    # What fetch_california_housing gives for these two districts, whose value it divides by 100 000.
    expected = [
        [8.3252, 41, 6.98412698, 1.02380952, 322, 2.55555556, 37.88, -122.23],
        [8.3014, 21, 6.23813708, 0.97188049, 2401, 2.10984183, 37.86, -122.22],
    ]
    np.testing.assert_allclose(tables[0][:2], expected, rtol=1e-8)
    assert tables[1][:2].tolist() == [[452600], [358500]]
    assert len(tables[0]) == len(tables[1]) == 100


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_noise_has_the_stated_deviation(noise: float) -> None:
    data = Curve(noise=noise, points=20_000)
    data.setup("fit")
    x, y = data.train_set.tensors
    rest = y - data.clean(x)
    assert rest.std().item() == pytest.approx(noise, rel=0.03)
    assert rest.mean().item() == pytest.approx(0, abs=4 * noise / math.sqrt(20_000))
    assert -1 <= x.min() < -0.999 and 0.999 < x.max() <= 1
    assert x.mean().item() == pytest.approx(0, abs=0.02)


def test_many_peaks_is_nielsens_curve() -> None:
    data = Curve()
    t = np.linspace(0, 1, 201)
    expected = 0.2 + 0.4 * t**2 + 0.3 * t * np.sin(15 * t) + 0.05 * np.cos(50 * t)
    found = data.clean(torch.from_numpy(2 * t - 1))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("sine", [0, 1, 0, -1, 0]),
        ("line", [-1, -0.5, 0, 0.5, 1]),
        ("parabola", [1, 0.25, 0, 0.25, 1]),
        ("absolute", [1, 0.5, 0, 0.5, 1]),
        ("step", [0, 0, 0, 1, 1]),
        ("sawtooth", [0, 0, 0, 0, 0]),
    ],
)
def test_curves_pass_through_known_points(function: str, expected: list[float]) -> None:
    x = torch.tensor([-1, -0.5, 0, 0.5, 1])
    found = Curve(function=function).clean(x)
    torch.testing.assert_close(found, torch.tensor(expected).float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_curves_keep_in_range(function: str) -> None:
    y = Curve(function=function).clean(torch.linspace(-1, 1, 1001))
    assert y.abs().max() <= 1 and y.max() - y.min() > 0.5


def test_parts_of_a_curve_have_streams_of_their_own() -> None:
    few, many = Curve(points=10), Curve(points=5000)
    for data in (few, many):
        data.setup("fit")
    # More training points change no other.
    assert torch.equal(few.test_set.tensors[1], many.test_set.tensors[1])
    assert not torch.equal(many.val_set.tensors[0], many.test_set.tensors[0])
    assert not torch.equal(many.val_set.tensors[0], many.train_set.tensors[0][:1000])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"function": "sin"}, r"--data.function sin: no such curve.\nNearest: .*sine"),
        ({"noise": -0.1}, "--data.noise must be 0 or more"),
        ({"noise": math.nan}, "--data.noise must be 0 or more"),
        ({"points": 0}, "--data.points at least 1"),
    ],
)
def test_curve_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        Curve(**options)
