"""Training samples as the net gets them / torchvision's MNIST, sample by sample through PIL."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from torch.utils.data import DataLoader

from benchmarks.measuring import alternate, compare
from lab.data.mnist import MNIST

BATCH = 128


def speed(batches: Iterable, *transforms: Callable[[Any], Any]) -> float:
    """Samples per CPU second."""
    started, count = time.process_time(), 0
    for batch in batches:
        for transform in transforms:
            batch = transform(batch)
        count += len(batch[1])
    return count / (time.process_time() - started)


def rows(repeats: int) -> Iterator[dict]:
    """Our batches with their transforms, and a default DataLoader over images through PIL."""
    from torchvision import datasets, transforms

    # torchvision's own class, over images that are read already.
    images: Any = datasets.MNIST.__new__(datasets.MNIST)
    tail = [transforms.ToTensor(), transforms.Normalize(0.1307, 0.3081)]
    move = transforms.RandomAffine(10, translate=(0.07, 0.07), scale=(0.9, 1.1))
    for name, chain in (("loader", tail), ("augmented loader", [move, *tail])):
        data = MNIST(batch_size=BATCH, augment=chain is not tail)
        data.setup("fit")
        images.data, images.targets = (t[:10_000].squeeze() for t in data.train_set.tensors)
        images.transform, images.target_transform = transforms.Compose(chain), None
        own = filter(None, (data.batch_transform, data.train_transform))
        ours = partial(speed, data.train_dataloader(), *own)
        theirs = partial(speed, DataLoader(images, BATCH, shuffle=True))
        yield compare(f"{name} / PIL", "samples / CPU s", *alternate(repeats, ours, theirs))
