"""What a net's output positions spell: greedy decoding, confidence and alignment for CTC.

Letters: B lines, T output positions (frames), V characters, L the longest text. Logits are (B, T, V + 1); the
last number, V, is the blank. A path names one number for each frame; the text it spells has repeats
collapsed, then blanks dropped (Graves, Fernandez, Gomez, Schmidhuber 2006). Texts of different lengths stand
in one tensor of numbers (B, L), -1 where a text has ended.
"""
# from week 3

from itertools import pairwise

import torch
from torch import Tensor


def frames_needed(text: list[int]) -> int:
    """The fewest frames that can spell a text: equal neighbours need a blank between them."""
    return len(text) + sum(first == second for first, second in pairwise(text))


def ctc_greedy(logits: Tensor, frames: Tensor | None = None) -> Tensor:
    """The texts (B, L) of the likeliest paths; only the first `frames` (B,) of each line count."""
    # On a CPU a third faster than argmax.
    return collapse(logits.max(-1)[1], frames, blank=logits.shape[2] - 1)


def collapse(paths: Tensor, frames: Tensor | None = None, *, blank: int) -> Tensor:
    """The texts (B, L) that paths (B, T) spell; only the first `frames` (B,) of each line count."""
    return packed(paths, starts_of(paths, frames, blank=blank), absent=-1)


def greedy_with_confidence(logits: Tensor, frames: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The texts (B, L) of the likeliest paths, and how sure (B, L) the net is of each character.

    The confidence is the highest probability of the character in its frames; 0 where a text has ended.
    """
    blank = logits.shape[2] - 1
    best, paths = logits.softmax(-1).max(-1)
    starts = starts_of(paths, frames, blank=blank)
    numbers = packed(paths, starts, absent=-1)
    # From the start of a character to that of the next, but for the blanks, is its own.
    own = paths != blank if frames is None else (paths != blank) & inside(paths, frames)
    places = (starts.cumsum(1) - 1).clamp(min=0)
    sure = best.new_zeros(len(paths), numbers.shape[1] + 1)
    sure.scatter_reduce_(1, places, best * own, "amax")
    return numbers, sure[:, :-1]


def inside(paths: Tensor, frames: Tensor) -> Tensor:
    """Which frames (B, T) are a line's own."""
    return torch.arange(paths.shape[1], device=paths.device) < frames[:, None]


def starts_of(paths: Tensor, frames: Tensor | None, *, blank: int) -> Tensor:
    """In which frames (B, T) a character starts."""
    starts = paths != blank
    starts[:, 1:] &= paths[:, 1:] != paths[:, :-1]
    return starts if frames is None else starts & inside(paths, frames)


def packed(values: Tensor, chosen: Tensor, *, absent: int) -> Tensor:
    """The chosen ones of values (B, T) side by side, (B, L)."""
    counts = chosen.sum(1)
    longest = int(counts.max()) if len(counts) else 0
    filled = torch.arange(longest, device=values.device) < counts[:, None]
    return values.new_full(filled.shape, absent).masked_scatter_(filled, values[chosen])


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
