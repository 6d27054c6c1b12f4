"""Failures told in at most six lines: cause first; the rest goes to a file."""

import os
import re
import traceback
from difflib import SequenceMatcher
from pathlib import Path

from lab.errors import LabError

MOST_LINES = 6


def short(message: str) -> str:
    """The telling lines of an argument parser's message: option, value, what was expected.

    A class inside a class has a parser of its own, whose answer from here comes wrapped into the outer one's.
    """
    lines = [line.strip(" -\t") for line in message.splitlines() if line.strip(" -\t")]
    keys = []
    for place, line in enumerate(lines):
        keys += re.findall(r'^Parser key "([\w.]+)":$', line)
        if re.match(r"[\w.]+ .*: expected ", line):
            nearby = [line for line in lines[place + 1 : place + 2] if line.startswith("Nearest")]
            return "\n".join([f"--{'.'.join([*keys, line])}", *nearby])
    nested = re.search(r"NestedArg\(key='([\w.]+)', val='?(.*?)'?\)", message)
    option = ".".join([*keys[:1], *(nested.groups()[:1] if nested else ())])
    value = nested.group(2) if nested else found(r"Got value: (.*)|Given value: (.*)", message)
    types = re.findall(r"Expected an? <class '([\w.]+)'>", message)
    classes = [name for name in types if name != "NoneType"]
    literals = re.findall(r"Expected an? (?:typing\.)?Literal\[(.*?)\]", message)
    choices = [choice.strip(" '\"") for literal in literals for choice in literal.split(",")]
    if option and (classes or choices):
        answer = f"--{option} {value}: expected {' or '.join(classes) or 'one of a few words'}."
        likest = sorted(
            choices, key=lambda c: SequenceMatcher(None, value, c).ratio(), reverse=True
        )
        return f"{answer}\nNearest: {', '.join(likest[:9])}" if choices else answer
    return "\n".join(line[:300] for line in lines[: MOST_LINES - 1])


def refused(error: Exception, settings: list[tuple[str, str]]) -> LabError:
    """What the trainer says of its options, after those that it names."""
    named = [f"--{key} {value}" for key, value in settings if key.partition(".")[2] in str(error)]
    return LabError(f"{', '.join(named) or 'trainer'}: {error}")


def found(pattern: str, text: str) -> str:
    """The first group that matches, or nothing."""
    match = re.search(pattern, text)
    return next((group for group in match.groups() if group), "") if match else ""


def cause(error: BaseException) -> LabError | None:
    """The LabError from which `error` came, if it is or hides one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, LabError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def describe(error: BaseException, folder: Path) -> str:
    """A failure while running: what, where in the code, and where the whole traceback lies."""
    text = f"{type(error).__name__}: {str(error).strip() or 'no message'}"
    lines = [line[:300] for line in text.splitlines() if line.strip()][: MOST_LINES - 2]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    if own:
        lines.append(f"at {own[-1].filename}:{own[-1].lineno}, in {own[-1].name}")
    if folder.is_dir():
        # One process that fails makes the others fail; each keeps its own account.
        rank = os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or "0"
        path = folder / ("error.txt" if rank == "0" else f"error-rank{rank}.txt")
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        lines.append(f"whole traceback: {path}")
    return "\n".join(lines)
