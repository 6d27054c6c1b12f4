"""From `sys.argv` to an exit code: help, the run folder, the run, and failures in a few lines.

Exit codes: 0 done, 1 failed while running, 2 the command was wrong.
"""

import logging
import os
import shlex
import shutil
import sys
import warnings
from pathlib import Path

from lab.errors import LabError
from lab.run import checks, folder, options, overview

# Warnings that a user of the script can't act on, or that the script has answered already.
NOT_FOR_USERS = (
    r".*LeafSpec.* is deprecated",
    r".*does not have many workers",
    r".*Checkpoint directory .* exists and is not empty",
    r".*The number of training batches .* is smaller than the logging interval",
    r".*You are using a custom batch sampler `\w+` for prediction",
)


def main(experiments: Path) -> int:
    """Run the command in `sys.argv`; presets are in `experiments`."""
    words = sys.argv[1:]
    # Classes of one's own are imported from the folder in which the command is given.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        if "--help" in words or "-h" in words:
            print(overview.help_text(words, experiments))
            return 0
        chosen = options.read(words, experiments)
        quiet()
        path, fresh = choose_folder(chosen, words)
    except LabError as error:
        return fail(error)
    os.environ[folder.VARIABLE] = str(path)
    try:
        return run(chosen, path, fresh)
    finally:
        del os.environ[folder.VARIABLE]


def quiet() -> None:
    """Leave out what Lightning says of itself and warnings that nobody can act on."""
    import pytorch_lightning as _  # noqa: F401  (sets its loggers' levels when first imported)

    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in NOT_FOR_USERS:
        warnings.filterwarnings("ignore", message)


def choose_folder(chosen: options.Options, words: list[str]) -> tuple[Path, bool]:
    """The run folder and whether it is a new run's; fills in the configuration."""
    if chosen.resume:
        path = folder.to_resume(chosen.resume, chosen.run_dir, folder.experiment_words(words))
        if path is not None:
            if folder.first_process():
                print(f"resuming {path}")
            options.continue_run(chosen, path / "config.yaml")
            checks.normalise(chosen)
            return path, False
        if folder.first_process():
            print("--resume auto: no unfinished run of this command, starting a new one")
    options.take_checkpoint_config(chosen)
    checks.normalise(chosen)
    return folder.make(chosen.run_dir, checks.run_name(chosen)), True


def run(chosen: options.Options, path: Path, fresh: bool) -> int:
    """Do what the command says; a wrong command leaves no new folder behind."""
    from lab.run import failures

    started = False
    try:
        if fresh and folder.first_process():
            folder.write(path / "command.txt", shlex.join(["python", *sys.argv]) + "\n")
        from lab.run import stages
        from lab.run.cli import LabCLI

        last = path / "checkpoints" / "last.ckpt"
        cli = LabCLI(chosen, path, last if not fresh and last.is_file() else None)
        stages.prepare(cli)
        started = True
        stages.run(cli)
    except (KeyboardInterrupt, SystemExit):
        # During a fit Lightning turns the first into the second.
        if started:
            return fail(LabError(f"stopped.\nGo on with: --resume {path}"), code=1)
        discard(path, fresh)
        return fail(LabError("stopped before the run began."), code=1)
    except Exception as error:
        known = failures.cause(error)
        if known and not started:
            discard(path, fresh)
            return fail(known)
        return fail(known or LabError(failures.describe(error, path)), code=1)
    return 0


def discard(path: Path, fresh: bool) -> None:
    """Remove the folder of a run that did not begin."""
    if fresh and folder.first_process():
        shutil.rmtree(path)


def fail(error: LabError, code: int = 2) -> int:
    """Print the error and return the exit code."""
    sys.stdout.flush()
    print(f"error: {error}", file=sys.stderr)
    return code
