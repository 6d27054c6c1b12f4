"""The `labs` command: finds the repository and hands over to a file of `commands/`."""

import argparse
import ast
import importlib
import os
import sys
from pathlib import Path
from typing import NoReturn

from lab.errors import LabError, nearest
from tasks.labs import catalog

FOLDER = Path(__file__).parent / "commands"


class Parser(argparse.ArgumentParser):
    """argparse, but an error is two lines: what is wrong, and the way out."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}\nSee `{self.prog} --help`.", file=sys.stderr)
        raise SystemExit(2)


def commands() -> dict[str, str]:
    """Each command and its help, read from the files without importing them."""
    found = {}
    for path in sorted(FOLDER.glob("[a-z]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        found[path.stem] = text.splitlines()[0]
    return found


def main(words: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 something did not pass, 2 the call was wrong."""
    words = sys.argv[1:] if words is None else words
    known = commands()
    if not words or words[0] in ("-h", "--help", "help"):
        width = max(map(len, known))
        print(
            "usage: labs COMMAND [options]    labs COMMAND --help",
            "Begin with `labs next`.",
            "",
            sep="\n",
        )
        print(*(f"  {name:<{width}}  {text}" for name, text in known.items()), sep="\n")
        return 0
    name = words[0]
    if name not in known:
        print(f"labs: no command {name!r}; nearest: {nearest(name, known)}", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(f"tasks.labs.commands.{name}")
        parser = Parser(prog=f"labs {name}", description=known[name], allow_abbrev=False)
        module.arguments(parser)
        return module.run(parser.parse_args(words[1:]), catalog.repository())
    except LabError as error:
        print(f"labs: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has seen enough, as `head` does; the rest goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
