"""Ways to get points without an answer, each on an otherwise right solution: a grade has to drop or tell it.

The first group goes through the whole of `labs grade`. The others look at one run of the tests, from which
grades are made.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from one_task import NAME, SOLUTION, SOURCE, at_import, graded, in_mse, only_task, repository

from tasks.labs import kernel, runner
from tasks.labs.reports import FLAGS
from tasks.labs.runner import ERROR, FAILED, PASSED, TIMEOUT, Result


def cheap_and_slow(names: Iterable[str], *cheap: str) -> list[Any]:
    """All names, those marked slow that are not said to be cheap: each takes half a second."""
    return [name if name in cheap else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "repository")


def run(root: Path, text: str, **options: object) -> Result:
    file = root.parent / "student" / "task.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return runner.run(only_task(root), file, hidden=True, **options)


def test_a_right_solution_has_all_points_and_no_flag(root):
    report, row = graded(root, SOLUTION)
    assert (report.score, row.outcome, row.flags, report.problems) == (10, PASSED, (), ())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(at_import("raise SystemExit(0)"), marks=pytest.mark.slow),
        pytest.param(at_import("import os\nos._exit(0)"), marks=pytest.mark.slow),
        in_mse("raise SystemExit(0)"),
        in_mse("import os; os._exit(0)"),
    ],
    ids=["exit at import", "_exit at import", "exit in a function", "_exit in a function"],
)
def test_1_canary(root, text):
    report, row = graded(root, text)
    assert report.score < 10 and row.outcome == ERROR
    if "_exit" in text:
        assert "ended-early" in row.flags


def test_2_edited_test_is_not_used_and_told(root):
    easy = b"def test_error_of_a_case_by_hand(impl):\n    pass\n"
    report, row = graded(root, in_mse("return 0.0"), tests=easy)
    assert report.score < 10 and row.outcome == FAILED
    assert row.flags == ("edited-tests",) and "its own" in report.remarks[0]


def test_3_missing_file(root):
    from one_task import hand_in

    from tasks.labs import grading, submission

    path = hand_in(root, SOLUTION)
    path.write_bytes(submission.zipped({"manifest.json": b"{}"}))
    report = grading.grade(root, path, name="a", week=1)
    assert (report.score, report.points) == (0, 10) and report.unread
    assert report.rows[0].message == "not handed in"


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import signal\nfor n in range(1, 30):\n    if n not in (9, 19): signal.signal(n, signal.SIG_IGN)\n"
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import time\nwhile True: time.sleep(1)",
    ],
    ids=["loop", "loop that ignores signals", "sleep"],
)
def test_4_endless_loop(root, code):
    toml = only_task(root).folder / "task.toml"
    toml.write_text(toml.read_text().replace("budget = 20", "budget = 2"))
    from tasks.labs import catalog

    catalog.weeks.cache_clear()
    started = time.monotonic()
    report, row = graded(root, in_mse(code))
    assert row.outcome == TIMEOUT and report.score == 0
    assert row.message == "no end after 2 s, in test_error_of_a_case_by_hand"
    assert time.monotonic() - started < 40


def test_5_socket(root):
    code = "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError: pass"
    report, row = graded(root, at_import(code))
    assert row.flags == ("network",) and FLAGS["network"].says in report.remarks[0]


def test_6_answer_that_is_right_only_sometimes(root):
    # Right the first time only: each order fails in other tests.
    once = "global calls\ncalls = globals().get('calls', 0) + 1\nif calls > 1: return 0.0"
    report, row = graded(root, in_mse(once))
    assert "nondeterministic" in row.flags and row.outcome == FAILED and report.score < 10


@pytest.mark.slow
def test_6_answer_that_is_right_by_chance(root):
    code = "import os\nif os.urandom(1)[0] < 128: return 0.0"
    report, row = graded(root, in_mse(code))
    assert report.score < 10 and row.outcome == FAILED


def test_7_patched_checker_costs_all_points(root):
    code = "from tasks.labs import checking\nchecking.close = lambda *a, **k: None"
    report, row = graded(root, at_import(code))
    assert row.flags == ("checker-changed",) and report.score == 0
    assert FLAGS["checker-changed"].says in report.remarks[0]


PATCHES = {
    "isclose": "import numpy as np\nnp.isclose = lambda a, b, **k: np.full(np.shape(a), True)",
    "builtin": "import builtins\nbuiltins.bool = lambda value=True: True",
    "its code": "from tasks.labs import checking\n"
    "checking.close.__code__ = (lambda got, want, *, concept, why, rtol=0, atol=0: None).__code__",
    "code of isclose": "import numpy as np\n"
    "f = np.isclose.__wrapped__ if hasattr(np.isclose, '__wrapped__') else np.isclose\n"
    "f.__code__ = (lambda a, b, rtol=0, atol=0, equal_nan=False: True).__code__",
    "CheckFailed": "from tasks.labs.errors import CheckFailed\n"
    "CheckFailed.__init__ = lambda self, **k: None",
    "sys.modules": "import sys, types\n"
    "sys.modules['tasks.labs.checking'] = types.ModuleType('tasks.labs.checking')",
    "pytest": "import _pytest.runner\n_pytest.runner.check_interactive_exception = lambda *a: False\n"
    "_pytest.runner.call_and_report = lambda *a, **k: None",
    "CallInfo": "import _pytest.runner as r\nold = r.CallInfo.from_call\n"
    "r.CallInfo = type('CallInfo', (r.CallInfo,), {})",
    "random numbers": "import numpy as np\n"
    "np.random.default_rng = lambda seed=0: type('Zeros', (), {'normal': lambda s, size: np.zeros(size)})()",
    "excepthook": "import sys\nsys.excepthook = lambda *a: None",
    "contextlib": "import contextlib\n"
    "contextlib._GeneratorContextManager.__exit__ = lambda *a: True",
}


@pytest.mark.parametrize("name", cheap_and_slow(PATCHES, "isclose", "sys.modules"))
def test_7_patches_are_noticed_and_help_nothing(root, name):
    result = run(root, at_import(PATCHES[name]).replace(MEAN, "0.0 * w[0]"))
    assert "checker-changed" in result.flags, result
    assert FLAGS["checker-changed"].void
    assert result.outcome != PASSED


MEAN = "float(np.mean((with_ones(X) @ w - y) ** 2))"
LOOKS = {
    "caller's frame": "import sys\nreturn sys._getframe(1).f_locals.get('got', 0.0)",
    "by inspect": "import inspect\nreturn inspect.currentframe().f_back.f_locals.get('got', 0.0)",
    "by traceback": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    e.__traceback__.tb_frame.f_back",
    "by gc": "import gc\n[o for o in gc.get_objects() if type(o).__name__ == 'Sandbox']",
    "memory": "open('/proc/self/mem', 'rb')",
    "ctypes": "import ctypes\nctypes.CDLL(None).getppid()",
    "a library's name": "import numpy\n"
    "exec(compile('import gc; gc.get_objects()', numpy.__file__, 'exec'))",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("caught", [False, True], ids=["", "caught"])
def test_7_looking_into_the_caller_is_refused(root, name, caught):
    code = LOOKS[name]
    if caught:
        inner = "".join(f"\n    {line}" for line in code.splitlines())
        code = f"try:{inner}\nexcept Exception: pass"
    result = run(root, in_mse(code))
    assert result.flags == ("looks-inside",) and FLAGS["looks-inside"].void
    assert caught == (result.outcome == PASSED)


CLASSES = """
import sys
places = ("__main__", "tasks.labs.fence", "tasks.labs.watch")
mine = [c for c in object.__subclasses__() if c.__module__ in places]
for c in mine:
    for name in list(vars(c)):
        if callable(vars(c)[name]) and not name.startswith("__"):
            setattr(c, name, lambda self, *a, **k: {"outcome": "passed"})
