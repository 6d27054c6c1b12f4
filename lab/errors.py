"""Errors that a person can cause, told in a few lines: the cause first, then the way out."""

import difflib
from collections.abc import Iterable


class LabError(ValueError):
    """Something in the command, a file or the data is wrong; the message is all the user needs."""


def nearest(name: str, choices: Iterable[str], *, most: int = 3) -> str:
    """The choices closest to `name`, or all of them when nothing is close, as one line of text."""
    known = sorted(set(choices))
    by_lower = {choice.lower(): choice for choice in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=most, cutoff=0.5)
    return ", ".join(by_lower[choice] for choice in close) or ", ".join(known)
