"""Data that several tasks use, from what is installed anyway; nothing is downloaded."""

import functools

import numpy as np

from lab.data.packaged import packaged

TRAIN = 1437


@functools.cache
def _table() -> np.ndarray:
    table = np.loadtxt(packaged("digits.csv.gz"), delimiter=",")
    # numpy's legacy generator keeps its stream over releases.
    return table[np.random.RandomState(0).permutation(len(table))]


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scikit-learn's 8x8 digits: images (n, 64) in [0, 1] and labels (n,), train (1437), then test (360).

    Source: UCI "Optical recognition of handwritten digits" (Alpaydin & Kaynak 1998), CC BY 4.0.
    """
    table = _table()
    images, labels = table[:, :64] / 16, table[:, 64].astype(np.int64)
    return (
        images[:TRAIN].copy(),
        labels[:TRAIN].copy(),
        images[TRAIN:].copy(),
        labels[TRAIN:].copy(),
    )