"""


@pytest.mark.slow
def test_7_classes_of_the_sandbox_are_in_no_module_and_patches_of_them_do_nothing(root):
    result = run(root, at_import(CLASSES).replace(MEAN, "0.0 * w[0]"))
    assert result.outcome == FAILED and result.counts[PASSED] < len(result.tests)
    hidden = "from tasks.labs import fence\nfence.Fence._judge = lambda *a: ('', '')\n"
    result = run(root, at_import(hidden + STARTS["fork"]))
    assert result.flags == ("process",)


@pytest.mark.slow
def test_7_globals_of_the_sandbox_are_watched(root):
    code = CLASSES.partition("for c in mine:")[0]
    code += "mine[0].__init__.__globals__['isinstance'] = lambda *a: True\n"
    code += "mine[-1].__init__.__globals__['PROC'] = None\n"
    report, row = graded(root, at_import(code))
    assert "looks-inside" in row.flags and report.score == 0


FORGED = """
import os, json
def forge():
    test = "test_task::test_error_of_a_case_by_hand"
    line = json.dumps({"event": "done", "test": test, "outcome": "passed"})
    last = json.dumps({"event": "finished", "flags": []})
    for number in range(3, 64):
        try:
            os.write(number, f"\\n{line}\\n{last}\\n".encode())
        except OSError:
            pass
