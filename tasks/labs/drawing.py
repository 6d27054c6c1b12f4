"""Draws a task's figure from a file's functions, in a process of its own."""

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from lab.errors import LabError
from tasks.labs import catalog, runner
from tasks.labs.catalog import Task
from tasks.labs.errors import NotDone


def picture(task: Task, file: Path, out: Path) -> Path:
    """Writes the figure of `task`, drawn by the functions of `file`, as a PNG.

    Raises:
        LabError: the functions or the plot ended in an error, or took too long; the message is its last line.
    """
    with tempfile.TemporaryDirectory(prefix="labs-") as home:
        words = [str(path.resolve()) for path in (file, task.folder / "plot.py", out)]
        # The list of fonts is kept, since making it takes longer than most figures.
        fonts = catalog.repository(task.folder) / ".labs" / "matplotlib"
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tasks.labs.drawing", *words],
                cwd=home,
                env={**runner.environment(Path(home)), "MPLCONFIGDIR": str(fonts)},
                capture_output=True,
                text=True,
                timeout=task.budget + 60,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"no figure of {task.id} after {error.timeout:g} s") from error
    if done.returncode:
        raise LabError(f"no figure of {task.id}: {_cause(done.stderr, file.resolve())}")
    return out


def _cause(complaint: str, file: Path) -> str:
    """What a traceback says: what is not written yet, or its last line and that of the file."""
    rows = complaint.strip().splitlines() or ["the process was ended"]
    kind, _, message = rows[-1].partition(": ")
    if kind == f"{NotDone.__module__}.{NotDone.__name__}":
        return f"not written yet: {message.partition(' ')[2]}"
    places = re.findall(rf'File "{re.escape(str(file))}", line (\d+)', complaint)
    return f"{rows[-1]} (line {places[-1]} of {file.name})" if places else rows[-1]


def loaded(path: Path, name: str) -> ModuleType:
    """A module from a file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(file: str, plot: str, out: str) -> None:
    figure = loaded(Path(plot), "plot").draw(loaded(Path(file), "task"))
    figure.savefig(out, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
