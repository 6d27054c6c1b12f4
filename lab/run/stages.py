"""What a built run does: fit and test, validate, test, predict; and the record of it."""

import os
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from lab.data.base import LabData
from lab.run import checkpoint, folder, report
from lab.run.cli import LabCLI


def prepare(cli: LabCLI) -> None:
    """Put the weights that the command gives into the model, as far as they fit.

    Raises:
        LabError: the checkpoint is that of another net.
    """
    path = cli.resumed or cli.config["ckpt_path"]
    if path:
        cli.model.load_state_dict(checkpoint.check_fits(cli.model, Path(path)))
        # What a model keeps beside its weights.
        cli.model.on_load_checkpoint(checkpoint.read(Path(path)))


def run(cli: LabCLI) -> None:
    """Do what the command's subcommand says."""
    if cli.trainer.is_global_zero and not cli.resumed:
        folder.write(cli.path / "config.yaml", yaml.safe_dump(cli.content, sort_keys=False))
    if cli.config["compile"]:
        # In place: wrapping would rename every weight in the checkpoint.
        for child in cli.model.children():
            if any(True for _ in child.parameters()):
                child.compile()
    match cli.options.subcommand:
        case "fit":
            fit(cli)
        case "predict":
            predict(cli)
        case verb:
            measure(cli, verb)
            finish(cli, {}, None)


def fit(cli: LabCLI) -> None:
    """Train, then test the best checkpoint; within a sweep nothing may be chosen by the test."""
    announce(cli)
    trainer, resumed = cli.trainer, str(cli.resumed) if cli.resumed else None
    trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resumed, weights_only=True)
    # Taken now: loading a checkpoint for the test sets the clock back to when it was written.
    seconds, cpu_seconds = cli.guard.spent()
    progress = {"seconds": seconds, "cpu_seconds": cpu_seconds}
    progress |= {"epochs": trainer.current_epoch, "steps": trainer.global_step}
    best = getattr(trainer.checkpoint_callback, "best_model_path", "")
    if "WANDB_SWEEP_ID" not in os.environ:
        measure(cli, "test", best or None)
    finish(cli, progress, Path(best) if best else None)


def measure(cli: LabCLI, verb: str, path: str | None = None) -> None:
    """Test or validate with the weights of a checkpoint of this run, or with the present ones.

    The trainer loads them, because a strategy may have cut the model into shards.
    """
    getattr(cli.trainer, verb)(
        cli.model, datamodule=cli.datamodule, ckpt_path=path, weights_only=True, verbose=False
    )


def predict(cli: LabCLI) -> None:
    """Write what the model predicts for the data's predict set: tensors to `predictions.pt`, or a text."""
    found: Any = cli.trainer.predict(cli.model, datamodule=cli.datamodule)
    if not cli.trainer.is_global_zero or not found:
        return
    if isinstance(found[0], Tensor):
        path = cli.path / "predictions.pt"
        torch.save(torch.cat(found), path)
    else:
        path = cli.path / "predictions.txt"
        text = "\n".join(line for batch in found for line in batch)
        folder.write(path, text + "\n")
        print(text)
    print(f"predictions: {path}")


def announce(cli: LabCLI) -> None:
    """Two lines: which folder, and what runs where."""
    if cli.trainer.is_global_zero:
        device = f"{cli.trainer.world_size} x {cli.trainer.strategy.root_device.type}"
        kind, count = type(cli.model).__name__, size(cli.model)
        print(f"run folder: {cli.path}")
        print(f"{kind}, {count:,} parameters, {device}, {cli.trainer.precision}")


def size(model: torch.nn.Module) -> int:
    """Number of weights."""
    return sum(weight.numel() for weight in model.parameters())


def finish(cli: LabCLI, progress: dict[str, float], best: Path | None) -> None:
    """Print the table, write `summary.json` and `curves.png`, end the W&B run; first process only."""
    if not cli.trainer.is_global_zero:
        return
    finals = report.finals(cli.path)
    stated = hasattr(cli.model, "baselines") and isinstance(cli.datamodule, LabData)
    baselines = report.by_name(cli.model.baselines(cli.datamodule)) if stated else {}
    measured = {key: value for key, value in finals.items() if not key.startswith("train/")}
    tested = {key: value for key, value in measured.items() if key.startswith("test/")}
    print(report.table(tested or measured, baselines))
    summary: dict[str, Any] = {
        **finals,
        **report.flat(baselines),
        **{f"best/{key}": value for key, value in report.at_best(cli.path, best).items()},
        **progress,
        "parameters": size(cli.model),
        **report.versions(),
        "git_commit": report.git_commit(),
    }
    folder.write_json(cli.path / "summary.json", summary)
    report.curves(cli.path, cli.path.name)
    if cli.tracker is not None:
        from lab.run import tracking

        for line in tracking.finish(cli.tracker, cli.path, summary, best):
            print(line)