"""


def test_7_forged_results_are_not_believed(root):
    result = run(root, at_import(FORGED + "forge()\nos._exit(0)"))
    assert {"forged", "ended-early"} <= set(result.flags) and FLAGS["forged"].void
    assert result.outcome == ERROR and not result.counts[PASSED]


@pytest.mark.slow
def test_7_forged_line_between_others_is_found(root):
    result = run(root, at_import(FORGED + "forge()"))
    assert "forged" in result.flags and result.outcome == PASSED


def test_7_a_repeated_line_is_a_forgery():
    from tasks.labs import events

    read, write = os.pipe()
    tell = events.writer(write, b"k" * 32)
    tell("collected", tests=["a", "b"])
    for test in "ab":
        tell("started", test=test)
        tell("done", test=test)
    text = os.read(read, 65536)
    lines = text.splitlines(keepends=True)
    assert not events.read(text, b"k" * 32)[1]
    assert events.read(text, b"other")[1]
    assert events.read(text + lines[2], b"k" * 32)[1]
    assert events.read(b"".join([lines[0], *lines[2:]]), b"k" * 32)[1]
    for extra in ("a", "c"):
        tell("started", test=extra)
        tell("done", test=extra)
        assert events.read(text + os.read(read, 65536), b"k" * 32)[1]
    os.close(read)
    os.close(write)


def reading(root: Path) -> dict[str, str]:
    folder = only_task(root).folder
    tests, solution = str(folder / "test_hidden.py"), str(SOURCE / NAME / "task.py")
    return {
        "open": f"open({tests!r}).read()",
        "pathlib": f"import pathlib\npathlib.Path({tests!r}).read_text()",
        "os.open": f"import os\nos.read(os.open({tests!r}, os.O_RDONLY), 100)",
        "linecache": f"import linecache\nif linecache.getlines({tests!r}): raise OSError('no')",
        "solution": f"open({solution!r}).read()",
        "import": f"import importlib\nimportlib.import_module('tasks.week01_fundamentals.{NAME}.task')",
        "by a link": f"import os\nos.symlink({solution!r}, 'x')\nopen('x').read()",
        "by numpy": f"import numpy\nnumpy.fromfile({tests!r}, dtype='u1')",
        "in memory": "import sys, inspect\nimport test_hidden",
    }


READING = (
    "open",
    "pathlib",
    "os.open",
    "linecache",
    "solution",
    "import",
    "by a link",
    "by numpy",
    "in memory",
)


@pytest.mark.parametrize("name", cheap_and_slow(READING, "open"))
def test_8_tests_and_solutions_cannot_be_read(root, name):
    code = reading(root)[name]
    inner = "".join(f"\n    {line}" for line in code.splitlines())
    tried = f"try:{inner}\nexcept (OSError, ImportError): pass\nelse: raise SystemExit('was read')"
    if name == "linecache":
        # It answers an empty list to whatever cannot be read.
        tried = code
    result = run(root, at_import(tried))
    assert result.outcome == PASSED, result
    # Tests in memory are under no name that an import finds.
    wanted = set() if name == "in memory" else {"read-tests", "write-outside"}
    assert set(result.flags) <= wanted and bool(result.flags) == bool(wanted)


@pytest.mark.skipif(kernel.version() < 1, reason="needs a kernel with Landlock")
@pytest.mark.slow
def test_8_the_kernel_refuses_what_no_hook_sees(root):
    """torch.from_file opens by itself, in C++."""
    read = "torch.from_file({path!r}, size=100, dtype=torch.uint8)"
    path = str(SOURCE / NAME / "task.py")
    result = run(root, at_import("import torch\n" + read.format(path=path)))
    assert result.outcome == ERROR and "Permission denied" in result.tests[0].message
    own = "import torch\nopen('own', 'w').write('x' * 100)\n" + read.format(path="own")
    assert run(root, at_import(own)).outcome == PASSED


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(4 * 2**30)",
        pytest.param(
            "import mmap\nm = mmap.mmap(-1, 8 * 2**30)\n"
            "for i in range(8 * 2**10): m[i << 20 : (i + 1) << 20] = bytes(2**20)",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["private", "shared"],
)
def test_9_memory_bomb(root, code):
    result = run(root, at_import(code))
    assert result.outcome == ERROR and not result.counts[PASSED]
    told = result.message + "".join(test.message for test in result.tests)
    assert "MemoryError" in told or "MiB of memory" in told


STARTS = {
    "subprocess": "import subprocess\nsubprocess.Popen(['sleep', '60'])",
    "system": "import os\nos.system('sleep 60 &')",
    "fork": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)",
    "multiprocessing": "import multiprocessing as m, time\n"
    "m.get_context('fork').Process(target=time.sleep, args=(60,)).start()",
    "kill": "import os\nos.kill(os.getppid(), 0)",
}


@pytest.mark.parametrize(
    "name",
    cheap_and_slow(STARTS, "fork"),
)
def test_10_processes_are_refused(root, name):
    result = run(root, at_import(STARTS[name]))
    assert result.flags == ("process",) and result.outcome == ERROR


@pytest.mark.slow
def test_10_a_thread_ends_with_the_check(root):
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()"
    started = time.monotonic()
    assert run(root, at_import(code)).outcome == PASSED
    assert time.monotonic() - started < 20


WRITING = {
    "open": "open({path!r}, 'w')",
    "os.open": "import os\nos.open({path!r}, os.O_CREAT | os.O_WRONLY)",
    "mkdir": "import os\nos.mkdir({path!r})",
    "rename": "import os\nopen('x', 'w').close()\nos.rename('x', {path!r})",
    "remove": "import os\nos.remove({own!r})",
    "own file": "open({own!r}, 'a').write('x = 1')",
}


@pytest.mark.parametrize(
    "name",
    cheap_and_slow(WRITING, "open"),
)
def test_12_writes_stay_in_the_checks_own_folder(root, name):
    path, own = root.parent / "outside", root.parent / "student" / "task.py"
    code = WRITING[name].format(path=str(path), own=str(own))
    text = at_import(f"open('inside', 'w').write('fine')\n{code}")
    result = run(root, text)
    assert result.flags == ("write-outside",) and result.outcome == ERROR
    assert not path.exists() and own.read_text() == text
