"""Prefix beam search for CTC: texts instead of paths are compared, whole batches at a time.

Letters: B lines, T frames, V characters, K the beam: so many texts of each line are kept at each frame.
All paths that spell a text add up to its probability; each text has two sums, of its paths that end with the
blank and of those that end with its last character (Graves, Jaitly 2014; Hannun et al. 2014). A language
model may join in (shallow fusion), as may a bonus for length, since it makes long texts unlikely.
"""
# from week 3

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

# What the codes of texts are multiplied with: Knuth's generator of 64 bits, in which they wrap around.
FACTOR = 6364136223846793005


class Scorer(Protocol):
    """A language model that reads many texts side by side."""

    def begin(self, rows: int, device: torch.device) -> tuple[Tensor, Any]:
        """Log probabilities (N, V) of the first characters of N texts, and what it keeps of each."""

    def pick(self, memory: Any, rows: Tensor) -> Any:
        """What it keeps of some of the texts."""

    def extend(self, memory: Any, rows: Tensor, numbers: Tensor) -> tuple[Tensor, Any]:
        """The same as `begin` of the texts in `rows` (M,), after characters (M,); (M, V) and all memory."""


@dataclass
class Beams:
    """The texts that are kept, best first.

    Attributes:
        blank, last: (B, K) log probabilities of the paths that end with the blank, with the last character.
        codes, parents: (B, K) numbers that tell texts apart, and those of the texts without last character.
        lengths: (B, K).
        numbers: (B, K, T), -1 beyond the ends.
        bonus: (B, K), what language model and length add to the score.
        following: (B, K, V), what they would add for a character more.
    """

    blank: Tensor
    last: Tensor
    codes: Tensor
    parents: Tensor
    lengths: Tensor
    numbers: Tensor
    bonus: Tensor
    following: Tensor

    @property
    def ends(self) -> Tensor:
        """The last characters (B, K); of the empty text any."""
        return self.numbers.gather(2, (self.lengths - 1).clamp(min=0)[:, :, None])[:, :, 0].clamp(
            min=0
        )


def beam_search(
    logits: Tensor,
    frames: Tensor,
    *,
    beam: int,
    scorer: Scorer | None = None,
    lm_weight: float = 0.0,
    length_bonus: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The best texts (B, L) of logits (B, T, V + 1), -1 beyond their ends, and their scores (B,).

    Without a language model and a bonus, the score is the log probability of the text, as far as the beam
    kept its paths.
    """
    log_probs = logits.log_softmax(-1)
    rows, length, size = log_probs.shape
    size -= 1
    beams, memory = first_beams(log_probs, beam), None
    if scorer:
        following, memory = scorer.begin(rows * beam, logits.device)
        beams.following = lm_weight * following.view(rows, beam, size)
    beams.following = beams.following + length_bonus
    # After its own frames a line says nothing but blanks, for certain.
    silent = log_probs.new_full((size + 1,), -torch.inf)
    silent[size] = 0
    for frame in range(length):
        says = log_probs[:, frame].where((frame < frames)[:, None], silent)
        beams, origin, added = advance(beams, says)
        if scorer:
            places = (torch.arange(rows, device=origin.device)[:, None] * beam + origin).flatten()
            memory = scorer.pick(memory, places)
            new = added.flatten().nonzero()[:, 0]
            if len(new):
                ends = beams.ends.flatten()[new]
                found, memory = scorer.extend(memory, new, ends)
                beams.following.view(-1, size)[new] = lm_weight * found + length_bonus
    scores = torch.logaddexp(beams.blank, beams.last) + beams.bonus
    longest = int(beams.lengths[:, 0].max())
    return beams.numbers[:, 0, :longest], scores[:, 0]


def first_beams(log_probs: Tensor, beam: int) -> Beams:
    """The empty text, and nothing beside it."""
    rows, length, size = log_probs.shape
    blank = log_probs.new_full((rows, beam), -torch.inf)
    last = blank.clone()
    blank[:, 0] = 0
    whole = torch.zeros(rows, beam, dtype=torch.long, device=log_probs.device)
    return Beams(
        blank=blank,
        last=last,
        codes=whole + 1,
        parents=whole.clone(),
        lengths=whole.clone(),
        numbers=whole.new_full((rows, beam, length), -1),
        bonus=torch.zeros_like(blank),
        following=log_probs.new_zeros(rows, beam, size - 1),
    )


def advance(beams: Beams, says: Tensor) -> tuple[Beams, Tensor, Tensor]:
    """The beams after one frame, whose log probabilities are (B, V + 1).

    Also which beam (B, K) each came from, and whether (B, K) it has a character more.
    """
    return best(beams, *spread(beams, says))


def spread(beams: Beams, says: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log probabilities of what one frame makes of each text.

    It stays and its paths end with the blank (B, K), or with its last character (B, K); or it has a character
    more (B, K, V), -inf where that is a text that is kept already, whose paths get those instead.
    """
    beam, size = beams.blank.shape[1], says.shape[1] - 1
    nothing = says.new_tensor(-torch.inf)
    ends, total = beams.ends, torch.logaddexp(beams.blank, beams.last)
    longer = total[:, :, None] + says[:, None, :size]
    # A character again is a new one only after a blank.
    again = torch.where(beams.lengths > 0, beams.blank, total) + says.gather(1, ends)
    longer = longer.scatter(2, ends[:, :, None], again[:, :, None])
    alive = total > nothing
    same = (beams.codes[:, :, None] == beams.parents[:, None]) & alive[:, :, None] & alive[:, None]
    targets = ends[:, None].expand(-1, beam, -1)
    joins = longer.gather(2, targets).where(same, nothing).amax(1)
    last = torch.logaddexp(beams.last + says.gather(1, ends), joins)
    gone = torch.where(same, nothing, -nothing)
    return total + says[:, size:], last, longer.scatter_reduce(2, targets, gone, "amin")


def best(beams: Beams, blank: Tensor, last: Tensor, longer: Tensor) -> tuple[Beams, Tensor, Tensor]:
    """The best of what `spread` gives, origins and whether a character was added as `advance` says."""
    beam, size = longer.shape[1:]
    stays = torch.logaddexp(blank, last) + beams.bonus
    grows = longer + beams.bonus[:, :, None] + beams.following
    chosen = torch.cat([stays, grows.flatten(1)], 1).topk(beam, dim=1)[1]
    added, grown = chosen >= beam, (chosen - beam).clamp(min=0)
    origin, character = torch.where(added, grown // size, chosen), grown % size

    def of_origin(values: Tensor) -> Tensor:
        shape = (-1, -1, *values.shape[2:])
        return values.gather(1, origin.view(*origin.shape, *(1 for _ in shape[2:])).expand(shape))

    codes, lengths, numbers = map(of_origin, (beams.codes, beams.lengths, beams.numbers))
    # Where nothing is added, what is at the first place is written there again.
    place = torch.where(added, lengths, 0)[:, :, None]
    written = torch.where(added[:, :, None], character[:, :, None], numbers.gather(2, place))
    following = of_origin(beams.following)
    gain = following.gather(2, character[:, :, None])[:, :, 0]
    kept = Beams(
        blank=of_origin(blank).masked_fill(added, -torch.inf),
        last=torch.where(added, longer.flatten(1).gather(1, grown), of_origin(last)),
        codes=torch.where(added, codes * FACTOR + character + 1, codes),
        parents=torch.where(added, codes, of_origin(beams.parents)),
        lengths=lengths + added,
        numbers=numbers.scatter(2, place, written),
        bonus=of_origin(beams.bonus) + gain * added,
        following=following,
    )
    return kept, origin, added
