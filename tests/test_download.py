"""Downloads from a server in this process: resumed, checked, from several mirrors, one run at a time."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_files import image_sets, remote
from file_server import CONTENT, HALF, Server, serving

from lab.data import download
from lab.data.download import RemoteFile, data_folder, fetch
from lab.data.mnist import FILES, MNIST
from lab.errors import LabError

# Nobody serves this port.
DEAD = "http://127.0.0.1:9/"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def folder(own_folder: Path) -> Path:
    return own_folder / "data" / "Numbers"


def numbers(*mirrors: str) -> RemoteFile:
    return remote("numbers.bin", CONTENT, *mirrors)


def put_part(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "numbers.bin.part").write_bytes(content)


def check(folder: Path) -> None:
    """The file is there, whole and alone."""
    assert [path.name for path in folder.iterdir()] == ["numbers.bin"]
    assert (folder / "numbers.bin").read_bytes() == CONTENT


def test_fresh_download(server: Server, folder: Path) -> None:
    assert fetch(numbers(server.url("plain")), folder) == folder / "numbers.bin"
    check(folder)
    fetch(numbers(server.url("plain")), folder)
    assert server.requests == [("plain", None)], "once is enough"


def test_a_part_is_gone_on_with(server: Server, folder: Path) -> None:
    put_part(folder, CONTENT[:1000])
    fetch(numbers(server.url("plain")), folder)
    check(folder)
    assert server.requests == [("plain", "bytes=1000-")]


def test_a_server_may_ignore_the_range(server: Server, folder: Path) -> None:
    put_part(folder, CONTENT[:1000])
    fetch(numbers(server.url("whole")), folder)
    check(folder)
    assert server.requests == [("whole", "bytes=1000-")]


@pytest.mark.parametrize(
    "part", [bytes(1000), bytes(len(CONTENT)), CONTENT + b"more"], ids=["short", "full", "long"]
)
def test_a_wrong_part_costs_one_more_try(server: Server, folder: Path, part: bytes) -> None:
    put_part(folder, part)
    fetch(numbers(server.url("plain")), folder)
    check(folder)
    assert server.requests == [("plain", f"bytes={len(part)}-"), ("plain", None)]


def test_a_whole_part_is_taken(server: Server, folder: Path) -> None:
    put_part(folder, CONTENT)
    fetch(numbers(server.url("plain")), folder)
    check(folder)


@pytest.mark.parametrize("way", ["cut", "chunked", "unsized"])
def test_a_cut_connection_leaves_a_part_for_the_next_call(
    server: Server, folder: Path, way: str
) -> None:
    with pytest.raises(LabError, match="cannot download numbers.bin"):
        fetch(numbers(server.url(way)), folder)
    (part,) = folder.iterdir()
    size = part.stat().st_size
    assert part.name == "numbers.bin.part" and part.read_bytes() == CONTENT[:size] and size > 0
    fetch(numbers(server.url("plain")), folder)
    check(folder)
    assert server.requests[-1] == ("plain", f"bytes={size}-")


def test_a_cut_is_told_with_its_numbers(server: Server, folder: Path) -> None:
    with pytest.raises(LabError, match=f"ended after {HALF} of {len(CONTENT)} bytes"):
        fetch(numbers(server.url("cut")), folder)


def test_of_a_file_of_unknown_size_a_part_stays_too(server: Server, folder: Path) -> None:
    file = RemoteFile("numbers.bin", None, numbers().sha256, (server.url("cut"),))
    with pytest.raises(LabError, match=f"ended after {HALF} of {len(CONTENT)} bytes"):
        fetch(file, folder)
    assert (folder / "numbers.bin.part").read_bytes() == CONTENT[:HALF]


@pytest.mark.parametrize("way", ["missing", "wrong", "page", "cut", "chunked", "dead"])
def test_the_next_mirror_helps(server: Server, folder: Path, way: str) -> None:
    first = f"{DEAD}numbers.bin" if way == "dead" else server.url(way)
    fetch(numbers(first, server.url("plain")), folder)
    check(folder)


@pytest.mark.parametrize("way", ["missing", "wrong", "page", "plain"])
def test_what_no_mirror_has_is_told(server: Server, folder: Path, way: str) -> None:
    server.files["numbers.bin"] = b"" if way == "plain" else CONTENT
    with pytest.raises(LabError) as caught:
        fetch(numbers(f"{DEAD}numbers.bin", server.url(way)), folder)
    message = str(caught.value)
    assert message.startswith("cannot download numbers.bin (127.0.0.1:9: ")
    for fact in (str(folder / "numbers.bin"), str(len(CONTENT)), numbers().sha256, "LAB_DATA_DIR"):
        assert fact in message
    assert len(message.splitlines()) <= 5
    assert list(folder.iterdir()) == []
    reason = {"missing": "Not Found", "wrong": "its SHA-256 is", "page": "it offers 27 bytes"}
    assert reason.get(way, "Requested Range Not Satisfiable") in message


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_file_that_is_there_needs_no_network_and_no_writing(
    folder: Path, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    (folder / "numbers.bin").write_bytes(CONTENT)
    folder.chmod(0o555)
    # The superuser may write in any folder.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    file = RemoteFile("numbers.bin", size, numbers().sha256, (DEAD,))
    assert fetch(file, folder) == folder / "numbers.bin"
    check(folder)
    folder.chmod(0o755)


@pytest.mark.parametrize(
    ("size", "message"),
    [(len(CONTENT), f"3 bytes, but numbers.bin has {len(CONTENT)}"), (None, "SHA-256 is wrong")],
)
def test_another_file_of_that_name_is_kept(
    server: Server, folder: Path, size: int | None, message: str
) -> None:
    folder.mkdir(parents=True)
    (folder / "numbers.bin").write_bytes(b"own")
    file = RemoteFile("numbers.bin", size, numbers().sha256, (server.url("plain"),))
    with pytest.raises(LabError, match=message):
        fetch(file, folder)
    assert (folder / "numbers.bin").read_bytes() == b"own" and server.requests == []


def test_a_folder_that_takes_no_files(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.parent.write_text("a file where the folder should be")
    with pytest.raises(
        LabError, match="numbers.bin is missing, .* can't be made .*\n.*LAB_DATA_DIR"
    ):
        fetch(numbers(server.url("plain")), folder)
    folder.parent.unlink()
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(
        LabError, match="numbers.bin is missing, .* can't be written.*\n.*LAB_DATA_DIR"
    ):
        fetch(numbers(server.url("plain")), folder)
    folder.chmod(0o755)
    assert server.requests == [] and list(folder.iterdir()) == []


def test_of_two_runs_one_downloads_and_one_waits(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = [
        threading.Thread(target=fetch, args=(numbers(server.url("slow")), folder)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    # Both have come as far as they can before the server goes on.
    said = ""
    while "waiting for another run" not in said and len(server.requests) < 2:
        assert all(thread.is_alive() for thread in threads)
        said += capsys.readouterr().err
    server.go_on.set()
    for thread in threads:
        thread.join()
    check(folder)
    assert server.requests == [("slow", None)]


def test_without_locks_it_downloads_all_the_same(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "fcntl", None)
    fetch(numbers(server.url("plain")), folder)
    check(folder)


def test_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folder() == Path("data")
    monkeypatch.setenv("LAB_DATA_DIR", "")
    assert data_folder() == Path("data")
    monkeypatch.setenv("LAB_DATA_DIR", "/somewhere/else")
    assert data_folder() == Path("/somewhere/else")


def test_mnist_comes_into_the_data_folder(
    server: Server, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files = image_sets(FILES, classes=10)
    base = server.url("plain").removesuffix("numbers.bin")
    files = tuple(remote(name, content, base + name) for name, content in server.files.items())
    monkeypatch.setattr(MNIST, "FILES", files)
    monkeypatch.setenv("LAB_DATA_DIR", str(own_folder / "mine"))
    MNIST().prepare_data()
    raw = own_folder / "mine" / "MNIST" / "raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == server.files
