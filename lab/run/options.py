"""From the words of a command line to the arguments that LightningCLI parses.

Takes out what belongs to the run and not to the experiment (run folder, resume, W&B), puts presets first,
hands the rest on in the order in which LightningCLI wants it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError, nearest

SUBCOMMANDS = ("fit", "validate", "test", "predict")
FLAGS = ("--wandb", "--compile")
# Options of the trainer in which 1 is one batch and 1.0 all of them.
ONE_OR_ALL = (
    *(f"limit_{stage}_batches" for stage in ("train", "val", "test", "predict")),
    "overfit_batches",
    "val_check_interval",
)
WANDB_OPTIONS = ("project", "entity", "group", "tags", "log_model")


@dataclass
class Options:
    """A command line, taken apart."""

    subcommand: str = "fit"
    run_dir: Path | None = None
    resume: str | None = None
    wandb: dict[str, Any] | None = None
    configs: list[dict[str, Any]] = field(default_factory=list)
    preset: str | None = None
    settings: list[tuple[str, str]] = field(default_factory=list)
    model: type | None = None
    defaults: dict[str, Any] = field(default_factory=dict)

    def arguments(self) -> list[str]:
        """What LightningCLI gets: configs, then the settings in their order."""
        configs = [word for config in self.configs for word in ("--config", json.dumps(config))]
        return [*configs, *(f"--{key}={value}" for key, value in self.settings)]

    def chosen(self, group: str) -> str:
        """The class that the command names for `data` or `model`, the last mention counts."""
        name = ""
        for config in [self.defaults, *self.configs]:
            value = config.get(group)
            name = (value.get("class_path", name) if isinstance(value, dict) else value) or name
        return dict(self.settings).get(group, name)

    def keep_counts(self, trainer: Any) -> None:
        """Make 1 of 1.0 in the trainer's parsed settings where the command says 1.

        Of "a count or a share" Python hands out one type for both orders, so the parser may read one batch
        as 1.0, which is all of them.
        """
        for name in ONE_OR_ALL:
            written = None
            for config in self.configs:
                written = (config.get("trainer") or {}).get(name, written)
            if str(dict(self.settings).get(f"trainer.{name}", written)) == "1":
                trainer[name] = 1


def read(words: list[str], experiments: Path) -> Options:
    """Take the words of a command line apart; presets are looked up in `experiments`."""
    options = Options(defaults=read_config("default", experiments))
    words = list(words)
    if words and not words[0].startswith("-"):
        options.subcommand = words.pop(0)
        if options.subcommand not in SUBCOMMANDS:
            close = nearest(options.subcommand, SUBCOMMANDS)
            raise LabError(f"'{options.subcommand}' is no subcommand.\nNearest: {close}")
    while words:
        word = words.pop(0)
        if not word.startswith("--") and word.partition("=")[0] != "-c":
            raise LabError(f"'{word}' belongs to no option; options start with --.\nSee: --help")
        key, equals, value = word.partition("=")
        if key in FLAGS and not equals:
            value = "true"
        elif not equals:
            # A value may start with a minus only when it is a number.
            if not words or (words[0].startswith("-") and not is_number(words[0])):
                raise LabError(f"{key} needs a value: {key} VALUE")
            value = words.pop(0)
        take(options, key.lstrip("-"), value, experiments)
    return options


def take(options: Options, key: str, value: str, experiments: Path) -> None:
    """Put one option where it belongs."""
    if key in ("c", "config"):
        options.configs.append(read_config(value, experiments))
        options.preset = Path(value).stem
    elif key == "run_dir":
        options.run_dir = Path(value)
    elif key == "resume":
        options.resume = value
    elif key == "wandb":
        options.wandb = options.wandb or {}
    elif key.startswith("wandb."):
        name = key.removeprefix("wandb.")
        if name not in WANDB_OPTIONS:
            raise LabError(f"unknown option --{key}.\nNearest: {nearest(name, WANDB_OPTIONS)}")
        if name == "log_model" and value != "best":
            raise LabError(
                f"--wandb.log_model {value}: choose best; by default no model is uploaded"
            )
        options.wandb = {**(options.wandb or {}), name: value}
    else:
        options.settings.append((key, value))


def is_number(word: str) -> bool:
    """Whether a word such as -1 or -2e-3 is a number and not an option."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_config(value: str, experiments: Path) -> dict[str, Any]:
    """A config from a YAML file or from a preset's name."""
    file = Path(value)
    if not file.is_file():
        presets = {preset.stem: preset for preset in experiments.glob("*.yaml")}
        if value not in presets:
            close = nearest(file.stem, presets)
            raise LabError(f"-c {value}: no such file or preset.\nNearest: {close}")
        file = presets[value]
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise LabError(f"-c {value}: not valid YAML{where}.") from error
    if not isinstance(config, dict):
        raise LabError(f"-c {value}: a preset is a mapping of data, model, trainer ...")
    return config


def continue_run(options: Options, config: Path) -> None:
    """Take the configuration from the run folder; only trainer settings may differ in a resumed run."""
    if options.resume != "auto":
        other = [f"--{key}" for key, _ in options.settings if not key.startswith("trainer.")]
        other += ["-c"] * bool(options.configs)
        if other:
            raise LabError(
                f"--resume goes on with the same run, which {other[0]} would change.\n"
                "Allowed beside it: --trainer.OPTION. To start anew from its weights: --ckpt_path PATH"
            )
    options.settings = [
        (key, value) for key, value in options.settings if key.startswith("trainer.")
    ]
    options.configs = [read_config(str(config), config.parent)]


def take_checkpoint_config(options: Options) -> None:
    """`--ckpt_path` alone is enough: the checkpoint knows the configuration that made it.

    Raises:
        LabError: a subcommand other than fit has no checkpoint, or the checkpoint is not usable.
    """
    path = dict(options.settings).get("ckpt_path")
    if path is None:
        if options.subcommand != "fit":
            raise LabError(f"{options.subcommand} needs weights: --ckpt_path PATH")
        return
    from lab.run import checkpoint

    content = checkpoint.config(Path(path))
    for key in ("trainer", "checkpoint"):
        content.pop(key, None)
    options.configs.insert(0, content)
