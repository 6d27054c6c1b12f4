"""The process that runs a task's tests: starts it, hears its events, and ends it when it takes too much."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tasks.labs import events

TIMEOUT = "timeout"
# Starting the interpreter and the libraries is not the student's time: seconds for it, beyond the budget.
START = 20
# MiB beyond the cap at which a process is ended: its libraries count as resident too.
SPARE = 1024


def run(
    job: dict[str, Any], environment: dict[str, str]
) -> tuple[list[dict[str, Any]], float, str, bool]:
    """Events of the sandbox, seconds it took, what ended it (an empty text, `timeout` or a reason), and
    whether somebody else wrote to its pipe.
    """
    read, write = os.pipe()
    key = os.urandom(events.KEY_SIZE)
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.labs.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=job["home"],
        env=environment,
        pass_fds=(write,),
        start_new_session=True,
    )
    os.close(write)
    assert process.stdin is not None and process.stderr is not None
    process.stdin.write(json.dumps({**job, "pipe": write, "key": key.hex()}).encode())
    process.stdin.close()
    try:
        text, ended = _listen(process, read, started, job)
    finally:
        _kill(process)
        os.close(read)
    process.wait()
    complaint = process.stderr.read().decode(errors="replace").strip()
    process.stderr.close()
    if not ended and process.returncode == -signal.SIGXCPU:
        ended = TIMEOUT
    told, forged = events.read(text, key)
    stopped = [event["message"] for event in told if event["event"] == "stopped"]
    if stopped:
        ended = f"the tests cannot be read: {stopped[-1]}"
    elif not ended and not any(event["event"] == "finished" for event in told):
        ended = (
            complaint.splitlines()[-1] if complaint else "the process ended before its tests did"
        )
    return told, time.monotonic() - started, ended, forged


def _listen(
    process: subprocess.Popen[bytes], read: int, started: float, job: dict[str, Any]
) -> tuple[bytes, str]:
    """What comes through the pipe until its end, or until the process has to be ended, and why."""
    text, begun, memory = b"", False, job["memory"]
    deadline = started + START + job["budget"]
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return text, TIMEOUT
        if _resident(process.pid) > memory + SPARE:
            return text, f"more than {memory} MiB of memory"
        if not select.select([read], [], [], min(left, 0.5))[0]:
            if process.poll() is not None and not select.select([read], [], [], 0)[0]:
                return text, ""
            continue
        chunk = os.read(read, 65536)
        if not chunk:
            return text, ""
        text += chunk
        if len(text) > events.MOST:
            return text, "the pipe of the check was flooded"
        if not begun:
            # The first line says that tests are collected: what came before is not the student's time.
            begun, deadline = True, time.monotonic() + job["budget"]


def _resident(pid: int) -> int:
    """MiB of memory that a process holds now, shared memory too; 0 where the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE") // 2**20


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it started; a finished one leaves within its second."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
