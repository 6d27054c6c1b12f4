"""Hidden tests of w01.t20: torch's own counts, other sizes."""

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tasks.labs import checking


def test_passes_as_torch_counts_them(impl):
    """Forward and backward of MLPs, against the operations that torch sees."""
    for batch, widths in [(8, [5, 6, 7, 3]), (1, [4, 4]), (16, [64, 10, 10, 10, 2])]:
        got = impl.mlp_flops(batch, widths)
        layers = [nn.Linear(a, b, bias=False) for a, b in zip(widths, widths[1:], strict=False)]
        counts = []
        with FlopCounterMode(display=False) as counter:
            out = nn.Sequential(*layers)(torch.randn(batch, widths[0]))
            counts.append(counter.get_total_flops())
            out.sum().backward()
            counts.append(counter.get_total_flops() - counts[0])
        checking.equal(
            list(got),
            counts,
            concept="backward-is-two-products",
            why="Torch counts the same products.",
        )


def test_backward_is_about_twice_the_forward(impl):
    """With many equal layers the ratio nears 2."""
    forward, backward = impl.mlp_flops(32, [100] * 51)
    checking.close(
        backward / forward, 1.98, concept="backward-is-two-products", why="99 products against 50."
    )


def test_traffic_shrinks_in_proportion(impl):
    """Sizes that no tile fits, by adding up the blocks one by one."""
    m, k, n = 23, 17, 31
    for tile in (1, 4, 10, 16, 31, 40):
        want = 0
        for i in range(0, m, tile):
            for j in range(0, n, tile):
                want += k * (min(tile, m - i) + min(tile, n - j))
        checking.equal(
            impl.traffic(m, k, n, tile),
            want,
            concept="traffic",
            why="Blocks at the border are smaller.",
        )


def test_whole_numbers_and_complex_ones(impl, rng):
    """The product keeps other dtypes too, and views that are not contiguous."""
    A = rng.integers(-5, 5, size=(7, 6)).T[::-1]
    B = rng.integers(-5, 5, size=(14, 4))[::2]
    got = impl.tiled_matmul(A, B, 4)
    checking.equal(got, A @ B, concept="sum-over-blocks", why="Exact for whole numbers.")
    checking.alike(got, A @ B, concept="dtype", why="int64 times int64 is int64.")
    Z = A + 1j * A
    checking.close(
        impl.tiled_matmul(Z, B.astype(complex), 5),
        Z @ B,
        concept="sum-over-blocks",
        why="Nothing is special about real numbers.",
    )


def test_intensity_meets_the_roof(impl):
    """At 312 Tflop/s and 2 TB/s in half precision, squares are limited by memory up to n = 468."""
    peak, bandwidth = 312e12, 2e12
    ridge = impl.ridge_point(peak, bandwidth)
    for n, limited in [(464, True), (472, False)]:
        intensity = impl.arithmetic_intensity(n, n, n, dtype_bytes=2)
        rate = impl.roofline(peak, bandwidth, intensity)
        checking.that(
            (intensity < ridge) == limited and (rate < peak) == limited,
            concept="ridge-point",
            why="n/3 operations per byte reach 156 at n = 468.",
            expected=f"limited by memory: {limited}",
            got=f"{rate:.4g} at {intensity:.4g} operations per byte",
        )


def test_every_call_is_measured_alone(impl, rng):
    """Random spans of work, an odd number of them: 1 second of launch and the middle one."""

    class Clock:
        now = idle = 0.0
        spans = list(rng.uniform(1, 50, size=12))

        def launch(self):
            self.now += 1.0
            self.idle = max(self.idle, self.now) + self.spans.pop(0)

        def sync(self):
            self.now = max(self.now, self.idle)

    device = Clock()
    middle = float(np.median(device.spans[3:]))
    got = impl.benchmark(
        device.launch, sync=device.sync, clock=lambda: device.now, warmup=3, repeats=9
    )
    checking.close(
        got, 1 + middle, concept="median", why="One span for each call, then the median."
    )
