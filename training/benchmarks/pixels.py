"""A masked MLP on binarised MNIST by the script / a plain loop; drawing with what steps keep / whole passes.

The script also logs and keeps checkpoints; the plain loop has the same net, optimizer and batch size, draws
its images black and white anew, and validates. Timed is an epoch in which the script draws no samples.
"""

import copy
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import SLOW, Clock, alternate, compare, last_epoch
from lab.data.mnist import MNIST
from lab.models.drawing import draw_pixels
from lab.nets.pixel_cnn import PixelCNN
from lab.nets.pixel_transformer import PixelTransformer  # from week 4

BATCH, TRAIN, VAL = 128, 200, 10
OPTIONS = ["--data=MNIST", "--data.levels=2", "--data.binarise=sampled", "--model=NextPixel"]
OPTIONS += ["--model.net=MADE", f"--data.batch_size={BATCH}", "--trainer.accelerator=cpu"]
OPTIONS += [f"--trainer.limit_train_batches={TRAIN}", f"--trainer.limit_val_batches={VAL}"]
EPOCHS, SIDE, COUNT = 3, 16, 8
NETS: list[Any] = [
    PixelTransformer,  # from week 4
    PixelCNN,
]


def by_hand(net: nn.Module, optimizer: Any, train: Tensor, val: Tensor) -> float:
    """Train once through grey images in [0, 1]; then the mean loss on others."""

    def loss(grey: Tensor) -> Tensor:
        white = torch.rand_like(grey) < grey
        return F.cross_entropy(net(white.float()), white.long())

    net.train()
    for rows in torch.randperm(len(train)).split(BATCH):
        optimizer.zero_grad()
        loss(train[rows]).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        return sum(loss(part).item() * len(part) for part in val.split(BATCH)) / len(val)


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


class WholePasses(nn.Module):
    """A net without steps: for each pixel it computes all logits."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


def rows(repeats: int) -> Iterator[dict]:
    """Training in images for each CPU second, then drawing in CPU seconds."""
    data = MNIST()
    data.setup("fit")
    train, val = (
        part.tensors[0][: batches * BATCH].float() / 255
        for part, batches in ((data.train_set, TRAIN), (data.val_set, VAL))
    )

    def theirs() -> float:
        os.environ.pop(SLOW, None)
        net, optimizer = copy.deepcopy(Clock.start)
        by_hand(net, optimizer, train, val)
        return seconds(partial(by_hand, net, optimizer, train, val))

    spent = alternate(repeats, partial(last_epoch, time.process_time, EPOCHS, *OPTIONS), theirs)
    speeds = [[len(train) / span for span in side] for side in spent]
    yield compare("pixels: training / plain loop", "images / CPU s", *speeds)

    images = torch.zeros(COUNT, 1, SIDE, SIDE)
    for kind in NETS:
        net = kind((1, SIDE, SIDE), 2).eval()

        def draw(net: nn.Module) -> float:
            return seconds(partial(draw_pixels, net, images, levels=2))

        pair = alternate(repeats, partial(draw, net), partial(draw, WholePasses(net)))
        yield compare(f"pixels: {kind.__name__} draws {SIDE}x{SIDE} / whole", "CPU s", *pair)
