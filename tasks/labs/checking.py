"""What the tests of a task assert with: each check names its concept, and says what would have helped.

Numbers, arrays and tensors are compared alike; a tensor is read without importing torch here, so that the
checks of a task in NumPy start at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tasks.labs.errors import CheckFailed, NotDone

WIDTH = 90


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor, not the class of tensors, told without importing torch."""
    return hasattr(value, "detach") and not isinstance(value, type)


def array(value: Any) -> np.ndarray:
    """Any number, list, array or tensor as an array."""
    if is_tensor(value):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def short(value: Any) -> str:
    """A value as one line of text that fits beside a label."""
    if is_tensor(value) or isinstance(value, np.ndarray):
        value = array(value)
        if value.size > 8:
            form = ".6g" if value.dtype.kind == "f" else ""
            head = ", ".join(format(item, form) for item in value.flat[:4])
            return f"{value.dtype} array of shape {value.shape}: {head}, ..."
        value = value.tolist()
    value = _plain(value)
    if isinstance(value, float):
        return f"{value:.9g}"
    text = " ".join(repr(value).split())
    return text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."


def close(
    got: Any,
    want: Any,
    *,
    concept: str,
    why: str,
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> None:
    """The shapes are the same, and each number is within atol + rtol * |want|; nan equals nan."""
    have, need = _numbers(got, concept, why), array(want)
    if have.shape != need.shape:
        raise CheckFailed(
            concept=concept, why=why, expected=f"shape {need.shape}", got=f"shape {have.shape}"
        )
    near = np.isclose(have, need, rtol=rtol, atol=atol, equal_nan=True)
    if near.all():
        return
    _differ(have, need, ~near, concept, why)


def equal(got: Any, want: Any, *, concept: str, why: str) -> None:
    """Exactly the same: arrays in shape and every element, anything else by `==`."""
    if isinstance(want, np.ndarray) or is_tensor(want):
        have, need = _numbers(got, concept, why), array(want)
        if have.shape != need.shape:
            raise CheckFailed(
                concept=concept, why=why, expected=f"shape {need.shape}", got=f"shape {have.shape}"
            )
        if not (have == need).all():
            _differ(have, need, have != need, concept, why)
        return
    if is_tensor(got) or isinstance(got, np.ndarray):
        got = array(got).tolist()
    if got != want:
        expected, came = _pair(want, got)
        raise CheckFailed(concept=concept, why=why, expected=expected, got=came)


def that(condition: Any, *, concept: str, why: str, expected: str = "", got: Any = "") -> None:
    """The condition holds; `expected` says it in words, such as `at most 0.15`."""
    if not bool(condition):
        text = got if isinstance(got, str) else short(got)
        raise CheckFailed(concept=concept, why=why, expected=expected, got=text)


def alike(got: Any, like: Any, *, concept: str, why: str) -> None:
    """Same kind (array or tensor), shape and dtype as `like`, and on the same device."""

    def kind(value: Any) -> str:
        place = f" on {value.device}" if is_tensor(value) else ""
        dtype = getattr(value, "dtype", type(value).__name__)
        return f"{type(value).__name__} of {dtype}, shape {tuple(np.shape(value))}{place}"

    if kind(got) != kind(like):
        raise CheckFailed(concept=concept, why=why, expected=kind(like), got=kind(got))


@contextmanager
def untouched(*values: Any, concept: str = "input-changed", why: str) -> Iterator[None]:
    """The block changes none of these arrays and tensors."""
    before = [array(value).copy() for value in values]
    yield
    for value, copy in zip(values, before, strict=True):
        equal(array(value), copy, concept=concept, why=why)


@contextmanager
def raises(error: type[Exception], *, concept: str, why: str) -> Iterator[None]:
    """The block raises `error`; what is not done yet is told as such."""
    try:
        yield
    except NotDone:
        raise
    except error:
        return
    except Exception as other:
        raise CheckFailed(
            concept=concept,
            why=why,
            expected=error.__name__,
            got=f"{type(other).__name__}: {other}",
        ) from other
    raise CheckFailed(concept=concept, why=why, expected=error.__name__, got="no error")


@contextmanager
def no_overflow(*, concept: str, why: str) -> Iterator[None]:
    """NumPy neither overflows nor divides by zero nor makes a nan in the block."""
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            yield
    except FloatingPointError as error:
        raise CheckFailed(
            concept=concept, why=why, expected="no overflow", got=str(error)
        ) from error


def _numbers(got: Any, concept: str, why: str) -> np.ndarray:
    try:
        have = array(got)
    except (TypeError, ValueError):
        have = np.asarray(None)
    if have.dtype.kind not in "biufc":
        raise CheckFailed(concept=concept, why=why, expected="numbers", got=short(got))
    return have


def _differ(have: np.ndarray, need: np.ndarray, wrong: np.ndarray, concept: str, why: str) -> None:
    place = tuple(int(axis) for axis in np.argwhere(wrong)[0])
    where = ""
    if have.ndim:
        index = ", ".join(map(str, place))
        where = f"at [{index}]; {int(wrong.sum())} of {wrong.size} differ"
    expected, came = _pair(need[place], have[place])
    raise CheckFailed(concept=concept, why=why, expected=expected, got=came, where=where)


def _pair(want: Any, got: Any) -> tuple[str, str]:
    """Both as text; in full where they differ only far behind the point."""
    expected, came = short(want), short(got)
    if expected == came:
        return repr(_plain(want)), repr(_plain(got))
    return expected, came


def _plain(value: Any) -> Any:
    """Numbers of NumPy as those of Python, in lists and tuples too."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    return value
