"""The weekly lab tasks; `labs` is their command, and what its checks run is in `tasks/labs`."""

from tasks.labs.errors import NotDone

__all__ = ["NotDone"]
