"""From the words of a command line to the arguments that LightningCLI parses.

Takes out what belongs to the run and not to the experiment (run folder, resume, W&B), puts presets first,
replaces short names by import paths, and checks every option's name, so that what reaches the
parser is unambiguous and a typing mistake gets a short answer.
"""

import inspect
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError, nearest
from lab.run import names

SUBCOMMANDS = ("fit", "validate", "test", "predict")
RUN_OPTIONS = ("--run_dir", "--resume")
WANDB_OPTIONS = ("project", "entity", "group", "tags", "log_model")
GROUPS = ("data", "model", "trainer", "checkpoint")
PLAIN = ("seed_everything", "compile", "ckpt_path", "weights_only", "return_predictions", "verbose")
DEFAULTS = {"data": "Digits", "model": "Classification", "net": "MLP"}


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

    def arguments(self) -> list[str]:
        """What LightningCLI gets: subcommand, configs, then the settings in their order."""
        configs = [word for config in self.configs for word in ("--config", json.dumps(config))]
        return [self.subcommand, *configs, *(f"--{key}={value}" for key, value in self.settings)]

    def name(self) -> str:
        """A short name for the run: the preset's, else data and net."""
        if self.preset:
            return self.preset
        found = [self.chosen("data"), net_path(self, "net", "nets") or self.chosen("model")]
        return "-".join(path.rpartition(".")[2].lower() for path in found)

    def chosen(self, group: str) -> str:
        """The class that the command names for `data` or `model`, the last mention counts."""
        name = DEFAULTS[group]
        for config in self.configs:
            value = config.get(group)
            name = (value.get("class_path", name) if isinstance(value, dict) else value) or name
        return dict(self.settings).get(group, name)


def read(words: list[str], experiments: Path) -> Options:
    """Take the words of a command line apart; presets are looked up in `experiments`."""
    options = Options()
    words = list(words)
    if words and not words[0].startswith("-"):
        options.subcommand = words.pop(0)
        if options.subcommand not in SUBCOMMANDS:
            close = nearest(options.subcommand, SUBCOMMANDS)
            raise LabError(f"'{options.subcommand}' is no subcommand.\nNearest: {close}")
    wandb: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            raise LabError(f"'{word}' belongs to no option; options start with --.\nSee: --help")
        key, equals, value = word.partition("=")
        if key in ("--wandb", "--compile") and not equals:
            wandb.setdefault("on", True) if key == "--wandb" else options.settings.append(("compile", "true"))
            continue
        if not equals:
            # A value may start with a minus only when it is a number.
            if not words or (words[0].startswith("-") and not is_number(words[0])):
                raise LabError(f"{key} needs a value: {key} VALUE")
            value = words.pop(0)
        if key in ("-c", "--config"):
            options.configs.append(read_config(value, experiments))
            options.preset = Path(value).stem
        elif key == "--run_dir":
            options.run_dir = Path(value)
        elif key == "--resume":
            options.resume = value
        elif key.startswith("--wandb."):
            name = key.removeprefix("--wandb.")
            if name not in WANDB_OPTIONS:
                raise LabError(f"unknown option {key}.\nNearest: {nearest(name, WANDB_OPTIONS)}")
            wandb[name] = value
        else:
            options.settings.append((key.lstrip("-"), value))
    options.wandb = wandb or None
    return options


def is_number(word: str) -> bool:
    """Whether a word such as -1 or -2e-3 is a number and not an option."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_config(value: str, experiments: Path) -> dict[str, Any]:
    """A config from a YAML file, from a preset's name or, as JSON, from a parent process."""
    if value.startswith("{"):
        return json.loads(value)
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
        place = getattr(error, "problem_mark", None)
        raise LabError(f"-c {value}: not valid YAML{f', line {place.line + 1}' if place else ''}.") from error
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
    options.settings = [(key, value) for key, value in options.settings if key.startswith("trainer.")]
    options.configs = [read_config(str(config), config.parent)]


def take_checkpoint_config(options: Options) -> None:
    """`--ckpt_path` alone is enough: the checkpoint knows the configuration that made it."""
    path = dict(options.settings).get("ckpt_path")
    if path is None:
        return
    from lab.run import checkpoint

    content = checkpoint.config(Path(path))
    for key in ("trainer", "checkpoint"):
        content.pop(key, None)
    options.configs.insert(0, content)


def normalise(options: Options) -> None:
    """Replace short names by import paths and refuse unknown options, in configs and settings."""
    for group in ("data", "model"):
        if group not in dict(options.settings) and not any(group in config for config in options.configs):
            options.configs.insert(0, {group: DEFAULTS[group]})
    options.model = names.load(names.resolve("models", options.chosen("model")))
    takes = names.roles(options.model)
    if "net" in takes and not given(options, "net"):
        options.configs.insert(1, {"model": {"init_args": {"net": DEFAULTS["net"]}}})
    for config in options.configs:
        check_keys("", config, [*GROUPS, *PLAIN])
        normalise_group(config, "data", "data", {})
        normalise_group(config, "model", "models", takes)
    options.settings = [normalise_setting(key, value, takes) for key, value in options.settings]
    check_settings(options, takes)


