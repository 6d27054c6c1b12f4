"""One run of a task's tests: outcomes, order, seeds, limits, and what honest files may do."""

import time
from pathlib import Path

import pytest
from one_task import ALL, SOLUTION, at_import, in_mse, only_task, repository

from tasks.labs import regions, runner
from tasks.labs.runner import ERROR, FAILED, NOT_STARTED, PASSED, TIMEOUT, Result

OWN = '''"""Public tests."""
import pytest
from tasks.labs import checking

@pytest.fixture(scope="module")
def shared(impl, run_seed):
    return impl.mse, run_seed

@pytest.fixture
def broken():
    yield 1
    raise RuntimeError("too late")

def test_one(impl, rng, seed):
    """Says   what
    it wants."""
    checking.that(False, concept="told", why=f"{seed} {rng.integers(2**40)}")

def test_two(shared):
    """Two."""
    checking.equal(shared[1], 0, concept="seed", why=str(shared[1]))

def test_three(broken):
    """Three."""

@pytest.mark.parametrize("n", [1, 2])
def test_four(impl, n):
    """Four."""
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "repository")


def run(root: Path, text: str | bytes, **options: object) -> Result:
    file = root.parent / "task.py"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return runner.run(only_task(root), file, **options)


def own_tests(root: Path, text: str = OWN) -> None:
    (only_task(root).folder / "test_task.py").write_text(text)


def budget(root: Path, seconds: float) -> None:
    from tasks.labs import catalog

    toml = only_task(root).folder / "task.toml"
    toml.write_text(toml.read_text().replace("budget = 20", f"budget = {seconds}"))
    catalog.weeks.cache_clear()


def test_passed_and_hidden_tests(root):
    result = run(root, SOLUTION, hidden=True)
    assert (result.outcome, result.flags, result.message) == (PASSED, (), "")
    assert len(result.tests) == ALL and {test.outcome for test in result.tests} == {PASSED}
    assert all(test.says for test in result.tests)


def test_failed_with_its_concept_and_line(root):
    result = run(root, SOLUTION.replace("return 2 / len(y)", "return 1 / len(y)"))
    assert result.outcome == FAILED
    test = next(test for test in result.tests if test.concept == "gradient-scale")
    assert test.name == "test_gradient_is_the_slope_of_the_error" and test.expected and test.got


def test_not_started(root):
    result = run(root, regions.stub(SOLUTION, "w01.t11"))
    assert result.outcome == NOT_STARTED and result.counts[NOT_STARTED] == len(result.tests)
    assert result.tests[0].message.startswith("w01.t11 mse: ") and result.tests[0].line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def broken(:\n", "SyntaxError"),
        pytest.param(at_import("1 / 0"), "ZeroDivisionError", marks=pytest.mark.slow),
        (b"x = '\xff'\n", "SyntaxError"),
        pytest.param(
            SOLUTION.replace("def mse(", "def other("), "AttributeError", marks=pytest.mark.slow
        ),
    ],
    ids=["syntax", "import", "encoding", "no such function"],
)
def test_error(root, text, says):
    result = run(root, text, only=("test_error_of_a_case_by_hand",))
    assert result.outcome == ERROR and result.tests[0].message.startswith(says)


def test_missing_file(root):
    result = runner.run(only_task(root), root / "none.py")
    assert (result.outcome, result.message) == (ERROR, "none.py is missing")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "place"),
    [
        (at_import("while True: pass"), "the import of the file"),
        (in_mse("while True: pass"), "test_error_of_a_case_by_hand"),
    ],
    ids=["import", "function"],
)
def test_timeout(root, text, place):
    budget(root, 1)
    started = time.monotonic()
    result = run(root, text)
    assert (result.outcome, result.message) == (TIMEOUT, f"no end after 1 s, in {place}")
    assert time.monotonic() - started < 20 and result.counts[TIMEOUT] == len(result.tests)


def test_own_fixtures_seeds_and_order(root):
    own_tests(root)
    result = run(root, SOLUTION, seed=3)
    by = {test.name: test for test in result.tests}
    assert [test.outcome for test in result.tests] == [FAILED, FAILED, ERROR, PASSED, PASSED]
    assert by["test_one"].says == "Says what it wants."
    assert by["test_two"].why == "3" and by["test_three"].message == "RuntimeError: too late"
    again = run(root, SOLUTION, seed=3, order=7)
    assert [test.test for test in again.tests] == [test.test for test in result.tests]
    assert again.tests[0].why == by["test_one"].why
    other = run(root, SOLUTION, seed=4, only=("test_one",))
    assert len(other.tests) == 1 and other.tests[0].why != by["test_one"].why


@pytest.mark.slow
def test_order_is_shuffled(root):
    own_tests(root, "def test_a(impl): impl.mse()\ndef test_b(impl): impl.mse()\n")
    text = "calls = []\ndef mse():\n    calls.append(1)\n    assert len(calls) == 1\n"
    for order, first in ((0, "test_a"), (1, "test_b")):
        result = run(root, text, order=order)
        assert [test.name for test in result.tests if test.outcome == PASSED] == [first]


def test_a_fixture_that_is_not_done(root):
    own_tests(root)
    result = run(
        root, "from tasks import NotDone\ndef __getattr__(name): raise NotDone('w: ' + name)"
    )
    by = {test.name: test for test in result.tests}
    assert by["test_two"].outcome == NOT_STARTED and by["test_two"].message == "w: mse"


def test_tests_that_cannot_be_read(root):
    own_tests(root, "import nothing_of_that_name\n")
    result = run(root, SOLUTION)
    assert result.outcome == ERROR and result.message.startswith("the tests cannot be read")
    own_tests(root, "\n")
    assert run(root, SOLUTION).message == "no tests were found"


ORDINARY = """
import contextlib, inspect, logging, os, sys, tempfile, traceback, warnings
from collections import namedtuple
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple
from tasks.labs.data import digits

Point = namedtuple("Point", "x y")

class Pair(NamedTuple):
    a: int

class Colour(Enum):
    RED = 1

@dataclass(order=True)
class Box:
    width: int = 0

def use_it_all():
    print("seen by nobody", file=sys.stderr)
    with contextlib.suppress(ZeroDivisionError):
        1 / 0
    try:
        1 / 0
    except ZeroDivisionError:
        traceback.print_exc()
    traceback.print_stack()
    logging.warning("a warning", stack_info=True)
    warnings.warn("another", stacklevel=1)
    warnings.showwarning("a third", UserWarning, inspect.stack.__code__.co_filename, 1)
    inspect.getsource(use_it_all)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    np.save("own.npy", np.zeros(3))
    assert np.load("own.npy").sum() == 0
    open(os.devnull, "w").close()
    open("/proc/self/status").close()
    assert eval("1 + 1") == 2
    assert digits()[0].shape == (1437, 64)

use_it_all()
"""


def test_honest_files_raise_no_flag(root):
    text = SOLUTION.replace(IN_TEST, "    use_it_all()\n" + IN_TEST)
    result = run(root, text + ORDINARY)
    assert (result.outcome, result.flags) == (PASSED, ()), result


IN_TEST = "    return mse(w, X, y)\n"


@pytest.mark.slow
def test_honest_use_of_torch_and_matplotlib_raises_no_flag(root):
    code = """
import matplotlib.pyplot as plt
import torch
from torch.utils.data import DataLoader
net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
step = torch.optim.Adam(net.parameters())
for x in DataLoader(torch.randn(64, 2), batch_size=16, shuffle=True):
    step.zero_grad()
    net(x).square().mean().backward()
    step.step()
torch.save(net.state_dict(), "net.pt")
net.load_state_dict(torch.load("net.pt"))
plt.plot([1, 2])
plt.savefig("own.png")
"""
    result = run(root, at_import(code))
    assert (result.outcome, result.flags) == (PASSED, ()), result


def test_open_descriptors_and_garbage_do_no_harm(root):
    result = run(root, at_import("import os\nos.closerange(3, 64)"))
    assert result.outcome == ERROR and "ended-early" in result.flags
