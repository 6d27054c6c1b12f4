"""Reading images token by token with a cache, the lab's `transcribe` / reading all tokens anew at each step.

The other side encodes the images once, then runs the decoder over all tokens so far for the whole batch until
the greatest length, as the lab of the Full Stack Deep Learning course does. Both find the same tokens. The
net is not trained, and its texts never end, so that no image leaves the batch.
"""
# from week 6

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import alternate, compare
from lab.nets.resnet_transformer import ResNetTransformer
from lab.transcribing import transcribe

Reader = Callable[[Any, Tensor, int], Tensor]

TOKENS = 84
# A page and a line: tokens of their texts, images at once, height and width.
CASES = {682: (4, 96, 128), 89: (16, 32, 256)}


@torch.no_grad()
def anew(net: Any, images: Tensor, length: int) -> Tensor:
    """The likeliest tokens (B, length), from the logits of all tokens so far at each step."""
    memory, mask = net.encode(images)
    tokens = torch.full((len(images), 1), TOKENS)
    for _ in range(length):
        logits = net.decoder(tokens, memory, mask)[:, -1, :TOKENS]
        tokens = torch.cat([tokens, logits.argmax(-1, keepdim=True)], 1)
    return tokens[:, 1:]


def cached(net: Any, images: Tensor, length: int) -> Tensor:
    """The same from what is kept."""
    return transcribe(net, images, end=TOKENS, length=length, never=(TOKENS,)).tokens


def timed(read: Reader, *given: Any) -> tuple[float, Tensor]:
    """CPU seconds of reading, and what was read."""
    started = time.process_time()
    tokens = read(*given)
    return time.process_time() - started, tokens


def rows(repeats: int) -> Iterator[dict]:
    """CPU seconds for the texts of a few images, of each length."""
    for length, (count, height, width) in CASES.items():
        torch.manual_seed(0)
        shape = (1, height, width)
        net = ResNetTransformer(shape, TOKENS + 1, width=128, heads=4).eval()
        given = (net, torch.rand(count, *shape), length)
        sides = alternate(repeats, *(partial(timed, read, *given) for read in (cached, anew)))
        ours, theirs = ([seconds for seconds, _ in side] for side in sides)
        assert torch.equal(sides[0][0][1], sides[1][0][1]), "they read the same"
        yield compare(f"reading: {length} tokens of {count} images / anew", "CPU s", ours, theirs)
