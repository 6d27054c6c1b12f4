"""What the operating system itself refuses to a check, whatever language asks.

Landlock (Linux 5.13 and later): to read anything but libraries and the student's file, to write outside of
the check's temporary folder, to run programs, and in later versions to connect by TCP and to signal other
processes. Limits of memory, processor time and file size: every Unix.
"""

import ctypes
import os
import struct
import sys

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
NO_NEW_PRIVILEGES = 38
MIB = 2**20
# By version of Landlock: how many kinds of access to files it knows.
KNOWN = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def version() -> int:
    """Of Landlock; below 1 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return int(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))


def landlock(*, file: str, home: str, repository: str) -> bool:
    """Refuses it from now on; False where the kernel has no Landlock."""
    known = version()
    if known < 1:
        return False
    call = ctypes.CDLL(None).syscall
    files = (1 << KNOWN.get(known, 16)) - 1
    # TCP since version 4; signals and abstract sockets since 6.
    fields = [files, 0b11, 0b11][: 1 + (known >= 4) + (known >= 6)]
    form = struct.pack(f"{len(fields)}Q", *fields)
    rules = call(444, form, ctypes.c_size_t(len(form)), 0)
    if rules < 0:
        return False
    ours = [os.path.join(repository, name) for name in ("lab", "tasks/labs", "tasks/__init__.py")]
    system = ["/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/dev", "/opt", "/nix"]
    readable = {*system, *ours, sys.prefix, sys.base_prefix, sys.exec_prefix, file}
    readable |= {path for path in sys.path if "-packages" in path}
    everything = files & ~EXECUTE
    allowed = [(path, READ_FILE | READ_DIR) for path in readable] + [
        (home, everything),
        (os.devnull, READ_FILE | WRITE_FILE),
        # Names only: the import system lists the repository to find its packages.
        (repository, READ_DIR),
    ]
    for path, access in allowed:
        if not os.path.exists(path):
            continue
        if not os.path.isdir(path):
            access &= READ_FILE | WRITE_FILE
        at = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
        call(445, rules, 1, struct.pack("=Qi", access & files, at), 0)
        os.close(at)
    ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    locked = call(446, rules, 0) == 0
    os.close(rules)
    return locked


def limit(*, memory: int, budget: float) -> None:
    """At most so much memory and processor time; where the system has no such limits, the runner's clock."""
    try:
        import resource
    except ImportError:
        return
    seconds = int(budget) + 5
    limits = {
        resource.RLIMIT_DATA: (memory * MIB, memory * MIB),
        resource.RLIMIT_CPU: (seconds, seconds + 2),
        resource.RLIMIT_FSIZE: (64 * MIB, 64 * MIB),
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, (soft, most) in limits.items():
        _, hard = resource.getrlimit(kind)
        top = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (min(soft, top), top))
