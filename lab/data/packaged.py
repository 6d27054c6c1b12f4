"""Data files that ship inside scikit-learn."""

import importlib.util
from pathlib import Path


def packaged(name: str) -> Path:
    """Path of a data file of scikit-learn, found without the second that importing it takes."""
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "datasets" / "data" / name
