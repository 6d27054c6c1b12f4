"""What the cells of a week's notebook call: the functions of its tasks, their figures, and claims about them.

In the source repository the functions are those of the solutions, and whatever goes wrong is an error. In a
release they are the student's: a cell whose task is not done says so in one line, and the notebook goes on.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib.figure import Figure

from tasks.labs import catalog, drawing
from tasks.labs.catalog import Task
from tasks.labs.errors import NotDone


class Picture:
    """A figure, as a notebook shows it."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.figure.savefig(out, format="png", dpi=90, metadata={"Software": None})
        return out.getvalue()


class Unreadable(ModuleType):
    """Stands in for a file that Python cannot import: whatever is asked of it is not done."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(name)
        self._reason = f"{type(error).__name__}: {error}"

    def __getattr__(self, name: str) -> Any:
        raise NotDone(self._reason)


class Bench:
    """The tasks of one week, for the cells of its notebook.

    Args:
        root: the repository, by default the one around the current folder.
    """

    def __init__(self, week: int, root: Path | None = None) -> None:
        self.week, self.root = week, root or catalog.repository()
        self.strict = catalog.is_source(self.root)
        self.claims: dict[tuple[str, str], bool] = {}
        self.stopped: set[str] = set()
        import torch

        # The tensors of a week are small: several threads would wait for each other.
        torch.set_num_threads(1)

    @contextmanager
    def use(self, name: str) -> Iterator[ModuleType]:
        """`with use("t11") as t11:` a block with a task's functions, up to the first that is not done."""
        task = self._task(name)
        module = self._module(task)
        self.stopped.discard(name)
        try:
            yield module
        except Exception as error:
            if self.strict:
                raise
            self.stopped.add(name)
            if isinstance(error, NotDone):
                print(f"not started: {error}   (labs next)")
            else:
                print(f"{name} ended in {type(error).__name__}: {error}   (labs check {name})")

    def figure(self, name: str) -> Picture | None:
        """The figure of a task's sheet, drawn by the functions of its file."""
        task = self._task(name)
        with self.use(name) as module:
            plot = drawing.loaded(task.folder / "plot.py", f"{task.folder.name}_plot")
            return Picture(plot.draw(module))
        return None

    @contextmanager
    def claim(self, name: str, text: str) -> Iterator[ModuleType]:
        """`with claim("t11", "..."):` a block of assertions that wait until the task is done."""
        module = self._module(self._task(name))
        self.claims.pop((name, text), None)
        try:
            yield module
            self.claims[name, text] = True
        except (NotDone, NameError) as error:
            # A name is missing where the cell that was to make it has stopped.
            if self.strict or (isinstance(error, NameError) and name not in self.stopped):
                raise
            self.claims[name, text] = False
        except AssertionError as error:
            error.add_note(f"{name} should show: {text}")
            raise

    def report(self) -> None:
        """Says how many claims hold, and how many wait for which tasks."""
        waiting = [claim for claim, holds in self.claims.items() if not holds]
        print(
            f"{len(self.claims) - len(waiting)} claims hold, {len(waiting)} wait for their tasks."
        )
        for name, text in waiting:
            print(f"  {name}: {text}")

    def _task(self, name: str) -> Task:
        return catalog.find(self.root, f"w{self.week:02d}.{name}")

    def _module(self, task: Task) -> ModuleType:
        """The task's file, imported anew, so that a cell sees its last state."""
        try:
            return drawing.loaded(task.source, task.folder.name)
        except Exception as error:
            if self.strict:
                raise
            return Unreadable(task.folder.name, error)


def grid(images: Any, titles: Sequence[object] = (), *, columns: int = 10) -> Picture:
    """Square grey images (n, p * p), small and in rows, with a title over each if there are titles."""
    side = round(len(images[0]) ** 0.5)
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(0.64 * columns, 0.8 * rows), layout="constrained")
    cells = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in cells:
        axes.axis("off")
    for axes, image in zip(cells, images, strict=False):
        axes.imshow(image.reshape(side, side), cmap="gray_r")
    for axes, title in zip(cells, titles, strict=False):
        axes.set_title(str(title), fontsize=8)
    return Picture(figure)
