"""What the sandbox tells the runner: numbered, signed lines.

The student's file runs in the process that writes these lines and can find the pipe, but not easily the key:
only a function that already holds it can sign. Writer and signature are built from functions in C alone,
which a file cannot replace once they are bound. A line that is not signed, or out of turn, is a forgery.
"""

import marshal
import os
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

KEY_SIZE, MAC_SIZE = 32, 16
# A check tells a few kilobytes; whoever floods the pipe is cut off here.
MOST = 8 * 2**20


def writer(pipe: int, key: bytes) -> Callable[..., None]:
    """A function `tell(event, **facts)` that writes one line to the pipe."""
    signer = blake2b(key=key, digest_size=MAC_SIZE)
    dumps, write, copy, count = marshal.dumps, os.write, signer.copy, [0]

    def tell(event: str, **facts: Any) -> None:
        body = dumps([count[0], event, facts]).hex().encode()
        count[0] += 1
        mac = copy()
        mac.update(body)
        line = mac.hexdigest().encode() + b" " + body + b"\n"
        while line:
            line = line[write(pipe, line) :]

    return tell


def read(text: bytes, key: bytes) -> tuple[list[dict[str, Any]], bool]:
    """The events among the lines, and whether there is anything else among them.

    What follows the last newline is a line cut off by the end of the process, not a forgery.
    """
    events: list[dict[str, Any]] = []
    forged = False
    for line in text.split(b"\n")[:-1]:
        mac, _, body = line.partition(b" ")
        if blake2b(body, key=key, digest_size=MAC_SIZE).hexdigest().encode() != mac:
            forged = True
            continue
        number, event, facts = marshal.loads(bytes.fromhex(body.decode()))
        forged |= number != len(events)
        events.append({"event": event, **facts})
    return events, forged or not _in_turn(events)


def _in_turn(events: list[dict[str, Any]]) -> bool:
    """Whether tests are collected once, and each test collected is started once and then done once."""
    if not events or events[0]["event"] == "stopped":
        return True
    known: list[str] = events[0].get("tests", [])
    order = [event["event"] for event in events]
    if order[0] != "collected" or order.count("collected") != 1 or order.count("finished") > 1:
        return False
    if "finished" in order[:-1]:
        return False
    pairs = [(one["event"], one["test"]) for one in events if one["event"] in ("started", "done")]
    wanted = [(word, test) for _, test in pairs[::2] for word in ("started", "done")]
    names = [test for _, test in pairs[::2]]
    return pairs == wanted[: len(pairs)] and len(set(names)) == len(names) and {*names} <= {*known}
