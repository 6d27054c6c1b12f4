"""What README and task sheets show is run: every command, the data, net and problem it adds, its table."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np  # from week 3
import pytest
from conftest import EXPERIMENTS, ROOT
from PIL import Image  # from week 3
from test_presets import SHORT
from test_reproducible import RUN, environment
from test_script import Script

from lab import recognizer  # from week 3
from lab.run import (
    export,  # from week 3
    names,
)
from lab.run.overview import overview

README = (ROOT / "README.md").read_text()
PREFIX = "python training/run_experiment.py"
SHEETS = [path.read_text() for path in sorted((ROOT / "tasks").glob("week*/t*/README.md"))]
COMMANDS = sorted(
    {line for page in (README, *SHEETS) for line in page.splitlines() if line.startswith(PREFIX)}
)
# Options that only the checkpoint of a certain problem understands.
ASKED = {
    "--data.prompt": "char_docs",
    "--data.queries": "words_families",
    "--model.language_model": "digit_lines_ctc",  # from week 3
    "--data.characters": "copiste_ctc",  # from week 3
}
OWN = ("rings", "waves", "quantiles")


def blocks() -> dict[str, str]:
    """The modules that README shows, by name."""
    found = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", README, re.DOTALL)
    return dict(found)


@pytest.fixture
def own_modules(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """README's modules as files in the current folder, imported anew."""
    assert tuple(blocks()) == OWN
    for name, code in blocks().items():
        (own_folder / f"{name}.py").write_text(code)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))


def words(command: str, run: Path) -> list[str]:
    """The options of a command line of README, with the name of a run that exists."""
    text = command.replace("runs/NAME", str(run)).replace("runs/TEXT", "runs/text")
    return shlex.split(text)[2:]


def marked(command: str) -> Any:
    """Slow: several processes, what needs an earlier run, and sheets' commands that README does not show."""
    slow = "--trainer.devices" in command or "runs/" in command or command not in README
    return pytest.param(command, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("command", [marked(command) for command in COMMANDS])
def test_command(
    script: Script,
    own_modules: None,
    image_files: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.setenv("LAB_DATA_DIR", str(image_files))
    monkeypatch.setenv("WANDB_MODE", "offline")
    if "fsdp" in command or "--compile" in command:
        pytest.skip("needs GPUs or a compiler: test_gpu.py and test_script.py run it")
    options = words(command, Path("runs/earlier"))
    if "runs/NAME" in command:
        asked = [preset for option, preset in ASKED.items() if option in options]
        chosen = [word for preset in asked for word in ("-c", preset)]
        assert script(*chosen, *SHORT, "--run_dir", "runs/earlier").code == 0
    # >>> from week 3
    if "runs/TEXT" in command:
        assert script("-c", "char_docs", *SHORT, "--run_dir", "runs/text").code == 0
    if "texts.txt" in command:
        # The letters of the lines that stand in for real handwriting.
        Path("texts.txt").write_text("abcdefgh " * 300)
    if "notes.txt" in command:
        Path("notes.txt").write_text("\n".join(f"Note {n}: ça va, no. {n}" for n in range(300)))
    # <<< from week 3
    if "--help" in options:
        outcome = script(*options)
    elif "--trainer.devices" in options:
        call = [*RUN, *options, *SHORT, "--trainer.accelerator", "cpu"]
        done = subprocess.run(call, capture_output=True, text=True, env=environment())
        assert done.returncode == 0, done.stderr
        return
    elif "--resume" in options:
        epochs = [] if "--trainer.max_epochs" in options else ["--trainer.max_epochs", "2"]
        outcome = script(*options, *epochs, "--trainer.limit_train_batches", "2")
    else:
        outcome = script(*options, *SHORT)
    assert outcome.code == 0, outcome.err


# >>> from week 3
def test_a_reader_is_made_and_reads_as_shown(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [line.replace("runs/NAME", "runs/a") for line in README.splitlines()]
    (make,) = [line for line in commands if line.startswith("python training/export_")]
    (use,) = [line for line in commands if line.startswith("python -m lab.recognizer")]
    code = re.search(r"```python\n(from lab.recognizer.*?)```", README, re.DOTALL)
    assert code and script("-c", "digit_lines_ctc", *SHORT, "--run_dir", "runs/a").code == 0
    monkeypatch.setattr(sys, "argv", shlex.split(make)[1:])
    assert export.main(EXPERIMENTS) == 0
    pixels = np.full((20, 60), 255, np.uint8)
    pixels[5:15, 20:24] = 0
    Image.fromarray(pixels).save("line.png")
    capsys.readouterr()
    assert recognizer.main(shlex.split(use)[3:]) == 0
    text = capsys.readouterr().out.rstrip("\n")
    exec(code.group(1), {})
    assert capsys.readouterr().out.startswith(f"{text} ")


# <<< from week 3
@pytest.mark.slow
def test_own_classes_train_from_another_folder(own_modules: None) -> None:
    # In a process of its own, in a folder that has nothing but the three files.
    options = "--data rings.Rings --data.width 0.4 --model.net waves.Waves --trainer.max_epochs 30"
    call = [*RUN, *options.split(), "--model.lr", "0.01", "--run_dir", "run"]
    done = subprocess.run(call, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"test/accuracy +([\d.]+) +([\d.]+)", done.stdout)
    assert accuracy and float(accuracy.group(1)) > 0.95 > 0.7 > float(accuracy.group(2))


def test_own_problem_reaches_its_quantile(script: Script, own_modules: None) -> None:
    options = "--data Curve --model quantiles.Quantile --model.q 0.8 --model.net waves.Waves"
    outcome = script(*options.split(), "--trainer.max_epochs", "30", "--model.lr", "0.01")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/below"] == pytest.approx(0.8, abs=0.05)


def test_own_modules_are_typed_python() -> None:
    for code in blocks().values():
        tree = ast.parse(code)
        assert ast.get_docstring(tree)


def test_table_of_problems_names_what_exists() -> None:
    section = README.partition("\n## Problem types\n")[2].partition("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    for role in ("data", "models", "nets"):
        for name in names.index(role):
            assert re.search(rf"\b{name}\b", table), name


def test_help_and_readme_agree_on_presets() -> None:
    shown = set(re.findall(r"-c ([a-z_]+)\b(?!/)", README))
    assert shown <= {path.stem for path in EXPERIMENTS.glob("*.yaml")}
    text = overview(EXPERIMENTS)
    assert all(f"  {name}" in text for name in shown)


def test_pictures_and_links_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target
