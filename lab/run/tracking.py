"""A run in W&B: begun before training, told where to look at the end, and never a reason to stop.

Imported under `--wandb` only, on the first process only. Without an API key, with WANDB_MODE=offline or
with a server out of reach the run is kept offline in its folder, from where it can be sent later.
"""

import functools
import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wandb
from pytorch_lightning.loggers import WandbLogger

from lab.run import folder

FILE = "wandb.json"
PROJECT = "deep-learning-lab"
CODE = Path(__file__).resolve().parents[2]
# Seconds; training waits no longer for a server, neither at its start nor at its end.
START_PATIENCE, END_PATIENCE = 30, 60


def survives(method: Callable[..., Any]) -> Callable[..., Any]:
    """Tell a failure of the tracker in one line, once, and go on without it."""

    @functools.wraps(method)
    def call(tracker: "Tracker", *args: Any, **kwargs: Any) -> Any:
        if tracker.broken:
            return None
        try:
            return method(tracker, *args, **kwargs)
        except Exception as error:  # whatever a tracker raises, training is worth more
            tracker.broken = True
            print(f"W&B: {first_line(error)}; training goes on without it", file=sys.stderr)

    return call


class Tracker(WandbLogger):
    """Lightning's W&B logger for one run folder; a failure silences it and stops nothing."""

    broken = False

    @survives
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        super().log_metrics(metrics, step)

    @survives
    def log_image(
        self, key: str, images: list[Any], step: int | None = None, **kwargs: Any
    ) -> None:
        super().log_image(key, images, step, **kwargs)

    @survives
    def log_text(self, key: str, *args: Any, **kwargs: Any) -> None:
        super().log_text(key, *args, **kwargs)

    @survives
    def log_video(self, key: str, videos: list[Any], *args: Any, **kwargs: Any) -> None:
        super().log_video(key, videos, *args, **kwargs)

    @survives
    def record(self, summary: dict[str, Any], model: Path | None) -> None:
        """Put final metrics into the run's summary and, if there is a `model`, upload it."""
        self.experiment.summary.update(summary)
        if model is not None:
            artifact = wandb.Artifact(f"model-{self.experiment.id}", type="model")
            artifact.add_file(str(model))
            self.experiment.log_artifact(artifact, aliases=["best"])

    @survives
    def end(self) -> None:
        """Wait for what is still on its way, for END_PATIENCE at most."""
        self.experiment.finish()

    def finalize(self, status: str) -> None:
        """Nothing: `finish` ends the run, after the test; Lightning calls this after the fit."""


def first_line(error: Exception) -> str:
    """The first line of an error's text, else its kind."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def start(path: Path, options: dict[str, Any], content: dict[str, Any]) -> Tracker:
    """Begin the W&B run of a run folder, or go on with it when the folder has one."""
    record = path / FILE
    if record.is_file():
        options = {**json.loads(record.read_text(encoding="utf-8")), **options}
    options = {"id": secrets.token_hex(4), **options}
    folder.write_json(record, options)
    # What an earlier run of this process left would be taken for this one.
    wandb.teardown()
    begin = functools.partial(
        wandb.init,
        id=options["id"],
        resume="allow",
        name=path.name,
        dir=path,
        project=options.get("project") or os.environ.get("WANDB_PROJECT") or PROJECT,
        entity=options.get("entity"),
        group=options.get("group"),
        tags=[tag.strip() for tag in options.get("tags", "").split(",") if tag.strip()],
        config=content,
        settings=wandb.Settings(
            silent=True, console="off", init_timeout=START_PATIENCE, finish_timeout=END_PATIENCE
        ),
    )
    try:
        reason = why_offline()
        run = begin(mode="offline" if reason else "online")
    except Exception as error:  # no network, a wrong key, no such entity: all go on offline
        reason = first_line(error)
        wandb.teardown()
        run = begin(mode="offline")
    print(f"W&B: offline ({reason})" if reason else f"W&B: {run.url}")
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    run.log_code(str(CODE), name="code", include_fn=is_code)
    return Tracker(experiment=run, save_dir=path, project=run.project)


def why_offline() -> str | None:
    """The reason to keep a run offline from the start, if there is one."""
    mode = os.environ.get("WANDB_MODE")
    if mode in ("offline", "dryrun", "disabled"):
        return f"WANDB_MODE={mode}"
    wandb.setup(wandb.Settings(silent=True))
    return None if wandb.login(prompt=False) else "no API key; get one with: wandb login"


def is_code(path: str, root: str) -> bool:
    """Whether a file is part of the experiment's code."""
    relative = Path(path).relative_to(root)
    return relative.parts[0] in ("lab", "training") and relative.suffix in (".py", ".yaml", ".sh")


def finish(tracker: Tracker, path: Path, summary: dict[str, Any], best: Path | None) -> list[str]:
    """End the run of a folder; returns where to look at it, or how to send and see it."""
    run = tracker.experiment
    options = json.loads((path / FILE).read_text(encoding="utf-8"))
    tracker.record(summary, best if options.get("log_model") == "best" else None)
    where = None if run.offline else run.url
    folder_of_runs = path / "wandb"
    parts = folder_of_runs / ("offline-run-*" if run.offline else "run-*")
    tracker.end()
    wandb.teardown()
    if where and not tracker.broken:
        return [f"W&B: {where}"]
    return [
        f"W&B: send it with   wandb sync {parts}",
        f"     see it here with   wandb leet {folder_of_runs}",
    ]
