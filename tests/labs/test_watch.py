"""`labs watch`: checks on change, goes on after passing, bears what editors do, ends with Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import small_repository as small
from small_repository import Labs, answers

from tasks.labs import catalog, screen
from tasks.labs.commands import watch


@pytest.fixture
def labs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Labs:
    """A clone of the source with t11 alone."""
    return Labs(tmp_path, small.source(tmp_path), capsys)


def saved(monkeypatch: pytest.MonkeyPatch, *edits: Any) -> list[int]:
    """In place of sleeping, the edits in turn; the list has the number of sleeps."""
    left, slept = list(edits), []

    def sleep(seconds: float) -> None:
        slept.append(len(slept))
        if left:
            left.pop(0)()

    monkeypatch.setattr(watch.time, "sleep", sleep)
    return slept


def test_watch_checks_on_change_and_goes_on(
    labs: Labs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small.add(labs.root, 12)
    ran = answers(monkeypatch)
    labs.write("wrong\n")
    slept = saved(
        monkeypatch,
        lambda: None,
        lambda: labs.write("still wrong\n"),
        lambda: labs.write("right\n"),
        lambda: None,
    )
    watch.follow(catalog.find(labs.root, "t11"), labs.root, polls=9)
    assert ran == ["w01.t11"] * 3 + ["w01.t12"]
    assert len(slept) >= 4
    out = capsys.readouterr().out
    assert "waiting for you to save" in out and "\x1b" not in out
    assert out.index("labs solution w01.t11") < out.index(f"write  work/{small.WEEK}/t12_small")
    assert "raise NotDone" in (labs.root / "work" / small.WEEK / "t12_small/task.py").read_text()


def test_watch_ends_when_nothing_is_left(labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = answers(monkeypatch)
    labs.write("right\n")
    said = labs("watch")
    assert (said.code, ran) == (0, ["w01.t11"]) and "Well done" in said.out


def test_watch_bears_a_file_that_is_gone_for_a_moment(
    labs: Labs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = answers(monkeypatch)
    labs.write("wrong\n")
    task = catalog.find(labs.root, "t11")
    saved(monkeypatch, labs.file.unlink, lambda: labs.write("wrong too\n"))
    watch.follow(task, labs.root, polls=5)
    assert len(ran) == 2 and "is not there" not in capsys.readouterr().out
    saved(monkeypatch, labs.file.unlink)
    watch.follow(task, labs.root, polls=9)
    assert capsys.readouterr().out.count("is not there") == 1


def test_watch_goes_on_after_a_file_that_is_no_text(
    labs: Labs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = answers(monkeypatch)
    labs.write("")
    labs.file.write_bytes(b"\xff")
    saved(monkeypatch, lambda: labs.write("right\n"))
    watch.follow(catalog.find(labs.root, "t11"), labs.root, polls=9)
    assert "not UTF-8" in capsys.readouterr().out and ran == ["w01.t11"]


def test_the_real_command_in_a_pipe_and_interrupted(labs: Labs) -> None:
    labs.write("while True:\n    pass\n")
    settings = {**os.environ, "PYTHONPATH": str(small.HOME)}
    listed = subprocess.run(
        [sys.executable, "-m", "tasks", "list"],
        cwd=labs.root,
        env=settings,
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0 and "python -m tasks next" in listed.stdout
    # Where the tests run in the background, processes are started with SIGINT ignored.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from tasks.labs.cli import main; sys.exit(main(['watch']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=labs.root,
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and not _children(process.pid):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")


def _children(pid: int) -> str:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return path.read_text() if path.exists() else "unknown"


def test_a_closed_pipe_is_no_error(labs: Labs) -> None:
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from tasks.labs.cli import main; sys.exit(main(['list']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=labs.root,
        env={**os.environ, "PYTHONPATH": str(small.HOME)},
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_passing_stays_on_the_screen_above_the_next_task(
    labs: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.add(labs.root, 12)
    answers(monkeypatch)
    cleared = []
    monkeypatch.setattr(screen, "clear", lambda: cleared.append(1))
    labs.write("right\n")
    saved(
        monkeypatch, lambda: (labs.root / "work" / small.WEEK / "t12_small/task.py").write_text("?")
    )
    watch.follow(catalog.find(labs.root, "t11"), labs.root, polls=4)
    # Before t11, and before the second check of t12.
    assert len(cleared) == 2
