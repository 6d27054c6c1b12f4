"""The roofline of a made-up processor, with products of some sizes on it, and the traffic of tiles."""

from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

PEAK, BANDWIDTH = 20e12, 1e12


def draw(impl: ModuleType) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    intensities = np.geomspace(0.1, 1000, 200)
    roof = [impl.roofline(PEAK, BANDWIDTH, one) / 1e12 for one in intensities]
    left.loglog(intensities, roof, color="black", linewidth=1)
    left.axvline(impl.ridge_point(PEAK, BANDWIDTH), color="grey", linestyle=":", linewidth=1)
    shapes = (
        ("1 row x 4096²", (1, 4096, 4096), "o", "tab:orange"),
        ("8 rows x 4096²", (8, 4096, 4096), "^", "tab:green"),
        ("64² x 64²", (64, 64, 64), "D", "tab:purple"),
        ("1024² x 1024²", (1024, 1024, 1024), "s", "tab:blue"),
    )
    for name, shape, marker, colour in shapes:
        at = impl.arithmetic_intensity(*shape)
        rate = impl.roofline(PEAK, BANDWIDTH, at) / 1e12
        left.loglog([at], [rate], marker, color=colour, label=name)
    left.set(xlabel="operations per byte", ylabel="10¹² operations per second at most")
    left.set_title("20 Tflop/s and 1 TB/s", fontsize=10)
    left.legend(fontsize=8, loc="lower right")
    tiles = 2 ** np.arange(11)
    for n, style in ((1024, "o-"), (256, "s--")):
        reads = [impl.traffic(n, n, n, int(tile)) / n**2 for tile in tiles]
        right.loglog(tiles, reads, style, markersize=4, label=f"n = {n}")
    right.axhline(2, color="grey", linestyle=":", linewidth=1)
    right.set(xlabel="tile", ylabel="numbers read / n²")
    right.set_title("traffic of an n x n product", fontsize=10)
    right.legend(fontsize=8)
    return figure
