"""Runs the tests of one task on one file: a process of its own, started by `runner.run`.

It reads a job (JSON) from standard input, sets the limits, collects the tests, closes the fence around the
student's file and imports it only then. What happens is told in signed lines on a pipe (`events`).

A test passes only if the function that was collected came back without an error, as seen by the sandbox's own
call of it; no report of pytest's decides. What stays possible, since file and tests share one process: a file
that reaches this module's objects in memory, or patches what a test uses and takes the patch back before the
next look (`watch`), or recognises a test by its inputs and answers from a table. The first two take intent
and skill, and hidden tests on other inputs are for the third.
"""

import json
import os
import random
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pytest import ExitCode

import tasks.labs
from tasks.labs import events, fence, kernel, watch
from tasks.labs.errors import CheckFailed, NotDone

OWN = (events, fence, watch)
LONGEST = 500
PASSED = {"outcome": "passed"}


class Sandbox:
    """The pytest plugin: fixtures `impl`, `rng` and `seed`, a random order, and one event for each test."""

    def __init__(self, job: dict[str, Any], tell: Callable[..., None]) -> None:
        self.job, self.tell, self.clock = job, tell, time.perf_counter
        self.digest, self.generator = zlib.crc32, np.random.default_rng
        self.impl: ModuleType | None = None
        self.broken: BaseException | None = None
        self.names: list[str] = []
        self.told = 0
        self.tests: dict[str, Any] = {}
        self.outcome: dict[str, Any] = {}
        places = {"file": job["file"], "home": job["home"], "repository": job["repository"]}
        self.fence = fence.Fence(tests=job["root"], **places)
        self.lock = lambda: kernel.landlock(**places)
        watch.install(watch.checking())
        watch.bind(self)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = self.job["only"]
        if chosen:
            items[:] = [item for item in items if item.name in chosen]
        self.names = [_name(item) for item in items]
        self.tests = {_name(item): getattr(item, "obj", None) for item in items}
        if self.job["order"] is not None:
            random.Random(self.job["order"]).shuffle(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.tell("stopped", message=str(report.longrepr).strip().splitlines()[-1])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.tell("collected", tests=self.names)
        self._hide()
        copy = watch.checking()
        watch.install(copy)
        self.watch = watch.Watch(copy, [globals(), *map(vars, OWN)])
        self.lock()
        sys.addaudithook(self.fence.hook)
        file = self.job["file"]
        spec = spec_from_file_location("task", file)
        assert spec is not None
        module = module_from_spec(spec)
        sys.modules["task"] = self.impl = module
        try:
            # Compiled here: a compiled file beside it may be of another text.
            with open(file, "rb") as text:
                code = compile(text.read(), file, "exec")
            exec(code, vars(module))
        except Exception as error:
            self.broken = error
        except BaseException as error:
            self.broken = RuntimeError(f"{type(error).__name__} while the file is imported")
            self.broken.__traceback__ = error.__traceback__
        self._look()
        self.tell("imported")

    def _hide(self) -> None:
        """Takes the tests, their lines and this module out of what an import or linecache finds."""
        import linecache

        linecache.clearcache()
        folder = self.job["root"] + os.sep
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(folder):
                del sys.modules[name]
        for module in OWN:
            del sys.modules[module.__name__]
            delattr(tasks.labs, module.__name__.rpartition(".")[2])
        sys.modules["__main__"] = ModuleType("__main__")

    def _look(self) -> None:
        if self.watch.changed():
            self.fence.flags.add("checker-changed")
        if len(self.fence.flags) > self.told:
            self.told = len(self.fence.flags)
            self.tell("flags", flags=sorted(self.fence.flags))

    @pytest.fixture(name="impl", scope="session")
    def implementation(self) -> ModuleType:
        """The student's module."""
        if self.broken is not None:
            raise self.broken
        assert self.impl is not None
        return self.impl

    @pytest.fixture
    def seed(self, request: pytest.FixtureRequest) -> int:
        """A number that depends on the seed of the run and on the test."""
        return self.digest(f"{self.job['seed']} {request.node.name}".encode())

    @pytest.fixture
    def rng(self, seed: int) -> np.random.Generator:
        return self.generator(seed)

    @pytest.fixture(scope="module")
    def run_seed(self) -> int:
        """The seed of the run, for fixtures that several tests share."""
        return int(self.job["seed"])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        name = _name(item)
        self.tell("started", test=name)
        started = self.clock()
        self.outcome = {}
        self._look()
        result = yield
        self._look()
        doc = getattr(self.tests[name], "__doc__", None) or ""
        self.tell(
            "done",
            test=name,
            seconds=round(self.clock() - started, 3),
            says=" ".join(doc.split()),
            **(self.outcome or {"outcome": "error", "message": "the test was not run"}),
        )
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Calls the test; only its return makes it pass."""
        test = self.tests[_name(pyfuncitem)]
        wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        try:
            test(**wanted)
        except BaseException as error:
            self.outcome = self._outcome(error)
        else:
            self.outcome = PASSED
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport:
        """What fixtures raise; pytest's own text of it would read the tests' lines, and is not needed."""
        if call.excinfo is not None and self.outcome in ({}, PASSED):
            self.outcome = self._outcome(call.excinfo.value)
        failed = call.excinfo is not None
        return pytest.TestReport(
            item.nodeid, item.location, {}, "failed" if failed else "passed", None, "call"
        )

    def _outcome(self, error: BaseException) -> dict[str, Any]:
        line = self._line(error)
        if isinstance(error, NotDone):
            return {"outcome": "not started", "message": str(error)[:LONGEST], "line": line}
        if isinstance(error, CheckFailed):
            parts = ("concept", "why", "expected", "got", "where")
            told = {part: str(getattr(error, part, ""))[:LONGEST] for part in parts}
            return {"outcome": "failed", **told, "line": line}
        try:
            says = str(error)
        except Exception:
            says = ""
        text = f"{type(error).__name__}: {says}".strip().splitlines()[0][:200]
        if isinstance(error, SyntaxError):
            line = error.lineno
        return {"outcome": "error", "concept": "crash", "message": text, "line": line}

    def _line(self, error: BaseException) -> int | None:
        """The last line of the student's file that the error went through."""
        found = None
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.job["file"]:
                found = trace.tb_lineno
            trace = trace.tb_next
        return found

    def finish(self) -> None:
        self._look()
        if self.watch.blind():
            self.fence.flags.add("checker-changed")
        self.tell("finished", flags=sorted(self.fence.flags))


def _name(item: pytest.Item) -> str:
    return f"{item.path.stem}::{item.name}"


def main() -> None:
    job = json.load(sys.stdin)
    tell = events.writer(int(job.pop("pipe")), bytes.fromhex(job.pop("key")))
    kernel.limit(memory=job["memory"], budget=job["budget"])
    # What the tests and the file print is not for the screen of a check.
    silent = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(silent, standard)
    leave, sandbox = os._exit, Sandbox(job, tell)
    options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-c", os.devnull, "--assert=plain"]
    code = pytest.main(
        [*options, f"--rootdir={job['root']}", "--import-mode=importlib", *job["tests"]],
        plugins=[sandbox],
    )
    if code in (ExitCode.OK, ExitCode.TESTS_FAILED, ExitCode.NO_TESTS_COLLECTED):
        sandbox.finish()
    # Everything has been told; taking libraries down in good order would only take time.
    leave(0)


if __name__ == "__main__":
    main()
