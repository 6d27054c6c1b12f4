"""Names: which data modules, models and nets exist, and what a name on the command line stands for.

Reading the index parses the files' syntax trees and imports nothing, so `--help` needs no torch.
A bare name is looked up in the folder that belongs to its option; a dotted name is an import path.
"""

import ast
import collections.abc
import importlib
import inspect
import typing
from functools import cache
from pathlib import Path

from lab.errors import LabError, nearest

PACKAGE = Path(__file__).resolve().parent.parent
# Folder = option. The base classes mark what is public: a file may hold other classes beside.
FOLDERS = {
    "data": {"LabData", "LightningDataModule"},
    "models": {"LightningModule"},
    "nets": {"Module"},
}
OPTIMIZERS = "torch.optim"
OPTION = {"data": "--data", "models": "--model"}


@cache
def index(role: str) -> dict[str, tuple[str, str]]:
    """Public classes of `lab/<role>`: name -> (import path, first line of the docstring)."""
    found = {}
    for file in sorted((PACKAGE / role).glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if (
                not isinstance(node, ast.ClassDef)
                or node.name.startswith("_")
                or file.stem == "base"
            ):
                continue
            bases = {base.attr if isinstance(base, ast.Attribute) else base.id
                     for base in node.bases if isinstance(base, ast.Attribute | ast.Name)}  # fmt: skip
            # What nets are made of may be public too, but only a net takes what the data decide.
            if role == "nets" and "input_shape" not in constructor_parameters(node):
                continue
            if bases & FOLDERS[role]:
                line = (ast.get_docstring(node) or "").partition("\n")[0]
                found[node.name] = (f"lab.{role}.{file.stem}.{node.name}", line)
    return found


def constructor_parameters(node: ast.ClassDef) -> set[str]:
    """Names of the parameters of a class's own `__init__`."""
    own = [part for part in node.body if isinstance(part, ast.FunctionDef)]
    return {arg.arg for part in own if part.name == "__init__" for arg in part.args.args}


def resolve(role: str, name: str, option: str = "") -> str:
    """The import path that `name` stands for.

    Raises:
        LabError: there is none; it names `option` and the nearest names.
    """
    if "." in name:
        load(name)
        return name
    if role == "optimizers":
        public = vars(importlib.import_module(OPTIMIZERS)).items()
        classes = [key for key, value in public if inspect.isclass(value) and key[0] != "_"]
        paths = {key: f"{OPTIMIZERS}.{key}" for key in classes if key != "Optimizer"}
    else:
        paths = {key: path for key, (path, _) in index(role).items()}
    if name not in paths:
        place = option or OPTION.get(role, role)
        raise LabError(f"{place} {name}: no such name.\nNearest: {nearest(name, paths)}")
    return paths[name]


def load(path: str) -> typing.Any:
    """The object behind an import path `package.module.Name`."""
    module, _, name = path.rpartition(".")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise LabError(f"{path}: cannot import {module} ({error}).") from error
    if not hasattr(found, name):
        raise LabError(f"{path}: {module} has no {name}.\nNearest: {nearest(name, vars(found))}")
    return getattr(found, name)


def roles(cls: type) -> dict[str, str]:
    """Parameters of a model's constructor that take a class: name -> role."""
    import torch

    found = {}
    for name, hint in typing.get_type_hints(vars(cls).get("__init__", object.__init__)).items():
        options = typing.get_args(hint) if type(None) in typing.get_args(hint) else (hint,)
        for option in options:
            if typing.get_origin(option) is not collections.abc.Callable:
                continue
            made = typing.get_args(option)[-1]
            if isinstance(made, type) and issubclass(made, torch.nn.Module):
                found[name] = "nets"
            elif isinstance(made, type) and issubclass(made, torch.optim.Optimizer):
                found[name] = "optimizers"
    return found


def required_facts(cls: type) -> list[str]:
    """What the constructor of a model needs and no option gives: attributes of the data module."""
    nets = roles(cls)
    return [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and name not in nets
    ]


def fitting_models(data: object) -> list[str]:
    """Names of the models whose needs the data module states."""
    return [
        name
        for name, (path, _) in index("models").items()
        if all(hasattr(data, fact) for fact in required_facts(load(path)))
    ]
