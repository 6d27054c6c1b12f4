"""What a run says when it ends: the table of metrics, `summary.json` and `curves.png`."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab.run import checkpoint
from lab.run.metrics_file import read_rows

Baselines = dict[str, dict[str, float]]


def by_name(baselines: dict[str, Any]) -> Baselines:
    """Metrics of each baseline; a model that has one only need not name it."""
    if any(isinstance(value, dict) for value in baselines.values()):
        return baselines
    return {"baseline": baselines}


def flat(baselines: Baselines) -> dict[str, float]:
    """Keys for `summary.json`: baseline/test/loss, or baseline/NAME/test/loss when they have names."""
    prefix = {name: "baseline" if name == "baseline" else f"baseline/{name}" for name in baselines}
    return {
        f"{prefix[name]}/{key}": value
        for name, values in baselines.items()
        for key, value in values.items()
    }


def table(metrics: dict[str, float], baselines: Baselines) -> str:
    """Metrics beside what trivial guesses reach, a column each."""
    width = max(map(len, metrics), default=6)
    columns = {name: max(len(name), 10) for name in baselines or {"baseline": {}}}
    heads = [f"{name:>{size}}" for name, size in columns.items()]
    lines = ["  ".join([f"{'metric':<{width}}", f"{'value':>10}", *heads])]
    for name, value in metrics.items():
        guesses = [baselines.get(column, {}).get(name) for column in columns]
        cells = [
            f"{'-' if guess is None else format(guess, '.4f'):>{size}}"
            for guess, size in zip(guesses, columns.values(), strict=True)
        ]
        lines.append("  ".join([f"{name:<{width}}", f"{value:>10.4f}", *cells]))
    return "\n".join(lines)


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    packages = ("torch", "torchvision", "pytorch-lightning", "torchmetrics", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def git_commit() -> str:
    """The commit of the code, marked when files differ from it; empty outside a git checkout."""
    place = Path(__file__).resolve().parent
    command = [
        "git",
        "-C",
        str(place),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def finals(folder: Path) -> dict[str, float]:
    """The last value of every logged metric."""
    last: dict[str, float] = {}
    for row in read_rows(folder / "metrics.csv"):
        last |= {
            key: float(value)
            for key, value in row.items()
            if value and key not in ("step", "epoch")
        }
    return last


def at_best(folder: Path, best: Path | None) -> dict[str, float]:
    """Validation metrics at the best checkpoint: the last ones logged up to its step."""
    if best is None or not best.is_file():
        return {}
    step = checkpoint.read(best)["global_step"]
    rows = [row for row in read_rows(folder / "metrics.csv") if int(row["step"]) <= step]
    found: dict[str, float] = {}
    for row in rows:
        found |= {key: float(value) for key, value in row.items() if value and key[:4] == "val/"}
    return found


def curves(folder: Path, title: str) -> None:
    """Draw `curves.png` from `metrics.csv`: a panel per metric, train and validation together."""
    rows = read_rows(folder / "metrics.csv")
    series: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for row in rows:
        for key, value in row.items():
            stage, _, name = key.partition("/")
            if value and stage in ("train", "val"):
                steps, values = series.setdefault(name, {}).setdefault(stage, ([], []))
                steps.append(int(row["step"]) + 1)
                values.append(float(value))
    if not series:
        return
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(4.5 * min(len(series), 3), 3.4 * -(-len(series) // 3)), layout="constrained"
    )
    figure.suptitle(title)
    colors: dict[str, Any] = {"train": "tab:blue", "val": "tab:orange"}
    for place, (name, stages) in enumerate(series.items(), 1):
        axes = figure.add_subplot(
            -(-len(series) // 3), min(len(series), 3), place, xlabel="step", title=name
        )
        for stage, (steps, values) in stages.items():
            marker = "o" if len(steps) < 40 else ""
            axes.plot(steps, values, marker=marker, ms=3, lw=1.2, color=colors[stage], label=stage)
        every = [value for _, values in stages.values() for value in values]
        if min(every) > 0 and max(every) > 20 * min(every):
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(folder / "curves.png", dpi=100)
