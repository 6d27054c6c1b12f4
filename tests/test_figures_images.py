"""Sheets of images and animations."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from test_figures import assert_shows_something

from lab.figures.animation import pixels_of, save_animation
from lab.figures.base import save_figure
from lab.figures.images import image_grid, tiles


def trainer(*loggers: Any) -> Any:
    return SimpleNamespace(default_root_dir=".", loggers=list(loggers))


def test_tiles_stand_in_rows_with_lines_between() -> None:
    images = torch.arange(5).view(5, 1, 1, 1).expand(-1, 1, 2, 3) / 10
    sheet = tiles(images, columns=3)
    assert sheet.shape == (2 + 1 + 2, 3 + 1 + 3 + 1 + 3, 1)
    firsts = sheet[::3, ::4, 0]
    assert torch.equal(firsts, torch.tensor([[0.0, 0.1, 0.2], [0.3, 0.4, 0.5]]))
    assert (sheet[2] == 0.5).all() and (sheet[:, 3] == 0.5).all()


def test_tiles_keep_colours_and_cut_what_is_out_of_range() -> None:
    images = torch.tensor([[-1.0, 0.25, 2.0]]).view(1, 3, 1, 1).expand(-1, -1, 4, 4)
    assert tiles(images, columns=1)[0, 0].tolist() == [0, 0.25, 1]


def test_grid_has_its_labels_beside_the_rows(own_folder: Path) -> None:
    torch.manual_seed(0)
    figure = image_grid(torch.rand(6, 1, 8, 8), columns=3, title="two", row_labels=["a", "b"])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    height = axes.images[0].get_array().shape[0]  # type: ignore[union-attr]
    assert axes.get_yticks().tolist() == [height / 4, 3 * height / 4]
    save_figure(trainer(), figure, "grid")
    assert_shows_something(Path("figures/grid.png"))


def test_animation_holds_all_frames_and_goes_to_loggers(own_folder: Path) -> None:
    sent: dict[str, list[str]] = {}
    album = SimpleNamespace(log_video=lambda key, videos: sent.update({key: videos}))
    shades = [0, 80, 160, 240]
    frames = [np.full((8, 6, 3), shade, np.uint8) for shade in shades]
    save_animation(trainer(album, SimpleNamespace()), frames, "grows", seconds=0.2)
    with Image.open("figures/grows.gif") as film:
        assert film.size == (6, 8) and film.n_frames == 4  # type: ignore[attr-defined]
        seen, durations = [], []
        for place in range(4):
            film.seek(place)
            seen.append(film.convert("L").getpixel((3, 3)))
            durations.append(film.info["duration"])
    assert seen == shades and durations == [200, 200, 200, 2000]
    assert sent == {"figures/grows": ["figures/grows.gif"]}


def test_a_figure_becomes_a_frame() -> None:
    figure = image_grid(torch.rand(1, 3, 4, 4), columns=1, title="")
    frame = pixels_of(figure)
    width, height = (figure.get_size_inches() * figure.dpi).astype(int)
    assert frame.shape == (height, width, 3) and frame.dtype == np.uint8
    assert len(np.unique(frame)) > 5
