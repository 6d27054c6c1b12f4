"""Writing down images with an encoder-decoder net: greedily or by beam search, each token read once.

Letters: B images, L tokens of the longest text, V tokens that there are, K beginnings of a beam.
A text ends with token number V, or at the greatest length. Images whose text has ended leave the batch, so
that the others go on alone.
"""
# from week 3

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

# Log probabilities (n, V + 1) of what follows tokens (n, 1).
Step = Callable[[Tensor], Tensor]


class Writer(Protocol):
    """An encoder-decoder net, whose decoder has `start` and `step`."""

    decoder: Any

    def encode(self, images: Tensor, sizes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """A memory (B, N, M) of images, and where it is not padding, (B, N)."""


class Transcripts(NamedTuple):
    """Texts of images, with the probability of each token given those before it.

    Attributes:
        tokens: (B, L), V where a text has ended.
        probabilities: (B, L), 1 where a text has ended.
    """

    tokens: Tensor
    probabilities: Tensor


@torch.no_grad()
def transcribe(
    net: Writer,
    images: Tensor,
    sizes: Tensor | None = None,
    *,
    end: int,
    length: int,
    beam: int = 1,
    never: Sequence[int] = (),
) -> Transcripts:
    """What images (B, C, H, W) say: always the likeliest token, or the likeliest text of a beam search.

    Args:
        end: V.
        length: the most tokens of a text.
        beam: K, how many beginnings are followed at once.
        never: tokens that no text may have.
    """
    memory, mask = net.encode(images, sizes)
    cache = net.decoder.start(memory, mask, length)
    hidden = torch.tensor(never, dtype=torch.long, device=memory.device)

    def step(tokens: Tensor) -> Tensor:
        logits = net.decoder.step(tokens, cache).float()
        return logits.index_fill(1, hidden, -torch.inf).log_softmax(-1)

    found = _Found(len(images), length, end, memory.device)
    if beam == 1:
        greedy(step, cache, found)
    else:
        beam_search(step, cache, found, beam)
    longest = int((found.tokens != end).sum(1).max()) if len(images) else 0
    probabilities = found.terms.exp().where(found.tokens != end, 1)
    return Transcripts(found.tokens[:, :longest], probabilities[:, :longest])


class _Found:
    """The best text of each of B images so far: tokens and log probabilities (B, length), scores (B,)."""

    def __init__(self, count: int, length: int, end: int, device: torch.device) -> None:
        self.length, self.end = length, end
        self.rows = torch.arange(count, device=device)
        self.tokens = torch.full((count, length), end, device=device)
        self.terms = torch.zeros(count, length, device=device)
        self.best = torch.full((count,), -torch.inf, device=device)

    def offer(self, rows: Tensor, scores: Tensor, texts: Tensor, terms: Tensor) -> None:
        """Take texts (n, K, l) of images `rows`, (n,), where their scores, (n, k <= K), are better."""
        score, which = scores.max(1, keepdim=True)
        better = score[:, 0] > self.best[rows]
        at = rows[better]
        self.best[at] = score[better, 0]
        for kept, offered, rest in ((self.tokens, texts, self.end), (self.terms, terms, 0)):
            kept[at] = rest
            kept[at, : offered.shape[2]] = along(offered, which)[better, 0]


def greedy(step: Step, cache: Any, found: _Found) -> None:
    """Always the likeliest token."""
    rows, end = found.rows, found.end
    last = rows.new_full((len(rows), 1), end)
    for place in range(found.length):
        term, last = step(last).max(-1, keepdim=True)
        going = last[:, 0] != end
        if not going.all():
            rows, term, last = rows[going], term[going], last[going]
            if len(rows) == 0:
                break
            cache.keep(going.nonzero()[:, 0])
        found.tokens[rows, place], found.terms[rows, place] = last[:, 0], term[:, 0]


def beam_search(step: Step, cache: Any, found: _Found, beam: int) -> None:
    """The likeliest text found by following the K likeliest beginnings of each image.

    A text ends where its end is among the K likeliest ways to go on. An image is done when none of its
    beginnings is likelier than its best text, since going on makes nothing likelier. The score of a text
    is its log probability, whatever its length.
    """
    rows = found.rows
    # Beginnings of the n images that go on, (n, K, place), and the log probabilities of their tokens.
    texts, terms = (
        found.tokens.new_empty(len(rows), beam, 0),
        found.terms.new_empty(len(rows), beam, 0),
    )
    # At first there is but one.
    scores = found.best[:, None].repeat(1, beam)
    scores[:, 0] = 0
    cache.keep(rows.repeat_interleave(beam))
    last = rows.new_full((len(rows) * beam, 1), found.end)
    for place in range(found.length):
        steps = step(last).unflatten(0, (-1, beam))
        # Twice as many as are followed, since each may be an end.
        scores, ways = (scores[:, :, None] + steps).flatten(1).topk(2 * beam)
        source, new = ways // steps.shape[2], ways % steps.shape[2]
        texts = torch.cat([along(texts, source), new[..., None]], 2)
        terms = torch.cat([along(terms, source), steps.flatten(1).gather(1, ways)[..., None]], 2)
        ends = new == found.end
        found.offer(rows, scores[:, :beam].where(ends[:, :beam], -torch.inf), texts, terms)
        kept = ends.int().argsort(dim=1, stable=True)[:, :beam]
        scores, source = scores.gather(1, kept), source.gather(1, kept)
        texts, terms = along(texts, kept), along(terms, kept)
        if place == found.length - 1:
            found.offer(rows, scores, texts, terms)
        going = (scores[:, 0] > found.best[rows]).nonzero()[:, 0]
        if len(going) == 0:
            break
        source = source + beam * torch.arange(len(rows), device=rows.device)[:, None]
        if len(going) < len(rows):
            cache.keep(source[going].flatten())
            rows, scores, texts, terms = (x[going] for x in (rows, scores, texts, terms))
        else:
            cache.swap(source.flatten())
        last = texts[:, :, -1].reshape(-1, 1)


def along(beginnings: Tensor, numbers: Tensor) -> Tensor:
    """Of beginnings (n, K, place) those with the given numbers (n, k): (n, k, place)."""
    return beginnings.take_along_dim(numbers[:, :, None], 1)
