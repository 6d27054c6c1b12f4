"""Progress on disk: nothing is lost, not by damage, not by two processes at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_repository import HOME

from lab.errors import LabError
from tasks.labs.runner import FAILED, PASSED, Result
from tasks.labs.state import Progress, State, free


def kept(root: Path) -> Path:
    return root / ".labs" / "state.json"


def test_nothing_yet_is_empty_and_writes_nothing(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    assert state.of("w01.t01") == Progress()
    assert Progress().outcome == "not started"
    assert not (tmp_path / ".labs").exists()


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    progress = state.of("w01.t01")
    progress.note(Result("w01.t01", FAILED, (), 1.25, message="m"))
    progress.hints.append(2)
    state.save()
    again = State.load(tmp_path).of("w01.t01")
    assert again == progress
    assert (again.checks, again.seconds, again.outcome, again.hints) == (1, 1.25, FAILED, [2])
    assert again.last is not None and again.last["message"] == "m"
    assert again.opened and not again.passed
    assert json.loads(kept(tmp_path).read_text())["schema"] == 1
    assert not list((tmp_path / ".labs").glob("*.new"))


def test_the_first_pass_stays(tmp_path: Path) -> None:
    progress = Progress(passed="2026-01-01T00:00:00+00:00")
    progress.note(Result("w01.t01", PASSED, (), 1.0))
    progress.note(Result("w01.t01", FAILED, (), 1.0))
    assert (progress.passed, progress.outcome) == ("2026-01-01T00:00:00+00:00", FAILED)


def test_two_that_loaded_the_same_lose_nothing_of_each_other(tmp_path: Path) -> None:
    first, second = State.load(tmp_path), State.load(tmp_path)
    first.of("w01.t01").note(Result("w01.t01", PASSED, (), 1.0))
    first.of("w01.t02").hints.append(1)
    first.save()
    second.of("w01.t01").checks += 2
    second.of("w01.t02").hints.append(2)
    second.of("w01.t03").gave_up = "now"
    second.save()
    state = State.load(tmp_path)
    assert (state.of("w01.t01").checks, state.of("w01.t01").outcome) == (3, PASSED)
    assert state.of("w01.t02").hints == [1, 2]
    assert state.of("w01.t03").gave_up == "now"
    # What a save brought in is not counted anew by the next.
    second.save()
    assert State.load(tmp_path).of("w01.t01").checks == 3


def test_processes_at_once_count_right(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tasks.labs.state import State\n"
        "for _ in range(20):\n"
        "    state = State.load(Path(sys.argv[1])); state.of('w01.t01').checks += 1; state.save()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, cwd=HOME) for _ in range(3)]
    assert [process.wait() for process in both] == [0, 0, 0]
    assert State.load(tmp_path).of("w01.t01").checks == 60


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"schema": 1}',
        b'{"schema": "one", "tasks": {}}',
        b'{"schema": 1, "tasks": {"w01.t01": {"unheard": 1}}}',
        b'{"schema": 1, "tasks": {"w01.t01": {"checks": "3"}}}',
        b'{"schema": 1, "tasks": {"w01.t01": {"outcome": "fine"}}}',
        b'{"schema": 1, "tasks": {"w01.t01": {"hints": ["1"]}}}',
        b"[" * 100_000,
    ],
    ids=[
        *("empty", "no text", "list", "null", "no tasks", "schema", "unheard", "count", "outcome"),
        *("hints", "deep"),
    ],
)
def test_a_damaged_file_is_moved_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    kept(tmp_path).parent.mkdir()
    kept(tmp_path).write_bytes(content)
    assert State.load(tmp_path).tasks == {}
    aside = list(kept(tmp_path).parent.glob("state-damaged-*.json"))
    assert [path.read_bytes() for path in aside] == [content]
    assert not kept(tmp_path).exists()
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and aside[0].name in err


def test_damage_between_load_and_save_is_kept_too(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    state.of("w01.t01").checks = 1
    kept(tmp_path).parent.mkdir()
    kept(tmp_path).write_text("{")
    state.save()
    assert State.load(tmp_path).of("w01.t01").checks == 1
    assert len(list(kept(tmp_path).parent.glob("state-damaged-*.json"))) == 1


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    kept(tmp_path).parent.mkdir()
    text = '{"schema": 2, "tasks": {}}'
    kept(tmp_path).write_text(text)
    with pytest.raises(LabError, match="newer version"):
        State.load(tmp_path)
    assert kept(tmp_path).read_text() == text


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / ".labs").write_text("a file")
    with pytest.raises(LabError, match="cannot be read: Not a directory"):
        State.load(tmp_path)
    with pytest.raises(LabError, match="progress cannot be kept"):
        State.load(tmp_path / "missing").save()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    kept(tmp_path).mkdir(parents=True)
    with pytest.raises(LabError, match="cannot be read"):
        State.load(tmp_path)


def test_taken_names_get_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    assert free(path) == path
    path.write_text("")
    (tmp_path / "a-2.py").symlink_to("nowhere")
    assert free(path).name == "a-3.py"
