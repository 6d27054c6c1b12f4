"""Random numbers by number: a function of (seed, index, place) alone, for a whole batch at once.

A generator with a state would have to be made anew for every sample, since any process may ask for any
samples in any order. Here a number is the hash of its place (splitmix64: Steele, Lea, Flood 2014).
"""
# from week 3

from collections.abc import Sequence

import numpy as np

from lab.seeding import mixed_seed

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hashed(numbers: np.ndarray) -> np.ndarray:
    """The finishing function of splitmix64 on uint64 numbers: every bit depends on every bit."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def uniform(seed: int, indices: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Numbers (B, count) in [0, 1), float64, for samples `indices` (B,).

    The first numbers of a sample are the same whatever the count. Uses of one seed that shall be
    independent of each other mix a number of their own into it (`lab.seeding.mixed_seed`).
    """
    rows = np.asarray(indices, dtype=np.uint64)[:, None]
    start = hashed(rows * GOLDEN + np.uint64(mixed_seed(seed)))
    places = np.arange(1, count + 1, dtype=np.uint64)
    return (hashed(start + places * GOLDEN) >> np.uint64(11)) * 2.0**-53