def given(options: Options, name: str) -> bool:
    """Whether the command chooses a class for the model's parameter `name`."""
    inside = [config.get("model") for config in options.configs]
    args = [model.get("init_args") or {} for model in inside if isinstance(model, dict)]
    return f"model.{name}" in dict(options.settings) or any(name in arg for arg in args)


def normalise_group(config: dict[str, Any], key: str, role: str, takes: dict[str, str]) -> None:
    """Resolve the class at `config[key]`, and the classes among its arguments."""
    if key not in config:
        return
    value = {"class_path": config[key]} if isinstance(config[key], str) else config[key]
    if not isinstance(value, dict):
        raise LabError(f"{key}: expected a name or a mapping with class_path and init_args.")
    check_keys(f"{key}.", value, ["class_path", "init_args", "dict_kwargs"])
    if "class_path" in value:
        value["class_path"] = names.resolve(role, value["class_path"])
    for name, inner in takes.items():
        if (value.get("init_args") or {}).get(name) is not None:
            normalise_group(value["init_args"], name, inner, {})
    if "class_path" in value and value.get("init_args"):
        check_keys(f"{key}.", value["init_args"], parameters(value["class_path"]))
    config[key] = value


def normalise_setting(key: str, value: str, takes: dict[str, str]) -> tuple[str, str]:
    """Resolve the value of a setting that names a class."""
    role = {"data": "data", "model": "models"}.get(key) or takes.get(key.removeprefix("model."))
    if role and not value.startswith("{") and (key in ("data", "model") or key.startswith("model.")):
        return key, names.resolve(role, value)
    return key, value


def parameters(path: str) -> list[str]:
    """Names of the options of a class or function; empty when it takes any."""
    found = inspect.signature(names.load(path)).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in found):
        return []
    return [parameter.name for parameter in found]


def check_keys(prefix: str, given_keys: Any, known: list[str]) -> None:
    """Refuse keys that are not known; an empty list knows everything."""
    for key in given_keys:
        if known and key not in known:
            raise LabError(f"unknown option --{prefix}{key}.\nNearest: {nearest(key, known)}")


def check_settings(options: Options, takes: dict[str, str]) -> None:
    """Refuse settings whose option does not exist for the classes chosen."""
    from pytorch_lightning import Trainer
    from pytorch_lightning.callbacks import ModelCheckpoint

    assert options.model is not None
    owners: dict[str, list[str]] = {
        "data": parameters(names.resolve("data", options.chosen("data"))),
        "model": list(inspect.signature(options.model).parameters),
        "trainer": list(inspect.signature(Trainer).parameters),
        "checkpoint": list(inspect.signature(ModelCheckpoint).parameters),
    }
    for key, _ in options.settings:
        head, _, rest = key.partition(".")
        rest = rest.removeprefix("init_args.").rstrip("+")
        if not rest:
            check_keys("", [head.rstrip("+")], [*GROUPS, *PLAIN])
        elif head not in owners:
            raise LabError(f"unknown option --{key}.\nNearest: {nearest(head, GROUPS)}")
        else:
            check_keys(f"{head}.", [rest.partition(".")[0]], owners[head])
        name, _, inner = rest.partition(".")
        if head == "model" and name in takes and inner:
            check_inner(options, name, takes[name], inner.removeprefix("init_args.").partition(".")[0])


def check_inner(options: Options, name: str, role: str, key: str) -> None:
    """Refuse an option that the net or optimizer lacks, or that the model gives it."""
    path = net_path(options, name, role)
    if path is None:
        raise LabError(f"--model.{name}.{key} needs a class: --model.{name} NAME")
    if role == "optimizers" and key == "lr":
        raise LabError("the learning rate is an option of the model: --model.lr")
    own = parameters(path)
    if own and role in ("nets", "optimizers"):
        # The first two are what the data or the model decide.
        own = own[2:]
    check_keys(f"model.{name}.", [key], [*own, "class_path", "dict_kwargs"] if own else [])


def net_path(options: Options, name: str, role: str) -> str | None:
    """Import path of the class chosen for the model's parameter `name`, the last mention counts."""
    path = dict(options.settings).get(f"model.{name}")
    for config in reversed(options.configs):
        inside = ((config.get("model") or {}).get("init_args") or {}).get(name)
        if path is None and isinstance(inside, dict):
            path = inside.get("class_path")
    return path if path is None or path.startswith("{") else names.resolve(role, path)
