"""Checks pass what is right, fail what is wrong, and say where and why."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tasks.labs import checking
from tasks.labs.errors import CheckFailed, NotDone

SAYS = {"concept": "idea", "why": "Because."}


def failure(call: Callable[[], Any]) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught:
        call()
    assert (caught.value.concept, caught.value.why) == ("idea", "Because.")
    return caught.value


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (1.0, 1.0 + 1e-10),
        (1, 1.0),
        ([1.0, 2.0], np.array([1.0, 2.0])),
        (np.float32(0.1), np.float32(0.1)),
        (torch.tensor([1.0, float("nan")], requires_grad=True), [1.0, float("nan")]),
        (np.inf, np.inf),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (True, 1),
        (np.arange(6.0).reshape(2, 3).T, torch.arange(6.0).reshape(2, 3).T),
        (1 + 2j, 1 + 2j),
    ],
)
def test_close_numbers_of_any_kind_pass(got: Any, want: Any) -> None:
    checking.close(got, want, **SAYS)


@pytest.mark.parametrize(
    ("got", "want", "expected", "came", "where"),
    [
        (1.0, 1.001, "1.001", "1", ""),
        ([1.0, 5.0, 7.0], [1.0, 2.0, 3.0], "2", "5", "at [1]; 2 of 3 differ"),
        (
            torch.tensor([[1.0, 2.0], [3.0, 5.0]]),
            [[1.0, 2.0], [3.0, 4.0]],
            "4",
            "5",
            "at [1, 1]; 1 of 4 differ",
        ),
        (np.zeros(3), np.zeros((3, 1)), "shape (3, 1)", "shape (3,)", ""),
        (np.zeros(1), 0.0, "shape ()", "shape (1,)", ""),
        (np.nan, 0.0, "0", "nan", ""),
        (np.inf, -np.inf, "-inf", "inf", ""),
        (None, 1.0, "numbers", "None", ""),
        ("1", 1.0, "numbers", "'1'", ""),
        ([[1], [1, 2]], [1.0], "numbers", "[[1], [1, 2]]", ""),
        ({"a": 1}, 1.0, "numbers", "{'a': 1}", ""),
    ],
)
def test_far_ones_fail_at_the_first_place(
    got: Any, want: Any, expected: str, came: str, where: str
) -> None:
    error = failure(lambda: checking.close(got, want, **SAYS))
    assert (error.expected, error.got, error.where) == (expected, came, where)


def test_tolerances_are_those_given() -> None:
    checking.close(1.09, 1.0, rtol=0.1, **SAYS)
    checking.close(0.09, 0.0, atol=0.1, **SAYS)
    failure(lambda: checking.close(0.09, 0.0, rtol=1.0, **SAYS))
    # Relative to what is wanted, not to what came.
    failure(lambda: checking.close(2.0, 1.0, rtol=0.6, atol=0.0, **SAYS))


@pytest.mark.parametrize(
    ("got", "want"),
    [
        ([1, 2], [1, 2]),
        (np.array([1, 2]), [1, 2]),
        (torch.tensor([1, 2]), [1, 2]),
        ([1, 2], np.array([1, 2])),
        ("a", "a"),
        (None, None),
        ({"a": (1,)}, {"a": (1,)}),
    ],
)
def test_equal_things_pass(got: Any, want: Any) -> None:
    checking.equal(got, want, **SAYS)


@pytest.mark.parametrize(
    ("got", "want", "expected", "came"),
    [
        ([1, 3], np.array([1, 2]), "2", "3"),
        ([1], np.array([1, 2]), "shape (2,)", "shape (1,)"),
        (np.array([1, 3]), [1, 2], "[1, 2]", "[1, 3]"),
        ("b", "a", "'a'", "'b'"),
        (None, np.array([1]), "numbers", "None"),
        (1.0 + 1e-12, 1.0, "1.0", "1.000000000001"),
        ([np.float64(0.5)], [0.25], "[0.25]", "[0.5]"),
        ((np.int64(2), np.bool_(True)), (3, True), "(3, True)", "(2, True)"),
    ],
)
def test_unequal_things_fail(got: Any, want: Any, expected: str, came: str) -> None:
    error = failure(lambda: checking.equal(got, want, **SAYS))
    assert (error.expected, error.got) == (expected, came)


def test_a_condition() -> None:
    checking.that(np.bool_(True), **SAYS)
    checking.that(torch.tensor(True), **SAYS)
    error = failure(lambda: checking.that(0.2 < 0.1, expected="below 0.1", got=0.2, **SAYS))
    assert (error.expected, error.got) == ("below 0.1", "0.2")
    assert failure(lambda: checking.that(False, got="as it is", **SAYS)).got == "as it is"


def test_alike_is_kind_shape_and_dtype() -> None:
    like = torch.zeros(2, 3)
    checking.alike(torch.ones(2, 3), like, **SAYS)
    checking.alike(1.5, 2.5, **SAYS)
    for other in (like.double(), like.T, like.numpy(), 1.0):
        failure(lambda other=other: checking.alike(other, like, **SAYS))
    error = failure(lambda: checking.alike(np.zeros(2), np.zeros(2, np.float32), **SAYS))
    assert error.expected == "ndarray of float32, shape (2,)"
    assert error.got == "ndarray of float64, shape (2,)"


def test_untouched_sees_changes_in_place() -> None:
    values, tensor = np.zeros(3), torch.zeros(2)
    with checking.untouched(values, tensor, why="Because."):
        values + 1
    with pytest.raises(CheckFailed) as caught, checking.untouched(values, why="Because."):
        values[1] = 5
    assert caught.value.concept == "input-changed" and "at [1]" in caught.value.where
    with pytest.raises(CheckFailed), checking.untouched(values, tensor, why="Because."):
        tensor.add_(1)


def test_raises_wants_that_error() -> None:
    with checking.raises(ValueError, **SAYS):
        raise UnicodeError("a kind of ValueError")

    def within(error: Exception | None) -> None:
        with checking.raises(ValueError, **SAYS):
            if error:
                raise error

    assert failure(lambda: within(None)).got == "no error"
    assert failure(lambda: within(KeyError("k"))).got == "KeyError: 'k'"
    # Not even where NotImplementedError, of which it is a kind, is wanted.
    with pytest.raises(NotDone), checking.raises(NotImplementedError, **SAYS):
        raise NotDone("w01.t01 f: a")


def test_overflow_is_told() -> None:
    with checking.no_overflow(**SAYS):
        np.exp(np.array([-1000.0, 1.0]))

    def within(values: list[float]) -> None:
        with checking.no_overflow(**SAYS):
            np.exp(np.array(values)) / np.array(values)

    assert "overflow" in failure(lambda: within([1000.0])).got
    assert "divide by zero" in failure(lambda: within([0.0])).got
    # Whoever checks next has numpy's own settings again.
    assert np.geterr()["over"] == "warn"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1e-12, "1e-12"),
        (torch.tensor([1.5]), "[1.5]"),
        (np.arange(9), "int64 array of shape (9,): 0, 1, 2, 3, ..."),
        (
            np.full((3, 3), 1 / 3),
            "float64 array of shape (3, 3): 0.333333, 0.333333, 0.333333, 0.333333, ...",
        ),
        ("a\n  b", r"'a\n b'"),
        ("x" * 200, "'" + "x" * 85 + " ..."),
    ],
    ids=["float", "small", "tensor", "integers", "floats", "lines", "long"],
)
def test_values_are_short(value: Any, text: str) -> None:
    assert checking.short(value) == text


def test_a_failure_reads_well() -> None:
    error = failure(lambda: checking.close([1.0, 3.0], [1.0, 2.0], **SAYS))
    assert str(error) == (
        "[idea]\n  expected  2\n  got       3   (at [1]; 1 of 2 differ)\n  Because."
    )
    assert str(failure(lambda: checking.that(False, **SAYS))) == "[idea]\n  Because."


def test_types_are_values_too() -> None:
    checking.equal(type(torch.zeros(1)), torch.Tensor, concept="a", why="b")
    with pytest.raises(CheckFailed) as told:
        checking.equal(type(torch.zeros(1)), float, concept="a", why="b")
    assert "float" in told.value.expected and "Tensor" in told.value.got
