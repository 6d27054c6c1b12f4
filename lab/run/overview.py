"""The short `--help`: what can be chosen, one line each, without importing torch."""

import ast
from pathlib import Path

from lab.errors import LabError, nearest
from lab.run.names import PACKAGE, index

USAGE = """\
python training/run_experiment.py [fit|validate|test|predict] [-c PRESET] [options]

With no arguments: trains an MLP on handwritten digits, tests the best checkpoint, keeps all in runs/.

  -c PRESET              a YAML file, or the name of a preset below
  --data NAME            data set, --data.OPTION its options
  --model NAME           problem type, --model.OPTION its options
  --model.net NAME       net, --model.net.OPTION its options
  --model.optimizer NAME any torch.optim optimizer, --model.optimizer.OPTION its options, --model.lr
  --trainer.OPTION       any option of Lightning's Trainer (max_epochs, devices, strategy, precision ...)
  --checkpoint.OPTION    any option of ModelCheckpoint (monitor, mode ...)
  --seed_everything N    seed of the run (0)
  --compile              compile the net with torch.compile
  --run_dir PATH         folder of this run (default: a new one in runs/)
  --resume auto|PATH     go on with the newest unfinished run, or with that run folder
  --ckpt_path PATH       checkpoint for validate, test and predict
  --wandb                log to W&B; --wandb.project/entity/group/tags/log_model best
  --help NAME            all options of one data module, model or net

NAME is one of those below or an import path (mypackage.MyNet)."""


def overview(experiments: Path) -> str:
    """Usage, then every data module, model, net and preset with its first docstring line."""
    parts = [USAGE]
    for title, role in (("--data", "data"), ("--model", "models"), ("--model.net", "nets")):
        parts.append(f"\n{title}\n" + rows({name: line for name, (_, line) in index(role).items()}))
    presets = {file.stem: preset_line(file) for file in sorted(experiments.glob("*.yaml"))}
    parts.append("\n-c\n" + rows(presets))
    return "\n".join(parts)


def rows(lines: dict[str, str]) -> str:
    """Two columns of text."""
    width = max((len(name) for name in lines), default=0)
    return "\n".join(f"  {name:<{width}}  {line}" for name, line in lines.items())


def preset_line(file: Path) -> str:
    """What a preset reached: the text in brackets at the end of its first line."""
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    return first.partition("(")[2].rstrip(") ")


def help_text(words: list[str], experiments: Path) -> str:
    """The overview, or the options of the class named after `--help`."""
    place = words.index("--help" if "--help" in words else "-h") + 1
    if place < len(words) and not words[place].startswith("-"):
        return details(words[place])
    return overview(experiments)


def details(name: str) -> str:
    """Docstring and constructor options of a data module, model or net of the lab."""
    found = {
        key: path for role in ("data", "models", "nets") for key, (path, _) in index(role).items()
    }
    if name not in found:
        raise LabError(
            f"--help {name}: no such data module, model or net.\nNearest: {nearest(name, found)}"
        )
    file = PACKAGE.parent / (found[name].rpartition(".")[0].replace(".", "/") + ".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    makers = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    lines = [f"{name} ({found[name]})", "", ast.get_docstring(node) or ""]
    return "\n".join([*lines, "", "Options:", *(rows(options(maker)) for maker in makers)])


def choices() -> dict[str, str]:
    """What the names of the lab's `Literal` types stand for: a | b | c."""
    found = {}
    for file in [*PACKAGE.glob("nets/*.py"), *PACKAGE.glob("models/*.py")]:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            match node:
                case ast.Assign(
                    targets=[ast.Name(name)],
                    value=ast.Subscript(ast.Name("Literal"), ast.Tuple(words)),
                ):
                    found[name] = " | ".join(ast.literal_eval(word) for word in words)
    return found


def options(maker: ast.FunctionDef) -> dict[str, str]:
    """Options with their types and defaults; arguments without a default are given by the script."""
    names, known = maker.args, choices()
    pairs = [
        *zip(names.args[::-1], names.defaults[::-1], strict=False),
        *zip(names.kwonlyargs, names.kw_defaults, strict=True),
    ]
    return {
        argument.arg: " = ".join(
            known.get(text := ast.unparse(node), text)
            for node in (argument.annotation, default)
            if node
        )
        for argument, default in pairs
        if default is not None
    }
