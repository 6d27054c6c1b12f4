"""What the student's file may not do during a check, and who notes that it tried.

An audit hook refuses it to Python code, and remembers it as a flag. A hook shares the process with what it
guards: a file that knows how may get around it (by memory, by a library in C), and then only the kernel holds
(`kernel`). Where that has no Landlock, grade untrusted files in a container.
"""

import ctypes
import os
import re
import sys
import sysconfig
from _thread import get_ident
from pathlib import Path
from typing import Any

from tasks.labs.watch import bind

NETWORK = "socket.connect socket.bind socket.sendto socket.sendmsg socket.getaddrinfo"
NETWORK += " socket.gethostbyname socket.gethostbyaddr socket.getnameinfo"
PROCESSES = "os.system os.exec os.posix_spawn os.fork os.forkpty os.spawn subprocess.Popen"
PROCESSES += " os.kill os.killpg pty.spawn resource.setrlimit resource.prlimit"
LOOKING = "sys._getframe sys._current_frames sys._current_exceptions gc.get_objects"
LOOKING += " gc.get_referrers gc.get_referents sys.settrace sys.setprofile sys.addaudithook"
LOOKING += " sys.monitoring.register_callback code.__new__ marshal.loads marshal.load"
FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")
BODY = ("__code__", "__defaults__", "__kwdefaults__")
CHANGES = "os.remove os.rename os.rmdir os.mkdir os.chmod os.chown os.truncate os.utime os.link os.symlink"
KINDS = {
    **dict.fromkeys(NETWORK.split(), "network"),
    **dict.fromkeys(PROCESSES.split(), "process"),
    **dict.fromkeys(LOOKING.split(), "look"),
    **dict.fromkeys(CHANGES.split(), "change"),
    "open": "open",
    "compile": "compile",
    "object.__getattr__": "get",
    "object.__setattr__": "set",
}
CLOSED = ("work", ".labs")
TESTS = ("test_task.py", "test_hidden.py", "mutants.toml")
PROC = re.compile(r"/proc/(\d+|self|thread-self)/(?:.*/)?(mem|fd|root|cwd|environ)?\b")
# What prints where an error or a warning came from reads the lines of whoever calls.
TELLS = ("traceback.py", "warnings.py")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Fence:
    """The audit hook. `flags` says what was tried: network, process, read-tests, write-outside, looks-inside,
    checker-changed.
    """

    def __init__(self, *, file: str, home: str, tests: str, repository: str) -> None:
        real = os.path.realpath
        self.file, self.home, self.flags = real(file), real(home) + os.sep, set[str]()
        self.closed = [real(tests) + os.sep]
        if real(repository) != "/":
            weeks = Path(repository).glob("tasks/week*")
            self.closed += [f"{real(path)}{os.sep}" for path in weeks]
            self.closed += [real(os.path.join(repository, name)) + os.sep for name in CLOSED]
        stdlib = sysconfig.get_paths()["stdlib"]
        ours = [os.path.join(repository, "lab"), os.path.join(repository, "tasks", "labs")]
        self.libraries = tuple(
            {form for path in (*ours, stdlib, *_libraries()) for form in (path, real(path))}
        )
        self.stdlib = (stdlib + os.sep, "<frozen ")
        self.helpers = {os.path.join(stdlib, "inspect.py"), ctypes.__file__}
        self.busy: set[int] = set()
        self.pid = str(os.getpid())
        self.trusted: dict[str, bool] = {}
        # Names are looked up here, since the file may replace those of the modules.
        self.realpath, self.fsdecode, self.getframe = real, os.fsdecode, sys._getframe
        self.kinds, self.ident = dict(KINDS), get_ident
        bind(self)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        kind = self.kinds.get(event) or ("ctypes" if event.startswith("ctypes.") else "")
        if not kind:
            return
        me = self.ident()
        if me in self.busy:
            return
        self.busy.add(me)
        try:
            frame = self.getframe(1)
            flag, why = self._judge(kind, arguments, frame)
            if flag and self._meant(flag, frame):
                self.flags.add(flag)
        finally:
            self.busy.discard(me)
        if flag:
            raise PermissionError(why)

    def _judge(self, kind: str, arguments: tuple[Any, ...], frame: Any) -> tuple[str, str]:
        if kind == "network":
            return "network", "checks have no network"
        if kind == "process":
            return "process", "checks start and stop no other process"
        if kind == "open":
            return self._opened(*arguments[:3])
        if kind == "change":
            places = [one for one in arguments[:2] if isinstance(one, (str, bytes))]
            return self._written(places)
        if kind == "set":
            owner, name = arguments[0], arguments[1]
            code = getattr(owner, "__code__", None)
            theirs = name in BODY and code is not None and self._known(code.co_filename)
            if theirs and not self._trusts(frame):
                return "checker-changed", f"the file may not change {name} of {owner.__name__}"
        elif kind == "compile":
            # A name of a library would make the code look like one.
            if self._known(str(arguments[1])) and not self._trusts(frame):
                return "looks-inside", "code of the file's own may not bear a library's name"
        elif (kind != "get" or arguments[1] in FRAMES) and not self._trusts(frame):
            return "looks-inside", "the file may not look into what calls it"
        return "", ""

    def _opened(self, path: Any, mode: Any, flags: Any) -> tuple[str, str]:
        if not isinstance(path, (str, bytes)):
            return "", ""
        place = self.fsdecode(path)
        real = self.realpath(place)
        if real == self.file and not _writes(mode, flags):
            return "", ""
        if any(self._other(path) for path in (place, real)):
            return "looks-inside", "the file may not look into what calls it"
        name = real.rpartition("/")[2]
        if name in TESTS or real.startswith(tuple(self.closed)):
            return "read-tests", f"the file may not read {name}"
        if _writes(mode, flags):
            return self._written([place])
        return "", ""

    def _written(self, places: list[Any]) -> tuple[str, str]:
        for place in places:
            real = self.realpath(self.fsdecode(place))
            if real != os.devnull and not (real + os.sep).startswith(self.home):
                return "write-outside", "a check writes in its own folder only"
        return "", ""

    def _other(self, path: str) -> bool:
        """Whether this is of another process, or a way into this one."""
        match = PROC.match(path)
        return bool(match and (match[2] or match[1] not in (self.pid, "self", "thread-self")))

    def _meant(self, flag: str, frame: Any) -> bool:
        """Whether the file asked for it, rather than a library for ends of its own."""
        while frame is not None and frame.f_code.co_filename.startswith(self.stdlib):
            if "-packages" in frame.f_code.co_filename:
                break
            if flag == "read-tests" and frame.f_code.co_filename.endswith(TELLS):
                return False
            frame = frame.f_back
        if frame is None or flag in ("looks-inside", "checker-changed"):
            return True
        library = frame.f_code.co_filename.startswith(self.libraries)
        return not library or (flag == "read-tests" and "_pytest" not in frame.f_code.co_filename)

    def _trusts(self, frame: Any) -> bool:
        """Whether a library asks, for itself: what only hands on to its caller does not count."""
        while frame is not None:
            code = frame.f_code
            if code.co_filename not in self.helpers and code.co_name != "currentframe":
                return self._known(code.co_filename)
            frame = frame.f_back
        return True

    def _known(self, filename: str) -> bool:
        if filename not in self.trusted:
            test = filename.startswith(self.closed[0]) and filename.endswith(TESTS)
            library = filename.startswith((*self.libraries, "<frozen ", "<__array_function__"))
            self.trusted[filename] = test or (library and filename != self.file)
        return self.trusted[filename]


def _writes(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & WRITES)


def _libraries() -> list[str]:
    """The folders that packages are imported from, each with its separator."""
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {path for path in sys.path if "-packages" in path}
    return sorted(path + os.sep for path in found)
