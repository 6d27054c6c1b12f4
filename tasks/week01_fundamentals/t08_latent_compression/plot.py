"""Test digits on the plane of two principal components, and in the code of a deep autoencoder."""

from types import ModuleType

import torch
from matplotlib import colormaps
from matplotlib.figure import Figure


def draw(impl: ModuleType) -> Figure:
    torch.manual_seed(0)
    train, test, labels = impl.images()
    mean, directions = impl.pca(train, 2)
    flat = impl.encode(test, mean, directions)
    plane = impl.squared_error(impl.decode(flat, mean, directions), test).item()
    net = impl.mlp_autoencoder(64, 2)
    impl.fit_batches(net, train.float())
    with torch.no_grad():
        bent = net.encoder(test.float())
        deep = impl.squared_error(net(test.float()), test.float()).item()

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    titles = (f"principal components: error {plane:.4f}", f"deep autoencoder: error {deep:.4f}")
    for axes, codes, title in zip(panels, (flat, bent), titles, strict=True):
        for digit in range(10):
            of = codes[labels == digit].numpy()
            colour = colormaps["tab20"](2 * digit % 20)
            axes.scatter(of[:, 0], of[:, 1], s=14, color=colour, marker=f"${digit}$", label=digit)
        axes.set_title(title, fontsize=9)
        axes.set(xlabel="first latent", ylabel="second latent")
    return figure
