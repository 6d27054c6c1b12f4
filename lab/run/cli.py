"""LightningCLI, subclassed once: builds what the command asks for inside its run folder.

Nothing here names a problem, a data set or a net.
"""

from pathlib import Path
from typing import Any, NoReturn

import pytorch_lightning as pl
import yaml
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from lab.data.base import LabData
from lab.errors import LabError
from lab.run import checkpoint, folder, names
from lab.run.callbacks import Guard, add_own
from lab.run.failures import refused, short
from lab.run.lean import Checkpoint, NoProfiler, stop_asking_nvml
from lab.run.metrics_file import MetricsFile
from lab.run.options import Options
from lab.run.progress import progress


class Parser(LightningArgumentParser):
    """Tells a wrong value in a few lines instead of the parser's usage and union errors."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise LabError(short(message)) from ex


class LabCLI(LightningCLI):
    """Data module, model and trainer of one run; `lab.run.stages` sets them to work.

    Args:
        options: the command line, taken apart and normalised.
        path: the run folder.
        resumed: the checkpoint to go on from, if the run is resumed.

    Attributes:
        content: the whole configuration as plain values, as in `config.yaml`.
        guard: what keeps seeds and time.
        tracker: the W&B run's logger, if there is one on this process.
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
            run=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--compile", type=bool, default=False, help="compile the net")
        parser.add_argument("--ckpt_path", type=str | None, default=None, help="weights to use")
        parser.add_lightning_class_args(Checkpoint, "checkpoint")
        assert self.options.model is not None
        monitor, mode = getattr(self.options.model, "monitor", ("val/loss", "min"))
        best = {"filename": "best", "monitor": monitor, "mode": mode, **checkpoint.AT_EACH_EPOCH}
        parser.set_defaults({f"checkpoint.{key}": value for key, value in best.items()})
        for fact in names.required_facts(self.options.model):
            parser.link_arguments(
                "data",
                f"model.init_args.{fact}",
                compute_fn=lambda data, fact=fact: self.fact(data, fact),
                apply_on="instantiate",
            )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        self.config = parser.parse_args(args)

    def _parse_ckpt_path(self) -> None:
        """Nothing: the configuration comes from the run's files, hyperparameters from the command."""

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

    def before_instantiate_classes(self) -> None:
        text = self.parser.dump(self.config, skip_link_targets=True, skip_unset=False)
        self.content = yaml.safe_load(text)
        self.options.keep_counts(self.content["trainer"])
        self.content.pop("ckpt_path")

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        settings = self.config_init["trainer"]
        self.options.keep_counts(settings)
        steps = checkpoint.read(self.resumed)["global_step"] if self.resumed else None
        own = [] if settings["logger"] in (None, True, False) else settings["logger"]
        loggers = [MetricsFile(self.path, steps), *self.trackers()]
        loggers += own if isinstance(own, list) else [own]
        self.guard = Guard(self.content["seed_everything"], self.content)
        self.config_init["checkpoint"].dirpath = str(self.path / "checkpoints")
        bar = [] if settings["enable_progress_bar"] is False else [progress()]
        self.trainer_defaults["callbacks"] = [self.guard, *bar]
        plugins = list(settings["plugins"] or [])
        if SLURMEnvironment.detect():
            # The job script requeues and resumes; Lightning's own requeue would restart mid-epoch.
            plugins.append(SLURMEnvironment(auto_requeue=False))
        fixed = {
            "logger": loggers,
            "default_root_dir": str(self.path),
            "plugins": plugins or None,
            "profiler": settings["profiler"] or NoProfiler(),
            "enable_model_summary": False,
            # Our batches are shared out already; those of any other data module are for Lightning to share.
            "use_distributed_sampler": settings["use_distributed_sampler"]
            and not isinstance(self.datamodule, LabData),
        }
        try:
            trainer = super().instantiate_trainer(**fixed)
        except (MisconfigurationException, ValueError, TypeError) as error:
            raise refused(error, self.options.settings) from error
        stop_asking_nvml(trainer.strategy.root_device)
        add_own(trainer, self.path)
        return trainer

    def trackers(self) -> list[Any]:
        """The W&B logger when it is asked for, or when the run that goes on has one."""
        tracked = self.options.wandb is not None or (self.path / "wandb.json").is_file()
        if tracked and folder.first_process():
            from lab.run import tracking

            self.tracker = tracking.start(self.path, self.options.wandb or {}, self.content)
        return [self.tracker] if self.tracker else []
