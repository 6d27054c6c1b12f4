"""Whether the file left the checker alone: what tests assert with, and what decides that a test passes.

The tests get a copy of `checking` of their own, with NumPy's functions and Python's builtins as they were
before the file was imported; what the file can import under that name is another copy. So a patch there has
no effect, and is found. Functions that tests use besides (NumPy's, torch's) are compared by identity before
and after each test. A patch that takes itself back between two looks is not seen.
"""

import builtins
import contextlib
import importlib.util
import math
import os
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy
import pytest

import tasks.labs
from tasks.labs import errors

NAME = "tasks.labs.checking"
PYTEST = ("_pytest.runner", "_pytest.python", "_pytest.fixtures", "pluggy")
TORCH = ("torch", "torch.nn.functional", "torch.linalg", "torch.testing")


def checking() -> ModuleType:
    """A new copy of `tasks.labs.checking`, with builtins and NumPy's functions of its own."""
    spec = importlib.util.find_spec(NAME)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module)["__builtins__"] = dict(vars(builtins))
    spec.loader.exec_module(module)
    vars(module)["np"] = SimpleNamespace(**vars(numpy))
    return module


def install(module: ModuleType) -> None:
    """From now on `from tasks.labs import checking` gives this one."""
    sys.modules[NAME] = module
    vars(tasks.labs)["checking"] = module


def bind(one: Any) -> None:
    """Makes the methods that an object has now its own: another function in its class changes nothing."""
    for name, value in list(vars(type(one)).items()):
        if isinstance(value, FunctionType) and not name.startswith("__"):
            setattr(one, name, getattr(one, name))


class Watch:
    """Notes the functions when it is made; `changed()` says whether any is another one now.

    copy: the `checking` that the student's file can import. own: dicts of the sandbox's own modules.
    """

    def __init__(self, copy: ModuleType, own: list[dict[str, Any]]) -> None:
        places: list[Any] = [builtins, math, contextlib, numpy, numpy.linalg, numpy.random]
        places += [pytest, errors, copy]
        places += [contextlib._GeneratorContextManager, errors.CheckFailed, errors.NotDone]
        places += [sys.modules[name] for name in PYTEST]
        torch = [sys.modules[name] for name in TORCH if name in sys.modules]
        # torch itself puts other functions in place of some when parts of it are first used.
        self.torch = os.path.dirname(torch[0].__file__ or "") + os.sep if torch else "\0"
        places += [*torch, torch[0].Tensor] if torch else []
        self.noted: list[tuple[Any, list[tuple[str, Any]]]] = [
            (facts, [(name, value) for name, value in facts.items() if callable(value)])
            for facts in map(vars, places)
        ]
        self.noted += [(facts, list(facts.items())) for facts in own]
        names = (NAME, "tasks.labs.errors", "numpy", "pytest", "contextlib", "math", "builtins")
        self.noted.append((sys.modules, [(name, sys.modules[name]) for name in names]))
        self.noted.append((vars(sys), [("excepthook", sys.excepthook)]))
        self.copies = (copy, checking())
        bind(self)

    def changed(self) -> bool:
        # Neither builtins nor names of this module, which might be others by now.
        for now, kept in self.noted:
            for name, value in kept:
                other = now.get(name, self)
                if other is not value and not self._of_torch(name, value, other):
                    return True
        return False

    def _of_torch(self, name: str, value: Any, other: Any) -> bool:
        try:
            files = [one.__code__.co_filename for one in (value, other)]
        except AttributeError:
            return False
        same = other.__name__ == value.__name__ == name
        return same and all(file.startswith(self.torch) for file in files)

    def blind(self) -> bool:
        """Whether a wrong result passes now."""
        return not all(_finds(copy.close, 1.0, 2.0) for copy in self.copies) or not all(
            _finds(copy.equal, [1], [2]) for copy in self.copies
        )


def _finds(check: Callable[..., None], got: Any, want: Any) -> bool:
    try:
        check(got, want, concept="a", why="b")
    except errors.CheckFailed:
        return True
    except Exception:
        return False
    return False
