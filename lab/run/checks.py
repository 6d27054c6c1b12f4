"""Short names become import paths, and every option's name is checked before the parser sees it.

What reaches the parser is then unambiguous, and a typing mistake gets a short answer.
"""

import copy
import inspect
from typing import Any

from lab.errors import LabError, nearest
from lab.run import names
from lab.run.options import Options

GROUPS = ("data", "model", "trainer", "checkpoint")
PLAIN = ("seed_everything", "compile", "ckpt_path")


def normalise(options: Options) -> None:
    """Fill in defaults, replace short names by import paths and refuse unknown options."""
    settings = dict(options.settings)
    if not options.configs and not {"data", "model", "model.net"} & set(settings):
        options.configs.append(copy.deepcopy(options.defaults))
    choose(options, "model", options.defaults["model"]["class_path"])
    options.model = names.load(names.resolve("models", options.chosen("model")))
    usual = usual_choices(options)
    choose(options, "data", usual["data"])
    takes = names.roles(options.model)
    for name in takes:
        if name in usual and not given(options, name):
            options.configs.insert(0, {"model": {"init_args": {name: usual[name]}}})
    for config in options.configs:
        check_keys("", config, [*GROUPS, *PLAIN])
        normalise_group(config, "data", "data", {})
        normalise_group(config, "model", "models", takes)
    # A config that sets an argument of the model must say of which class.
    for config in options.configs:
        if "model" in config:
            config["model"].setdefault(
                "class_path", names.resolve("models", options.chosen("model"))
            )
    options.settings = [normalise_setting(key, value, takes) for key, value in options.settings]
    check_settings(options, takes)


def choose(options: Options, group: str, name: str) -> None:
    """Take the class `name` for the data or the model when the command names none."""
    given = group in dict(options.settings)
    if not given and not any(group in config for config in options.configs):
        options.configs.insert(0, {group: name})


def usual_choices(options: Options) -> dict[str, str]:
    """Data and nets for a command that names none: the model's `defaults`, else those of no arguments."""
    preset = options.defaults
    usual = {
        "data": preset["data"]["class_path"],
        "net": preset["model"]["init_args"]["net"]["class_path"],
    }
    return usual | getattr(options.model, "defaults", {})


def given(options: Options, name: str) -> bool:
    """Whether the command chooses a class for the model's parameter `name`."""
    inside = [config.get("model") for config in options.configs]
    args = [model.get("init_args") or {} for model in inside if isinstance(model, dict)]
    return f"model.{name}" in dict(options.settings) or any(name in arg for arg in args)


def normalise_group(
    config: dict[str, Any], key: str, role: str, takes: dict[str, str], option: str = ""
) -> None:
    """Resolve the class at `config[key]`, and those among its arguments; errors call it `option`."""
    if key not in config:
        return
    value = {"class_path": config[key]} if isinstance(config[key], str) else config[key]
    if not isinstance(value, dict):
        raise LabError(f"{key}: expected a name or a mapping with class_path and init_args.")
    check_keys(f"{key}.", value, ["class_path", "init_args", "dict_kwargs"])
    if "class_path" in value:
        value["class_path"] = names.resolve(role, value["class_path"], option)
    for name, inner in takes.items():
        if (value.get("init_args") or {}).get(name) is not None:
            normalise_group(value["init_args"], name, inner, {}, f"--model.{name}")
    if "class_path" in value and value.get("init_args"):
        check_keys(f"{key}.", value["init_args"], parameters(value["class_path"]))
    config[key] = value


def normalise_setting(key: str, value: str, takes: dict[str, str]) -> tuple[str, str]:
    """Resolve the value of a setting that names a class."""
    role = {"data": "data", "model": "models"}.get(key) or takes.get(key.removeprefix("model."))
    if (
        role
        and not value.startswith("{")
        and (key in ("data", "model") or key.startswith("model."))
    ):
        return key, names.resolve(role, value, f"--{key}")
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
    facts = names.required_facts(options.model)
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
        if head == "model" and name in facts:
            raise LabError(f"--model.{name} is a fact of the data: choose it by --data")
        if head == "model" and name in takes and inner:
            check_inner(
                options, name, takes[name], inner.removeprefix("init_args.").partition(".")[0]
            )


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


def run_name(options: Options) -> str:
    """A short name for the run: the preset's, else data and net."""
    if options.preset:
        return options.preset
    chosen = [options.chosen("data"), net_path(options, "net", "nets") or options.chosen("model")]
    return "-".join(path.rpartition(".")[2].lower() for path in chosen)
