"""Compression of images to a latent vector: by principal components, a linear and a deep autoencoder.

X is (n, d), one image a row; a code is (n, k), with k below d.
"""

import torch
from torch import Tensor, nn

from tasks.labs.data import digits


def squared_error(X: Tensor, Y: Tensor) -> Tensor:
    """The mean over all n * d entries of the squared difference, a scalar that gradients flow through."""
    # >>> solution: return the mean squared difference of X and Y, a scalar tensor
    return (X - Y).square().mean()
    # <<< solution


def pca(X: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The mean image (d,) and the k directions (k, d) in which X varies most.

    Directions are orthonormal rows, that of the greatest variance first; their signs are free.
    """
    # >>> solution: return the mean (d,) and the first k principal directions (k, d)
    mean = X.mean(0)
    _, _, directions = torch.linalg.svd(X - mean, full_matrices=False)
    return mean, directions[:k]
    # <<< solution


def encode(X: Tensor, mean: Tensor, directions: Tensor) -> Tensor:
    """The coordinates of images along the directions, seen from the mean: (n, d) -> (n, k)."""
    # >>> solution: return the codes of the images, shape (n, k)
    return (X - mean) @ directions.T
    # <<< solution


def decode(codes: Tensor, mean: Tensor, directions: Tensor) -> Tensor:
    """The images that have these coordinates: (n, k) -> (n, d)."""
    # >>> solution: return the images of the codes, shape (n, d)
    return codes @ directions + mean
    # <<< solution


def explained_variance(X: Tensor) -> Tensor:
    """The share of the variance of X that the first 1, 2, ..., d directions keep: (d,), for n > d."""
    # >>> solution: return the d growing shares, the last of them 1
    variances = torch.linalg.svdvals(X - X.mean(0)).square()
    return variances.cumsum(0) / variances.sum()
    # <<< solution


def subspace_cosine(A: Tensor, B: Tensor) -> float:
    """How well two k-dimensional subspaces agree: the cosine of the largest angle between them.

    Each is given by k independent rows (k, d), of any length and at any angle. For orthonormal bases Q, R of
    the two the cosines of all k angles are the singular values of Q R^T. Same subspace: 1.
    """
    # >>> solution: return the smallest of the k cosines, a float
    Q, R = torch.linalg.qr(A.T)[0], torch.linalg.qr(B.T)[0]
    return float(torch.linalg.svdvals(Q.T @ R)[-1])
    # <<< solution


class Autoencoder(nn.Module):
    """An encoder (n, d) -> (n, k) and a decoder (n, k) -> (n, d), one after the other."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, X: Tensor) -> Tensor:
        return self.decoder(self.encoder(X))


def linear_autoencoder(d: int, k: int) -> Autoencoder:
    """Encoder and decoder are one linear layer each, with biases."""
    # >>> solution: return an Autoencoder of two linear layers
    return Autoencoder(nn.Linear(d, k), nn.Linear(k, d))
    # <<< solution


def mlp_autoencoder(d: int, k: int, *, width: int = 128) -> Autoencoder:
    """The encoder has layers d -> width -> width // 2 -> k, the decoder k -> width // 2 -> width -> d.

    Hidden layers end in a ReLU, the code in none; the decoder ends in a sigmoid, since pixels are in [0, 1].
    """
    # >>> solution: return an Autoencoder of three linear layers on either side
    half = width // 2
    encoder = nn.Sequential(
        nn.Linear(d, width), nn.ReLU(), nn.Linear(width, half), nn.ReLU(), nn.Linear(half, k)
    )
    decoder = nn.Sequential(
        nn.Linear(k, half), nn.ReLU(), nn.Linear(half, width), nn.ReLU(), nn.Linear(width, d)
    )
    return Autoencoder(encoder, decoder.append(nn.Sigmoid()))
    # <<< solution


def images() -> tuple[Tensor, Tensor, Tensor]:
    """The digits in float64: train (1437, 64) and test (360, 64), and labels of the test part to look at."""
    train, _, test, labels = digits()
    return torch.tensor(train), torch.tensor(test), torch.tensor(labels)


def fit_all(net: nn.Module, X: Tensor, *, steps: int = 300) -> None:
    """L-BFGS on the squared error of all images: slow descent would not reach the minimum."""
    optimizer = torch.optim.LBFGS(
        net.parameters(),
        max_iter=steps,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = squared_error(net(X), X)
        loss.backward()
        return loss

    optimizer.step(closure)


def fit_batches(net: nn.Module, X: Tensor, *, steps: int = 1000, lr: float = 1e-2) -> None:
    """Adam on random batches of 128, with a learning rate that rises and falls."""
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        batch = X[torch.randint(len(X), (128,))]
        loss = squared_error(net(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
