"""From a run to the file of a reader: builds its model once more, with the weights of its best checkpoint."""
# from week 3

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.run import checks, options
from lab.run.main import fail, quiet

NAME = "recognizer.zip"


def main(experiments: Path) -> int:
    """Run the command in `sys.argv`: 0 when a reader was made, 2 when the command was wrong."""
    parser = argparse.ArgumentParser(
        description="Make the file of a reader from a run's best weights."
    )
    parser.add_argument("run", type=Path, help="a run's folder, or one of its checkpoints")
    parser.add_argument("file", type=Path, nargs="?", help=f"to write; RUN/{NAME} when not given")
    given, more = parser.parse_known_args(sys.argv[1:])
    # Classes of one's own are imported from the folder in which the command is given.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        path = given.run
        if path.suffix != ".ckpt":
            path = path / "checkpoints" / "best.ckpt"
        file = given.file or (path.parent.parent if given.run != path else path.parent) / NAME
        export(*restored(path, more, experiments), file)
    except LabError as error:
        return fail(error)
    print(
        f"{file}: {file.stat().st_size:,} bytes\nread with it: python -m lab.recognizer {file} IMAGE..."
    )
    return 0


def restored(path: Path, more: list[str], experiments: Path) -> tuple[Any, Any]:
    """The model and the data module of a checkpoint; `more` options may say where its data are now."""
    chosen = options.read(["predict", "--ckpt_path", str(path), *more], experiments)
    quiet()
    options.take_checkpoint_config(chosen)
    checks.normalise(chosen)
    chosen.settings += [("trainer.accelerator", "cpu"), ("trainer.devices", "1")]
    from lab.run import stages
    from lab.run.cli import LabCLI

    with tempfile.TemporaryDirectory() as folder:
        cli = LabCLI(chosen, Path(folder), None)
        stages.prepare(cli)
    return cli.model, cli.datamodule


def export(model: Any, data: Any, file: Path) -> None:
    """Save what a model that reads has learned; a search with a language model is not part of it.

    Raises:
        LabError: it reads no text.
    """
    from lab.recognizer_export import write_recognizer
    from lab.recognizer_file import Facts

    alphabet = tuple(getattr(model, "alphabet", ()))
    if not alphabet:
        raise LabError(
            f"a {type(model).__name__} does not read text, so no reader can be made of it"
        )
    _, height, width = data.input_shape
    facts = Facts(
        kind="paragraph" if "\n" in alphabet else "line",
        alphabet=alphabet,
        height=height,
        width=width,
        text_length=data.text_length,
        beam=getattr(model, "beam", 1),
    )
    write_recognizer(file, model.net, facts)
