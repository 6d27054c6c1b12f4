"""`metrics.csv`: a row per logged step, always complete on disk, without gap or duplicate after a resume."""

import csv
import io
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only


class MetricsFile(Logger):
    """Writes metrics to `<folder>/metrics.csv`.

    Metrics of one step share a row. Each call leaves a complete file: the last row is written, or, when a
    metric is new, the whole file beside and then renamed.

    Args:
        folder: the run folder.
        first_step: rows of this step and later ones are dropped: a resumed run writes them again.
    """

    def __init__(self, folder: Path, first_step: int | None = None) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self.rows: list[dict[str, str]] = []
        self.columns = ["step", "epoch"]
        # Whether the file holds other rows than `rows`, so that nothing can be appended to it.
        self.stale = True
        # Where the last row begins, in bytes.
        self.start = 0
        if first_step is not None:
            rows = read_rows(self.path)
            self.columns = list(rows[0]) if rows else self.columns
            self.rows = [
                {key: value for key, value in row.items() if value}
                for row in rows
                if int(row["step"]) < first_step
            ]

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> "MetricsFile":
        return self

    @property
    def save_dir(self) -> str:
        return str(self.path.parent)

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Nothing: `config.yaml` beside this file says it."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add metrics to the row of `step`."""
        row = {key: repr(float(value)) for key, value in metrics.items() if key != "epoch"}
        row |= {"step": str(int(step or 0)), "epoch": str(int(metrics.get("epoch", 0)))}
        new = sorted(set(row) - set(self.columns))
        same_step = bool(self.rows) and self.rows[-1]["step"] == row["step"]
        if same_step:
            self.rows[-1] |= row
        else:
            self.rows.append(row)
        self.columns += new
        last = self.text([self.rows[-1]]).encode()
        if new or self.stale:
            names = dict(zip(self.columns, self.columns, strict=True))
            before = self.text([names, *self.rows[:-1]]).encode()
            beside = self.path.with_suffix(".csv.part")
            beside.write_bytes(before + last)
            os.replace(beside, self.path)
            self.start, self.stale = len(before), False
            return
        with self.path.open("r+b") as file:
            self.start = file.seek(self.start if same_step else 0, 0 if same_step else os.SEEK_END)
            file.write(last)
            file.truncate()

    def text(self, rows: list[dict[str, str]]) -> str:
        """Rows as lines of CSV."""
        buffer = io.StringIO()
        csv.DictWriter(buffer, self.columns, restval="", lineterminator="\n").writerows(rows)
        return buffer.getvalue()


def read_rows(path: Path) -> list[dict[str, str]]:
    """The complete rows of a metrics file, none if there is no file; a line cut off by a kill is left out."""
    if not path.is_file():
        return []
    text = path.read_text()
    complete = text[: text.rfind("\n") + 1]
    return list(csv.DictReader(io.StringIO(complete)))
