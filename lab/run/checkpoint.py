"""Reading checkpoints: plain values only, and a clear word when a file is not what it should be."""

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from lab.errors import LabError, nearest

CONFIG_KEY = "lab_config"
# When the script's checkpoints are written, and that their names are just those given.
AT_EACH_EPOCH: dict[str, Any] = {
    "save_on_train_epoch_end": True,
    "auto_insert_metric_name": False,
    "enable_version_counter": False,
}


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, loaded without running any code in it.

    Raises:
        LabError: there is no such file, it is damaged, or it holds more than plain values.
    """
    if not path.is_file():
        near = [str(file) for file in path.parent.glob("*.ckpt")]
        close = f"\nNearest: {nearest(str(path), near)}" if near else ""
        raise LabError(f"{path}: there is no such checkpoint.{close}")
    try:
        with warnings.catch_warnings():
            # Of a pickle that torch did not write, which is refused in the next moment.
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise LabError(
            f"{path}: refused, it is damaged or holds objects that could run code.\n"
            "Only checkpoints of plain values and tensors are opened."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise LabError(f"{path}: damaged or not a checkpoint.") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise LabError(f"{path}: not a checkpoint of a run (it has no state_dict).")
    return content


def config(path: Path) -> dict[str, Any]:
    """The configuration of the run that wrote the checkpoint."""
    content = read(path)
    if CONFIG_KEY not in content:
        raise LabError(
            f"{path}: says nothing of its run.\nGive the same -c, --data and --model as in training."
        )
    return json.loads(content[CONFIG_KEY])


def check_fits(model: pl.LightningModule, path: Path) -> dict[str, Any]:
    """The checkpoint's weights, or a LabError when they are those of another net."""
    weights = read(path)["state_dict"]
    own = model.state_dict()
    missing = [key for key in own if key not in weights]
    unknown = [key for key in weights if key not in own]
    shapes = [key for key in own if key in weights and own[key].shape != weights[key].shape]
    if missing or unknown or shapes:
        lines = [f"{path}: these are the weights of another net."]
        if shapes:
            key = shapes[0]
            lines.append(
                f"{key}: {tuple(weights[key].shape)} in the file, {tuple(own[key].shape)} in the net"
            )
        if missing:
            lines.append(f"not in the file: {', '.join(missing[:3])}")
        if unknown:
            lines.append(f"not in the net: {', '.join(unknown[:3])}")
        raise LabError("\n".join(lines))
    return weights
