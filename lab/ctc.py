"""What a net's output positions spell: greedy decoding, confidence and alignment for CTC.

Letters: B lines, T output positions (frames), V characters, L the longest text. Logits are (B, T, V + 1); the
last number, V, is the blank. A path names one number for each frame; the text it spells has repeats
collapsed, then blanks dropped (Graves, Fernandez, Gomez, Schmidhuber 2006). Texts of different lengths stand
in one tensor of numbers (B, L), -1 where a text has ended.
"""

from itertools import pairwise

import torch
from torch import Tensor


def frames_needed(text: list[int]) -> int:
    """The fewest frames that can spell a text: equal neighbours need a blank between them."""
    return len(text) + sum(first == second for first, second in pairwise(text))


def ctc_greedy(logits: Tensor, frames: Tensor | None = None) -> Tensor:
    """The texts (B, L) of the likeliest paths; only the first `frames` (B,) of each line count."""
    path, starts, places = _spelled(logits, frames)
    return _packed(path, starts, places, absent=-1)


def greedy_with_confidence(logits: Tensor, frames: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The texts (B, L) of the likeliest paths, and how sure (B, L) the net is of each character.

    The confidence is the highest probability of the character in its frames; 0 where a text has ended.
    """
    path, starts, places = _spelled(logits, frames)
    numbers = _packed(path, starts, places, absent=-1)
    best = logits.softmax(-1).amax(-1)
    # Frames of a character lie between its start and the next; the others have no say.
    own = (path != logits.shape[2] - 1) & (places >= 0)
    if frames is not None:
        own &= _inside(path, frames)
    sure = best.new_zeros(len(path), max(numbers.shape[1], 1))
    sure.scatter_reduce_(1, places.clamp(min=0), best * own, "amax")
    return numbers, sure[:, : numbers.shape[1]]


def _inside(path: Tensor, frames: Tensor) -> Tensor:
    """Which frames (B, T) are a line's own."""
    return torch.arange(path.shape[1], device=path.device) < frames[:, None]


def _spelled(logits: Tensor, frames: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The likeliest path (B, T), where a character starts, and the place in the text of the last that has."""
    path = logits.argmax(-1)
    starts = path != logits.shape[2] - 1
    starts[:, 1:] &= path[:, 1:] != path[:, :-1]
    if frames is not None:
        starts &= _inside(path, frames)
    return path, starts, starts.cumsum(1) - 1


def _packed(values: Tensor, chosen: Tensor, places: Tensor, absent: int) -> Tensor:
    """The chosen ones of values (B, T) side by side, (B, L)."""
    longest = int(places[:, -1].max()) + 1 if places.numel() else 0
    packed = values.new_full((len(values), longest), absent)
    rows, columns = chosen.nonzero(as_tuple=True)
    packed[rows, places[rows, columns]] = values[rows, columns]
    return packed


def align(log_probs: Tensor, text: Tensor) -> Tensor:
    """The likeliest path (T,) that spells a text (L,), given log probabilities (T, V + 1) (Viterbi).

    Raises:
        ValueError: fewer frames than the text needs.
    """
    needed = frames_needed(text.tolist())
    if len(log_probs) < needed:
        raise ValueError(f"{len(log_probs)} frames cannot spell a text that needs {needed}")
    blank = log_probs.shape[1] - 1
    # Blanks around and between the characters may be visited, characters must be.
    labels = text.new_full((2 * len(text) + 1,), blank)
    labels[1::2] = text
    emitted = log_probs[:, labels]  # (T, S)
    skips = torch.zeros(len(labels), dtype=torch.bool, device=text.device)
    skips[3::2] = text[1:] != text[:-1]
    impossible = emitted.new_tensor(-torch.inf)
    score = emitted[0].clone()
    score[2:] = impossible
    came = []
    for frame in emitted[1:]:
        one = torch.cat([impossible[None], score[:-1]])
        two = torch.cat([impossible.expand(2), score[:-2]])[: len(score)]
        score, step = torch.stack([score, one, two.where(skips, impossible)]).max(0)
        score = score + frame
        came.append(step)
    place = int(score[-2:].argmax()) + max(len(labels) - 2, 0)
    places = [place]
    for step in reversed(came):
        place -= int(step[place])
        places.append(place)
    return labels[places[::-1]]
