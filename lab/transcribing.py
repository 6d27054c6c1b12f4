"""Writing down images with an encoder-decoder net: greedily or by beam search, each token read once.

Letters: B images, L tokens of the longest text, V tokens that there are, K beginnings of a beam.
A text ends with token number V, or at the greatest length. Images whose text has ended leave the batch, so
that the others go on alone.
"""

from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


class Writer(Protocol):
    """A net such as ResNetTransformer, whose decoder has the `start` and `step` of TextDecoder."""

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
) -> Transcripts:
    """What images (B, C, H, W) say: always the likeliest token, or the likeliest text of a beam search.

    Args:
        end: V.
        length: the most tokens of a text.
        beam: K, how many beginnings are followed at once.
    """
    memory, mask = net.encode(images, sizes)
    search = greedy if beam == 1 else partial(beam_search, beam=beam)
    tokens, probabilities = search(net.decoder, memory, mask, end=end, length=length)
    longest = int((tokens != end).sum(1).max()) if len(tokens) else 0
    return Transcripts(tokens[:, :longest], probabilities[:, :longest])


def greedy(
    decoder: Any, memory: Tensor, mask: Tensor | None, *, end: int, length: int
) -> Transcripts:
    """Always the likeliest token: (B, length)."""
    count, device = len(memory), memory.device
    tokens = torch.full((count, length), end, device=device)
    probabilities = torch.ones(count, length, device=device)
    rows, last = torch.arange(count, device=device), tokens.new_full((count, 1), end)
    cache = decoder.start(memory, mask, length)
    for place in range(length):
        logits = decoder.step(last, cache)
        best, last = logits.float().softmax(-1).max(-1, keepdim=True)
        going = last[:, 0] != end
        if not going.all():
            rows, best, last = rows[going], best[going], last[going]
            if len(rows) == 0:
                break
            cache.keep(going.nonzero()[:, 0])
        tokens[rows, place], probabilities[rows, place] = last[:, 0], best[:, 0]
    return Transcripts(tokens, probabilities)


def beam_search(
    decoder: Any, memory: Tensor, mask: Tensor | None, *, end: int, length: int, beam: int
) -> Transcripts:
    """The likeliest text found by following the K likeliest beginnings of each image: (B, length).

    A text ends where its end is among the K likeliest ways to go on. An image is done when none of its
    beginnings is likelier than its best text, since going on makes nothing likelier. The score of a text
    is its log probability, whatever its length.
    """
    found = _Found(len(memory), length, end, memory.device)
    rows = torch.arange(len(memory), device=memory.device)
    # Beginnings of the n images that go on, (n, K, place), and the log probabilities of their tokens.
    texts = found.tokens.new_empty(len(rows), beam, 0)
    terms = found.terms.new_empty(len(rows), beam, 0)
    # At first there is but one.
    scores = found.best[:, None].repeat(1, beam)
    scores[:, 0] = 0
    cache = decoder.start(memory, mask, length)
    cache.keep(rows.repeat_interleave(beam))
    last = rows.new_full((len(rows) * beam, 1), end)
    for place in range(length):
        steps = decoder.step(last, cache).float().log_softmax(-1).unflatten(0, (-1, beam))
        # Twice as many as are followed, since each may be an end.
        scores, ways = (scores[:, :, None] + steps).flatten(1).topk(2 * beam)
        source, new = ways // steps.shape[2], ways % steps.shape[2]
        texts = torch.cat([along(texts, source), new[..., None]], 2)
        terms = torch.cat([along(terms, source), steps.flatten(1).gather(1, ways)[..., None]], 2)
        ends = new == end
        found.offer(rows, scores[:, :beam].where(ends[:, :beam], -torch.inf), texts, terms)
        kept = ends.int().argsort(dim=1, stable=True)[:, :beam]
        scores, source = scores.gather(1, kept), source.gather(1, kept)
        texts, terms = along(texts, kept), along(terms, kept)
        if place == length - 1:
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
    return Transcripts(found.tokens, found.terms.exp().where(found.tokens != end, 1))


def along(beginnings: Tensor, numbers: Tensor) -> Tensor:
    """Of beginnings (n, K, place) those with the given numbers (n, k): (n, k, place)."""
    return beginnings.take_along_dim(numbers[:, :, None], 1)


class _Found:
    """The best text of each of B images so far: tokens and log probabilities (B, length), scores (B,)."""

    def __init__(self, count: int, length: int, end: int, device: torch.device) -> None:
        self.end = end
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
