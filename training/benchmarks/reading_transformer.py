"""Reading images token by token with a cache, the lab's `transcribe` / reading all tokens anew at each step.

The other side encodes the images once, then runs the decoder over all tokens so far for the whole batch until
the greatest length, as the lab of the Full Stack Deep Learning course does. Both find the same tokens. The
net has that lab's sizes and is not trained; its texts never end, so that no image leaves the batch.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import alternate, compare
from lab.nets.resnet_transformer import ResNetTransformer
from lab.transcribing import transcribe

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


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def rows(repeats: int) -> Iterator[dict]:
    """CPU seconds for the texts of a few images, of each length."""
    for length, (count, height, width) in CASES.items():
        torch.manual_seed(0)
        shape = (1, height, width)
        net = ResNetTransformer(shape, TOKENS + 1, depth=4, width=128, heads=4).eval()
        images = torch.rand(count, *shape)
        sides = [partial(read, net, images, length) for read in (cached, anew)]
        assert torch.equal(*(side() for side in sides))
        times = alternate(repeats, *(partial(seconds, side) for side in sides))
        yield compare(f"reading: {length} tokens of {count} images / anew", "CPU s", *times)
