"""What a matrix product costs: operations, memory traffic, tiles, and how to time it honestly.

Sizes: A is (m, k), B is (k, n), their product (m, n). A multiplication and an addition count one each.

Run: python task.py, to time products on this machine once everything is written; --device cuda for a GPU.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def matmul_flops(m: int, k: int, n: int) -> int:
    """Multiplications and additions of (m, k) times (k, n), with one addition for each multiplication."""
    # >>> solution: return the number of operations, an int
    return 2 * m * k * n
    # <<< solution


def arithmetic_intensity(m: int, k: int, n: int, *, dtype_bytes: int = 4) -> float:
    """Operations per byte, if A and B are read once and the product is written once."""
    # >>> solution: return operations divided by bytes, a float
    return matmul_flops(m, k, n) / (dtype_bytes * (m * k + k * n + m * n))
    # <<< solution


def ridge_point(peak_flops: float, bandwidth: float) -> float:
    """The operations per byte from which on arithmetic is the limit, not the memory.

    Args:
        peak_flops: operations per second that the processor can do at most.
        bandwidth: bytes per second that the memory can move at most.
    """
    # >>> solution: return the intensity at which both limits meet, a float
    return peak_flops / bandwidth
    # <<< solution


def roofline(peak_flops: float, bandwidth: float, intensity: float) -> float:
    """The operations per second that are possible at a given number of operations per byte."""
    # >>> solution: return the lower one of the two limits, a float
    return min(peak_flops, bandwidth * intensity)
    # <<< solution


def tiled_matmul(A: np.ndarray, B: np.ndarray, tile: int) -> np.ndarray:
    """A times B, block by block, as a processor with a small fast memory does it.

    A and B lie in slow memory and are only read by slices, A[i:j, k:l], of at most `tile` rows and columns;
    tests count the numbers in them. A block of the product stays in fast memory until it is complete. So
    `traffic` numbers are read in all. Multiplications are m * k * n: blocks at the border are smaller, not
    filled up. The product has the dtype of A.
    """
    # >>> solution: return the product, (m, n), of blocks of at most tile x tile
    (m, k), n = A.shape, B.shape[1]
    C = np.zeros((m, n), dtype=A.dtype)
    for i in range(0, m, tile):
        for j in range(0, n, tile):
            for p in range(0, k, tile):
                left = A[i : i + tile, p : p + tile]
                C[i : i + tile, j : j + tile] += left @ B[p : p + tile, j : j + tile]
    return C
    # <<< solution


def traffic(m: int, k: int, n: int, tile: int) -> int:
    """How many numbers `tiled_matmul` reads from A and B in all."""
    # >>> solution: return how many numbers are read, an int, for sizes that need not be multiples of tile
    return m * k * -(-n // tile) + k * n * -(-m // tile)
    # <<< solution


def mlp_flops(batch: int, widths: Sequence[int]) -> tuple[int, int]:
    """Operations of the matrix products of an MLP with layers of these widths: forward and backward.

    The forward pass has one product per layer. The backward pass has one for the gradient of each matrix of
    weights and one for the gradient of each layer's input, but for the first layer's: that is the data.
    """
    # >>> solution: return the operations of the forward and of the backward pass, two ints
    layers = [matmul_flops(batch, a, b) for a, b in zip(widths, widths[1:], strict=False)]
    return sum(layers), 2 * sum(layers) - layers[0]
    # <<< solution


def benchmark(
    fn: Callable[[], Any],
    *,
    sync: Callable[[], Any] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
    warmup: int = 2,
    repeats: int = 5,
) -> float:
    """The median of the seconds that `fn` takes, on a device that may work on after `fn` has returned.

    The first `warmup` calls are not timed. Then come `repeats` that are, each from an idle device until its
    own work is done.

    Args:
        sync: waits until the device has done all work that it was given.
        clock: the time in seconds.
    """
    # >>> solution: return the median of the measured seconds, a float
    for _ in range(warmup):
        fn()
    spans = []
    for _ in range(repeats):
        sync()
        started = clock()
        fn()
        sync()
        spans.append(clock() - started)
    return float(np.median(spans))
    # <<< solution


def main() -> None:
    import argparse

    import torch

    parser = argparse.ArgumentParser(description="Time square matrix products.")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    device = parser.parse_args().device
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device here")
    sync = torch.cuda.synchronize if device == "cuda" else lambda: None
    print("      n    flop/byte     launch us       done us     Gflop/s")
    for n in (64, 256, 1024, 4096)[: 4 if device == "cuda" else 3]:
        A, B = torch.randn(2, n, n, device=device)
        launched = benchmark(lambda A=A, B=B: A @ B)
        seconds = benchmark(lambda A=A, B=B: A @ B, sync=sync)
        rate = matmul_flops(n, n, n) / seconds / 1e9
        numbers = (arithmetic_intensity(n, n, n), launched * 1e6, seconds * 1e6, rate)
        print(f"{n:7d}", *(f"{number:12.1f}" for number in numbers))


if __name__ == "__main__":
    main()
