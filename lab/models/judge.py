"""A small classifier, trained on the real training data, that judges what a generator makes.

Its features compare two sets of images (Heusel et al. 2017, with features of the data at hand instead of
those of ImageNet), its classes say whether samples look like one of them (Salimans et al. 2016). It has
learned real images alone and may be sure of things that are none: read its verdict beside the one on
Gaussian noise.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.models.pixels import Pixels, Unbounded
from lab.models.sample_quality import PointQuality, frechet_distance, verdict

FEATURES = 64


class Judge(nn.Module):
    """Two convolutions and two layers; the same weights in every run, whatever its seed.

    Shapes: images (B, C, H, W) as shares of white -> features (B, 64), class probabilities (B, K).

    Args:
        num_classes: K.
        steps: training steps, of a few dozen images each.
    """

    trained: Tensor

    def __init__(self, input_shape: Sequence[int], num_classes: int, *, steps: int = 600) -> None:
        super().__init__()
        self.steps = steps
        channels, height, width = input_shape
        # Half the sides are enough to tell classes apart, at a quarter of the time.
        self.shrink = 2 if min(height, width) >= 16 else 1
        flat = 64 * -(-height // self.shrink // 2) * -(-width // self.shrink // 2)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.body = nn.Sequential(
                nn.Conv2d(channels, 32, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(32, 64, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(flat, FEATURES),
                nn.ReLU(),
            )
            self.head = nn.Linear(FEATURES, num_classes)
        self.register_buffer("trained", torch.tensor(False))
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(F.avg_pool2d(images, self.shrink))
        return features, self.head(features).softmax(-1)

    def fit(self, images: Tensor, labels: Tensor) -> None:
        """Learn the classes of images (N, C, H, W); draws from a stream of its own."""
        self.requires_grad_(True)
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        generator = torch.Generator().manual_seed(0)
        small = F.avg_pool2d(images, self.shrink)
        for _ in range(self.steps):
            rows = torch.randint(len(small), (64,), generator=generator).to(small.device)
            loss = F.cross_entropy(self.head(self.body(small[rows])), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        self.requires_grad_(False)
        self.zero_grad()
        self.trained.fill_(True)


class ImageQuality(nn.Module):
    """Metrics of images: distance from the data in features of a judge, and the judge's verdict.

    Data without labels have no judge: their features are pixels, averaged over 8x8 fields.
    """

    def __init__(self, input_shape: Sequence[int], num_classes: int | None) -> None:
        super().__init__()
        self.judge = None if num_classes is None else Judge(input_shape, num_classes)

    def prepare(self, data: Any, scale: Pixels | Unbounded) -> None:
        """Let the judge learn the training data, once in the life of a model and its checkpoints."""
        if self.judge is None or self.judge.trained:
            return
        device = self.judge.trained.device
        # Also within a test, which otherwise takes no gradients.
        with torch.inference_mode(False), torch.enable_grad():
            images = unit_samples(data, data.train_set, scale).to(device)
            self.judge.fit(images, data.train_set.tensors[1].to(device))

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, F)."""
        if self.judge is None:
            return F.adaptive_avg_pool2d(images, 8).flatten(1)
        return self.judge(images)[0]

    def scores(self, images: Tensor, data_features: Tensor) -> dict[str, float]:
        """All metrics of images (N, C, H, W) beside the features of the data (M, F)."""
        found = {"distance": frechet_distance(self.features(images), data_features)}
        return found if self.judge is None else found | verdict(self.judge(images)[1])


def quality_of(
    input_shape: Sequence[int], num_classes: int | None, *, images: bool
) -> ImageQuality | PointQuality:
    """The metrics that suit the data."""
    return ImageQuality(input_shape, num_classes) if images else PointQuality()


def unit_samples(data: Any, samples: Any, scale: Pixels | Unbounded) -> Tensor:
    """All samples of one set of a data module as shares of white, or points."""
    tensors = samples.tensors
    if data.batch_transform is not None:
        tensors = data.batch_transform(tensors)
    return scale.to_unit(tensors[0])


def baseline_samples(
    train: Tensor, other: Tensor, count: int, *, bounded: bool
) -> dict[str, Tensor]:
    """Samples that need no training: other data, and Gaussian noise with the moments of the training data."""
    generator = torch.Generator().manual_seed(0)
    flat = train.flatten(1).double()
    values, vectors = torch.linalg.eigh(torch.cov(flat.T))
    noise = torch.randn(count, flat.shape[1], generator=generator, dtype=flat.dtype)
    drawn = flat.mean(0) + noise * values.clamp(min=0).sqrt() @ vectors.T
    gaussian = drawn.to(train).view(-1, *train.shape[1:])
    chosen = torch.randperm(len(other), generator=generator)[:count]
    return {"real data": other[chosen], "gaussian": gaussian.clamp(0, 1) if bounded else gaussian}
