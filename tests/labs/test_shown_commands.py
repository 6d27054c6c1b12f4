"""Every `labs` command that README, the rules and the sheets show is one, with options that it has."""

import importlib
import re
import shlex

import pytest
import small_repository as small
from conftest import ROOT
from small_repository import Labs

from tasks.labs import cli

PAGES = [ROOT / "README.md", *ROOT.glob("tasks/README.md"), *ROOT.glob("notebooks/README.md")]
PAGES += sorted(ROOT.glob("tasks/week*/t*/README.md"))
TEXT = "\n".join(page.read_text() for page in PAGES)
# In a block of code, or between backticks, which may be broken over two lines.
SHOWN = re.findall(r"^labs (.+)$", TEXT, re.MULTILINE) + re.findall(r"`labs\s([^`]+)`", TEXT)
COMMANDS = sorted({" ".join(words.split()) for words in SHOWN})


@pytest.mark.parametrize("command", COMMANDS)
def test_is_a_command_with_options_that_it_has(command: str) -> None:
    name, *words = shlex.split(command)
    if name in ("COMMAND", "--help"):
        return
    assert name in cli.commands()
    module = importlib.import_module(f"tasks.labs.commands.{name}")
    parser = cli.Parser(prog=name, allow_abbrev=False)
    module.arguments(parser)
    parser.parse_args(words)


def test_first_commands_of_readme_in_their_order(
    tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    block = re.search(r"\n(labs next\n(?:labs .+\n)+)", (ROOT / "README.md").read_text())
    assert block
    labs = Labs(tmp_path, small.source(tmp_path), capsys)
    said = {line: labs(*line.split()[1:]) for line in block.group(1).splitlines()}
    assert [(line, one.code) for line, one in said.items()] == [
        ("labs next", 0),
        ("labs check", 1),
        ("labs hint", 0),
    ]
    assert f"not started, 0 of {small.TESTS} tests pass" in said["labs check"].out
