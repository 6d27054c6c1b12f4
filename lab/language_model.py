"""A trained language model of characters that joins in the search for a text.

Letters: N texts, V characters of whoever searches, S those of the language model.
"""
# from week 3

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lab.errors import LabError
from lab.run import checkpoint, names


class ByState:
    """Reads texts character by character with a recurrent net, whose states are (depth, N, width)."""

    def __init__(self, net: Any) -> None:
        self.net = net

    def begin(self, rows: int, device: torch.device) -> Any:
        """States of texts of which nothing is read."""
        token = torch.zeros(rows, 1, dtype=torch.long, device=device)
        return [torch.zeros_like(part) for part in self.states(self.net.step(token)[1])]

    def states(self, state: Any) -> list[Tensor]:
        return [state] if isinstance(state, Tensor) else list(state)

    def pick(self, memory: list[Tensor], rows: Tensor) -> list[Tensor]:
        return [part.index_select(1, rows) for part in memory]

    def extend(self, memory: list[Tensor], rows: Tensor, tokens: Tensor) -> tuple[Tensor, Any]:
        """Logits (M, S) of what follows when tokens (M,) were added to the texts in `rows` (M,)."""
        picked = self.pick(memory, rows)
        state = picked[0] if len(picked) == 1 else tuple(picked)
        logits, state = self.net.step(tokens[:, None], state)
        pairs = zip(memory, self.states(state), strict=True)
        return logits, [part.index_copy(1, rows, new) for part, new in pairs]


class ByWindow:
    """Reads the last characters of texts anew each time, with any net; keeps tokens (N, T), lengths (N,)."""

    def __init__(self, net: Any, context: int) -> None:
        self.net, self.context = net, context

    def begin(self, rows: int, device: torch.device) -> Any:
        """No tokens."""
        tokens = torch.zeros(rows, self.context, dtype=torch.long, device=device)
        return tokens, tokens[:, 0].clone()

    def pick(self, memory: Any, rows: Tensor) -> Any:
        return tuple(part.index_select(0, rows) for part in memory)

    def extend(self, memory: Any, rows: Tensor, tokens: Tensor) -> tuple[Tensor, Any]:
        """Logits (M, S) of what follows when tokens (M,) were added to the texts in `rows` (M,)."""
        seen, length = self.pick(memory, rows)
        full = length == self.context
        seen = torch.where(full[:, None], seen.roll(-1, dims=1), seen)
        place = length - full.long()
        seen = seen.scatter(1, place[:, None], tokens[:, None])
        # What is beyond the end of a text comes after it, and so changes nothing before.
        every = self.net(seen[:, : int(place.max()) + 1])
        logits = every[torch.arange(len(rows), device=every.device), place]
        kept = (memory[0].index_copy(0, rows, seen), memory[1].index_copy(0, rows, place + 1))
        return logits, kept


class NextCharacters:
    """Log probabilities of the character that follows on each of many texts, by the net of a CharLM.

    A character that the language model lacks is as likely as by a uniform guess, and is read as a space.
    Of a first character nothing is known: texts may begin anywhere.

    Args:
        net: maps numbers (N, T) to logits (N, T, S), and reads bit by bit with `step`.
        vocabulary: its S characters by number.
        alphabet: the V characters by number of whoever searches.
        context: the most characters that the net reads.
    """

    def __init__(
        self, net: nn.Module, vocabulary: Sequence[str], alphabet: Sequence[str], context: int
    ) -> None:
        self.net: Any = net.eval().requires_grad_(False)
        self.size = len(vocabulary)
        numbers = {character: number for number, character in enumerate(vocabulary)}
        absent = numbers.get(" ", 0)
        self.read_as = torch.tensor([numbers.get(character, absent) for character in alphabet])
        self.known = torch.tensor([character in numbers for character in alphabet])
        self.reader: Any = ByState(net) if recurrent(net) else ByWindow(net, context)

    def begin(self, rows: int, device: torch.device) -> tuple[Tensor, Any]:
        """Log probabilities (N, V) of first characters, and what is kept of each text."""
        self.net.to(device)
        self.read_as, self.known = self.read_as.to(device), self.known.to(device)
        uniform = torch.zeros(rows, self.size, device=device)
        return self.ours(uniform), self.reader.begin(rows, device)

    def pick(self, memory: Any, rows: Tensor) -> Any:
        """What is kept of some of the texts."""
        return self.reader.pick(memory, rows)

    def extend(self, memory: Any, rows: Tensor, numbers: Tensor) -> tuple[Tensor, Any]:
        """Log probabilities (M, V) after characters (M,) follow on the texts in `rows` (M,); all memory."""
        logits, memory = self.reader.extend(memory, rows, self.read_as[numbers])
        return self.ours(logits), memory

    def ours(self, logits: Tensor) -> Tensor:
        """Log probabilities (N, V) of our characters from logits (N, S) of the language model's."""
        log_probs = logits.float().log_softmax(-1)
        return log_probs[:, self.read_as].where(self.known, -log_probs.new_tensor(self.size).log())


def recurrent(net: Any) -> bool:
    """Whether the net keeps of each text nothing but states, so that texts can be picked out."""
    state = net.step(torch.zeros(2, 1, dtype=torch.long))[1]
    parts = [state] if isinstance(state, Tensor) else list(state)
    return all(isinstance(part, Tensor) and part.dim() == 3 for part in parts)


def load_language_model(path: Path, alphabet: Sequence[str]) -> NextCharacters:
    """The language model of a CharLM's checkpoint, for texts of another alphabet.

    Raises:
        LabError: no such checkpoint, or one of another model.
    """
    content = checkpoint.read(path)
    if "char_lm" not in content or checkpoint.CONFIG_KEY not in content:
        raise LabError(
            f"--model.language_model {path}: not the checkpoint of a CharLM.\n"
            "Train one by --model CharLM"
        )
    kept = content["char_lm"]
    asked = json.loads(content[checkpoint.CONFIG_KEY])["model"]["init_args"]["net"]
    build = names.load(asked["class_path"])
    net = build(kept["input_shape"], len(kept["vocabulary"]), **asked["init_args"])
    weights = content["state_dict"]
    net.load_state_dict(
        {key[4:]: value for key, value in weights.items() if key.startswith("net.")}
    )
    if not hasattr(net, "step"):
        raise LabError(
            f"--model.language_model {path}: {asked['class_path']} has no `step`; "
            "train one with GRU or LSTM"
            " or Transformer"  # from week 4
        )
    return NextCharacters(net, kept["vocabulary"], alphabet, *kept["input_shape"])
