"""From a trained net to the file of a reader, see `lab.recognizer_file`."""
# from week 3

import copy
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export

from lab.errors import LabError
from lab.ink import LONGEST_SIDE
from lab.recognizer_file import FACTS, FORMAT, STEP, Facts, quiet

# Of images in an export: any that is no multiple of anything else would do.
EXAMPLE = 7 * STEP


class _Spell(nn.Module):
    """Images and sizes to logits and frames."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(images, sizes), self.net.frames(sizes)


class _Encode(nn.Module):
    """Images and sizes to a memory and its mask."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        return self.net.encode(images, sizes)


class _Remember(nn.Module):
    """A memory to its keys and values."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        return self.decoder.memory_tensors(memory)


class _Step(nn.Module):
    """A token, keys and values of what was before to logits, and keys and values."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, token: Tensor, keys: Tensor, values: Tensor, seen_keys: Tensor, seen_values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        return self.decoder.step_tensors(token, keys, values, seen_keys, seen_values)


def write_recognizer(path: Path, net: nn.Module, facts: Facts) -> None:
    """Save a trained net as a reader.

    Raises:
        LabError: a net that reads no text, or a folder that can't be written.
    """
    net = copy.deepcopy(net).cpu().float().eval()
    with quiet(), torch.no_grad():
        programs = exported(net, facts)
        try:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(FACTS, json.dumps({"format": FORMAT, **asdict(facts)}))
                for name, program in programs.items():
                    stored = io.BytesIO()
                    torch.export.save(program, stored)
                    archive.writestr(f"{name}.pt2", stored.getvalue())
        except OSError as error:
            raise LabError(f"{path}: can't be written ({error.strerror})") from error


def exported(net: nn.Module, facts: Facts) -> dict[str, ExportedProgram]:
    """The programs of a net.

    Raises:
        LabError: it reads no text, or does what `torch.export` can't follow.
    """
    spells, writes = hasattr(net, "frames"), hasattr(net, "encode") and hasattr(net, "decoder")
    kind = type(net).__name__
    if not (spells or writes):
        raise LabError(f"{kind} does not read text, so no reader can be made of it")
    try:
        return {"logits": spelling(net, facts)} if spells else writing(net, facts)
    # A net may be of anybody's making.
    except Exception as error:
        line = str(error).strip().partition("\n")[0]
        raise LabError(
            f"torch.export can't make programs of {kind} for any size ({line})"
        ) from error


def image_input(facts: Facts) -> tuple[tuple[Tensor, Tensor], tuple[dict[int, Any], None]]:
    """An example of images and sizes, and in which dimensions images differ."""
    pages = facts.kind == "paragraph"
    height = EXAMPLE + STEP if pages else facts.height
    most = LONGEST_SIDE // STEP
    free: dict[int, Any] = {3: STEP * Dim("across", min=1, max=most)}
    if pages:
        free[2] = STEP * Dim("down", min=1, max=most)
    inputs = torch.zeros(1, 1, height, EXAMPLE), torch.tensor([[height - 3, EXAMPLE - 3]])
    return inputs, (free, None)


def spelling(net: nn.Module, facts: Facts) -> ExportedProgram:
    """The program of a net for CTC."""
    return lean(_Spell(net), *image_input(facts))


def writing(net: Any, facts: Facts) -> dict[str, ExportedProgram]:
    """The programs of an encoder-decoder net."""
    # What it knows of positions that no text has would only be ballast; the examples have three tokens.
    net.decoder.shorten(max(facts.text_length, 4) + 1)
    inputs, free = image_input(facts)
    memory, _ = net.encode(*inputs)
    # Examples are stored too, so they are small: two texts of three tokens, a memory of five places.
    memory = memory[:, :5]
    keys, _ = net.decoder.memory_tensors(memory)
    before, seen = (
        [torch.zeros(keys.shape[0], 2, keys.shape[2], count, keys.shape[4]) for _ in range(2)]
        for count in (3, 5)
    )
    step = (torch.zeros(2, 1, dtype=torch.long), *before, *seen)
    places, texts = Dim("places", max=1 << 20), Dim("texts", max=1 << 10)
    length = Dim("length", max=net.decoder.length - 1)
    grown, remembered = {1: texts, 3: length}, {1: texts, 3: places}
    return {
        "encode": lean(_Encode(net), inputs, free),
        "remember": lean(_Remember(net.decoder), (memory,), ({1: places},)),
        "step": lean(_Step(net.decoder), step, ({0: texts}, grown, grown, remembered, remembered)),
    }


def lean(module: nn.Module, inputs: tuple[Tensor, ...], free: Sequence[Any]) -> ExportedProgram:
    """The program of a module without those weights that it does not use."""
    module = copy.deepcopy(module)
    program = export(module, inputs, dynamic_shapes=tuple(free))
    used = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    unused = [
        spec.target
        for spec in program.graph_signature.input_specs
        if spec.target is not None and spec.arg.name not in used
    ]
    for target in unused:
        owner, _, name = target.rpartition(".")
        delattr(module.get_submodule(owner), name)
    return export(module, inputs, dynamic_shapes=tuple(free)) if unused else program
