"""Principal component analysis (Pearson 1901), exact: the best that a linear autoencoder can do."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from lab.models.pixels import Pixels, Unbounded


def chunks(samples: Any, data: Any, scale: Pixels | Unbounded) -> Iterator[Tensor]:
    """The inputs of a set of the data module, some at a time, in `scale`'s units: (N, D) of doubles.

    They are as the model sees them, but for augmentation.
    """
    for columns in zip(*(tensor.split(4096) for tensor in samples.tensors), strict=True):
        batch = data.batch_transform(columns) if data.batch_transform else columns
        yield scale.to_unit(batch[0]).flatten(1).double()


def mean_and_covariance(parts: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) of the rows of all parts (N, D)."""
    count, total, products = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        count += len(part)
        total = total + part.sum(0)
        products = products + part.T @ part
    mean = total / count
    return mean, products / count - mean.outer(mean)


def principal_axes(covariance: Tensor, components: int) -> Tensor:
    """The directions of largest variance as orthonormal rows (components, D), the largest first."""
    return torch.linalg.eigh(covariance).eigenvectors.T.flip(0)[:components]


def projection_error(parts: Iterable[Tensor], mean: Tensor, axes: Tensor) -> float:
    """Mean squared error per number of rows (N, D) which only their places along the axes describe."""
    error, count = 0.0, 0
    for part in parts:
        centred = part - mean
        error += (centred - centred @ axes.T @ axes).square().sum().item()
        count += part.numel()
    return error / count
