"""LightningCLI, subclassed once: a run folder, facts passed from data to model, resume and tracking.

Nothing here names a problem, a data set or a net.
"""

from pathlib import Path
from typing import Any, NoReturn

import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import ActionYesNo
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.plugins.environments import SLURMEnvironment

from lab.errors import LabError
from lab.run import checkpoint, folder, names, report
from lab.run.callbacks import Guard, UnevenBatches
from lab.run.failures import short
from lab.run.metrics_file import MetricsFile
from lab.run.options import Options
from lab.run.progress import ProgressBar


class Parser(LightningArgumentParser):
    """Tells a wrong value in a few lines instead of the parser's usage and union errors."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise LabError(short(message)) from ex


class LabCLI(LightningCLI):
    """One run: parse, build, train, test the best checkpoint, record.

    Args:
        options: the command line, taken apart and normalised.
        path: the run folder.
        resumed: the checkpoint to go on from, if the run is resumed.
    """

    def __init__(self, options: Options, path: Path, resumed: Path | None) -> None:
        self.options, self.path, self.resumed = options, path, resumed
        self.tracker: Any = None
        super().__init__(
            model_class=pl.LightningModule,
            datamodule_class=pl.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            parser_class=Parser,
            parser_kwargs={"allow_abbrev": False},
            save_config_callback=None,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            trainer_defaults={"max_epochs": 20, "log_every_n_steps": 10},
            args=options.arguments(),
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Only the one chosen: building a parser takes a third of a second."""
        return {self.options.subcommand: super().subcommands()[self.options.subcommand]}

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        self.config = parser.parse_args(args)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--compile", action=ActionYesNo, default=False, help="compile the net")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        kept = {"filename": "best", "monitor": "val/loss", "mode": "min", "save_last": True}
        fixed = {"auto_insert_metric_name": False, "enable_version_counter": False}
        at_end = {"save_on_train_epoch_end": True}
        defaults = {**kept, **fixed, **at_end}
        parser.set_defaults({f"checkpoint.{key}": value for key, value in defaults.items()})
        assert self.options.model is not None
        for fact in names.required_facts(self.options.model):
            parser.link_arguments(
                "data",
                f"model.init_args.{fact}",
                compute_fn=lambda data, fact=fact: self.fact(data, fact),
                apply_on="instantiate",
            )

    def fact(self, data: pl.LightningDataModule, name: str) -> Any:
        """What the model's constructor needs to know of the data."""
        if not hasattr(data, name):
            kind, model = type(data).__name__, self.options.model
            fitting = ", ".join(names.fitting_models(data)) or "none of lab.models"
            raise LabError(
                f"--data {kind} does not fit --model {model and model.__name__}: it states no {name}.\n"
                f"Models that fit {kind}: {fitting}"
            )
        return getattr(data, name)

    def _parse_ckpt_path(self) -> None:
        """Nothing: the configuration comes from the run's files, hyperparameters from the command."""

    def before_instantiate_classes(self) -> None:
        group = self.config[self.subcommand]
        dump = self._parser(self.subcommand).dump(
            group, skip_link_targets=True, skip_none=False, format="yaml"
        )
        self.content = yaml.safe_load(dump)
        for key in ("ckpt_path", "weights_only"):
            self.content.pop(key, None)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        group = self.config_init[self.subcommand]
        settings = group["trainer"]
        steps = checkpoint.read(self.resumed)["global_step"] if self.resumed else None
        loggers: list[Any] = [MetricsFile(self.path, steps)]
        if self.options.wandb is not None or (self.path / "wandb.json").is_file():
            from lab.run import tracking

            self.tracker = tracking.start(self.path, self.options.wandb or {}, self.content)
            loggers.append(self.tracker)
        if settings["logger"] not in (None, True, False):
            own = settings["logger"]
            loggers += own if isinstance(own, list) else [own]
        callbacks: list[pl.Callback] = [Guard(self.content["seed_everything"], self.content)]
        group["checkpoint"].dirpath = str(self.path / "checkpoints")
        if settings["enable_progress_bar"] is not False:
            callbacks.append(ProgressBar())
        self.trainer_defaults["callbacks"] = callbacks
        plugins = list(settings["plugins"] or [])
        if SLURMEnvironment.detect():
            # The job script requeues and resumes; Lightning's own requeue would restart mid-epoch.
            plugins.append(SLURMEnvironment(auto_requeue=False))
        fixed = {"logger": loggers, "default_root_dir": str(self.path), "plugins": plugins or None}
        quiet = {"enable_model_summary": False, "use_distributed_sampler": False}
        trainer = super().instantiate_trainer(**fixed, **quiet)
        if trainer.world_size > 1:
            trainer.callbacks.insert(0, UnevenBatches())  # type: ignore[attr-defined]
        return trainer

    def after_instantiate_classes(self) -> None:
        if self.trainer.is_global_zero and not self.resumed:
            folder.write(self.path / "config.yaml", yaml.safe_dump(self.content, sort_keys=False))
        if self.config[self.subcommand]["compile"]:
            for child in self.model.children():
                if any(True for _ in child.parameters()):
                    child.compile()

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing yet: what goes wrong before `start` is the command's fault, after it the run's."""

    def start(self) -> None:
        """Do what the subcommand says."""
        super()._run_subcommand(str(self.subcommand))

    def fit(
        self, model: pl.LightningModule, datamodule: pl.LightningDataModule, **kwargs: Any
    ) -> None:
        """Train, then test the best checkpoint."""
        if self.resumed:
            checkpoint.check_fits(model, self.resumed)
        elif kwargs.get("ckpt_path"):
            model.load_state_dict(checkpoint.check_fits(model, Path(kwargs["ckpt_path"])))
        self.announce(model)
        resumed = str(self.resumed) if self.resumed else None
        self.trainer.fit(model, datamodule=datamodule, ckpt_path=resumed, weights_only=True)
        progress = {"epochs": self.trainer.current_epoch, "steps": self.trainer.global_step}
        best = getattr(self.trainer.checkpoint_callback, "best_model_path", "") or None
        self.measure("test", model, datamodule, best)
        self.finish(model, datamodule, progress, Path(best) if best else None)

    def validate(self, **kwargs: Any) -> None:
        self.measure("validate", kwargs["model"], kwargs["datamodule"], kwargs.get("ckpt_path"))
        self.finish(kwargs["model"], kwargs["datamodule"], {}, None)

    def test(self, **kwargs: Any) -> None:
        self.measure("test", kwargs["model"], kwargs["datamodule"], kwargs.get("ckpt_path"))
        self.finish(kwargs["model"], kwargs["datamodule"], {}, None)

    def predict(self, **kwargs: Any) -> None:
        """Write what the model predicts for the data's predict set to `predictions.pt`."""
        path = kwargs.get("ckpt_path")
        if path:
            checkpoint.check_fits(kwargs["model"], Path(path))
        found = self.trainer.predict(
            kwargs["model"], datamodule=kwargs["datamodule"], ckpt_path=path, weights_only=True
        )
        if self.trainer.is_global_zero and found:
            torch.save(torch.cat(found), self.path / "predictions.pt")  # type: ignore[arg-type]
            print(f"predictions: {self.path / 'predictions.pt'}")

    def measure(self, verb: str, model: Any, data: Any, path: str | None) -> None:
        """Run the test or validation with the weights of a checkpoint, or with the present ones."""
        if path and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            checkpoint.check_fits(model, Path(path))
        getattr(self.trainer, verb)(
            model, datamodule=data, ckpt_path=path, weights_only=True, verbose=False
        )

    def announce(self, model: pl.LightningModule) -> None:
        """One line: what runs where."""
        if self.trainer.is_global_zero:
            count = sum(weight.numel() for weight in model.parameters())
            device = f"{self.trainer.world_size} x {self.trainer.strategy.root_device.type}"
            print(f"run folder: {self.path}")
            print(
                f"{type(model).__name__}, {count:,} parameters, {device}, {self.trainer.precision}"
            )

    def finish(self, model: Any, data: Any, progress: dict[str, int], best: Path | None) -> None:
        """Print the table and write `summary.json` and `curves.png`; rank 0 only."""
        if not self.trainer.is_global_zero:
            return
        finals = report.finals(self.path)
        baselines = (
            model.baselines(data)
            if hasattr(model, "baselines") and hasattr(data, "test_set")
            else {}
        )
        measured = {key: value for key, value in finals.items() if not key.startswith("train/")}
        tested = {key: value for key, value in measured.items() if key.startswith("test/")}
        print(report.table(tested or measured, baselines))
        guard = next(
            c
            for c in self.trainer.callbacks  # type: ignore[attr-defined]
            if isinstance(c, Guard)
        )
        seconds, cpu_seconds = guard.spent() if progress else (0.0, 0.0)
        summary: dict[str, Any] = {
            **finals,
            **{f"baseline/{key}": value for key, value in baselines.items()},
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            **progress,
            "parameters": sum(weight.numel() for weight in model.parameters()),
            **report.versions(),
            "git_commit": report.git_commit(),
        }
        folder.write_json(self.path / "summary.json", summary)
        report.curves(self.path, self.path.name)
        if self.tracker is not None:
            from lab.run import tracking

            for line in tracking.finish(self.tracker, summary, best):
                print(line)
