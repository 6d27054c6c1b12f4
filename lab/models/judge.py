"""A small classifier, trained on the real training data, that judges what a generator makes.

Its features compare two sets of images (Heusel et al. 2017, with features of the data at hand instead of
those of ImageNet), its classes say whether samples look like one of them (Salimans et al. 2016). It has
learned real images alone and may be sure of things that are none: read its verdict beside the one on
Gaussian noise.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
