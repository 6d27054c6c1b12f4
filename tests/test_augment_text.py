"""Random transforms of images of writing: against scipy, torch and cases worked by hand."""
# from week 3

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn import functional as F

from lab.data import augment_text
from lab.data.augment import Augmentation, for_images
from lab.data.augment_text import noise, shades, text_augmentations, thickness, warp
from lab.errors import LabError

ALL: dict[str, Augmentation] = {
    "warp": warp(slant=0.3, slope=0.1, shrink=0.1, move=0.1, bend=0.05),
    "bend": warp(bend=0.1),
    "thickness": thickness(0.5),
    "shades": shades(curve=0.5, paper=0.2, ink=0.3),
    "noise": noise(0.1),
    "chain": lambda images: for_images(text_augmentations(1.0))((images,))[0],
    "page": lambda images: for_images(text_augmentations(1.0, line=5))((images,))[0],
}


def random_images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def smooth_images(count: int, height: int, width: int, *, margin: int = 0) -> Tensor:
    """Images without fine detail, in a frame of paper."""
    small = random_images(count, 1, (height - 2 * margin) // 4, (width - 2 * margin) // 4)
    inner = (height - 2 * margin, width - 2 * margin)
    images = F.interpolate(small, inner, mode="bilinear", align_corners=True)
    return F.pad(images, (margin,) * 4)


@pytest.fixture
def full_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every draw is the largest allowed one."""
    monkeypatch.setattr(
        augment_text, "uniform", lambda count, limit, device: torch.full((count,), float(limit))
    )


@pytest.mark.parametrize("name", ALL)
def test_every_sample_gets_its_own(name: str) -> None:
    torch.manual_seed(0)
    same = random_images(1, 1, 12, 30).expand(16, -1, -1, -1)
    changed = {tuple(image.flatten().tolist()) for image in ALL[name](same)}
    assert len(changed) == 16


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float, torch.double, torch.half, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 1, 8, 40), (2, 1, 30, 9), (2, 1, 1, 1)])
def test_shape_type_range_and_input_are_kept(
    name: str, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    images = random_images(*shape).to(dtype)
    before = images.clone()
    found = ALL[name](images)
    assert found.shape == images.shape and found.dtype == dtype
    assert torch.equal(images, before)
    assert float(found.min()) >= 0 and float(found.max()) <= 1


@pytest.mark.parametrize("name", ALL)
def test_the_global_seed_decides(name: str) -> None:
    def drawn(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return ALL[name](random_images(16, 1, 8, 20))

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize("transform", [warp(), thickness(0), shades(), noise(0)])
def test_without_strength_nothing_changes(transform: Augmentation) -> None:
    images = random_images(4, 1, 9, 34)
    torch.testing.assert_close(transform(images), images, atol=1e-5, rtol=0)


def test_strength_0_is_none_and_too_much_is_refused() -> None:
    assert text_augmentations(0) == []
    for strength in (-0.1, 2.1, math.nan):
        with pytest.raises(LabError, match=f"--data.augment {strength}: choose 0 .none. to 2"):
            text_augmentations(strength)


def test_changes_grow_with_strength() -> None:
    images = smooth_images(64, 32, 160, margin=4)

    def change(strength: float) -> float:
        torch.manual_seed(0)
        return float((for_images(text_augmentations(strength))((images,))[0] - images).abs().mean())

    changes = [change(strength) for strength in (0.1, 0.5, 1.0, 2.0)]
    assert changes == sorted(changes) and changes[0] < 0.06 < 0.1 < changes[-1]


# Options of `warp`, and where (y, x), counted from the middle of the ink, the ink of a point comes from.
WARPS = {
    "slant": ({"slant": 0.5}, lambda y, x, h, w: (y, x + y * 0.5 * h / (h - 1))),
    "slope": ({"slope": 0.1}, lambda y, x, h, w: (y + 2 * x * 0.1 * h / (w - 1), x)),
    "move": ({"move": 0.125}, lambda y, x, h, w: (y + 0.125 * h, x)),
    "shrink": ({"shrink": 0.2}, lambda y, x, h, w: (1.2 * y, 1.2 * x + 0.1 * (w - 1) / 2)),
    "slant by lines": ({"slant": 0.5, "line": 8}, lambda y, x, h, w: (y, x + y * 4 / (h - 1))),
    "move by lines": ({"move": 0.25, "line": 8}, lambda y, x, h, w: (y + 2, x)),
}


@pytest.mark.usefixtures("full_strength")
@pytest.mark.parametrize("name", WARPS)
def test_warps_agree_with_scipy(name: str) -> None:
    options, source = WARPS[name]
    height, width = 32, 96
    images = smooth_images(2, height, width)
    y, x = np.mgrid[:height, :width].astype(float)
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    from_y, from_x = source(y - middle_y, x - middle_x, height, width)
    found = warp(**options)(images)
    assert (found - images).abs().max() > 0.1
    for image, moved in zip(images, found, strict=True):
        # Beyond the border, too, ink fades to paper within one pixel.
        framed = F.pad(image[0], (1,) * 4).numpy()
        expected = map_coordinates(
            framed, [from_y + middle_y + 1, from_x + middle_x + 1], order=1, cval=0.0
        )
        np.testing.assert_allclose(moved[0].numpy(), expected, atol=1e-4)


@pytest.mark.usefixtures("full_strength")
def test_padding_does_not_change_how_writing_is_warped() -> None:
    images = smooth_images(3, 32, 64, margin=4)
    transform = warp(slant=0.3, move=0.05, line=16)
    padded = transform(F.pad(images, (0, 64, 0, 32)))
    # The middle is that of the ink; how far a page slants in all is bounded, not how far each line does.
    alone = warp(slant=0.3 * 31 / 63, move=0.05, line=16)(images)
    torch.testing.assert_close(padded[..., :32, :64], alone, atol=1e-4, rtol=0)
    assert padded[..., 64:].abs().sum() < 1e-3


def test_the_ends_of_a_line_stay_inside() -> None:
    torch.manual_seed(0)
    width = 200
    line = torch.zeros(200, 1, 32, width + 100)
    line[..., 8:24, 2 : width - 2] = 1
    found = warp(shrink=0.15)(line)
    assert float(found[..., width:].sum()) == 0
    before, after = line.sum((1, 2, 3)), found.sum((1, 2, 3))
    # All ink is there, on a smaller area.
    assert (after > before / 1.16**2).all() and (after < before * 1.001).all()
    columns = torch.arange(width + 100)
    inked = found.amax((1, 2)) > 0.5
    first = torch.where(inked, columns, 1000).amin(1)
    last = torch.where(inked, columns, -1).amax(1)
    assert first.min() >= 1 and last.max() <= width - 2 and first.max() > 8


def test_bent_strokes_stay_whole() -> None:
    torch.manual_seed(0)
    images = torch.zeros(32, 1, 32, 128)
    images[..., 15:18, :] = 1
    heights = torch.arange(32.0)[:, None]
    # At the ends paper enters.
    found = warp(bend=0.06)(images)[..., 3:-3]
    # Where a horizontal stroke is, column by column, in pixels.
    place = (found * heights).sum(2) / found.sum(2).clamp(min=1e-6)
    moved = place - 16
    assert 0.5 < moved.abs().mean() < 2 and moved.abs().max() < 0.06 * 32 + 0.5
    # Between two points of the grid, half a line apart, it changes evenly.
    assert (moved[..., 1:] - moved[..., :-1]).abs().max() < 2 * 0.06 * 2 + 0.1


@pytest.mark.usefixtures("full_strength")
def test_thicker_is_the_largest_nearby() -> None:
    images = random_images(3, 1, 9, 14)
    tall, wide = F.max_pool2d(images, (3, 1), 1, (1, 0)), F.max_pool2d(images, (1, 3), 1, (0, 1))
    nearby = torch.maximum(tall, wide)
    torch.testing.assert_close(thickness(1)(images), nearby)
    torch.testing.assert_close(thickness(0.25)(images), 0.75 * images + 0.25 * nearby)
    torch.testing.assert_close(thickness(2)(images), nearby, msg="one pixel at most")
    # Thinner strokes are thicker paper.
    torch.testing.assert_close(thickness(-1)(images), 1 - thickness(1)(1 - images))


def test_strokes_become_thicker_and_thinner() -> None:
    torch.manual_seed(0)
    images = torch.zeros(100, 1, 9, 40)
    images[..., 3:6, :] = 1
    rows = thickness(0.6)(images)[..., 20].sum((1, 2))
    assert 1.8 < rows.min() < 2.2 and 3.8 < rows.max() < 4.2 and abs(rows.mean() - 3) < 0.2


@pytest.mark.usefixtures("full_strength")
def test_shades_are_worked_by_hand() -> None:
    greys = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)
    # A half gains a quarter of 0.4; paper becomes 0.1 and ink loses 0.3.
    found = shades(curve=0.4, paper=0.1, ink=0.3)(greys).flatten()
    torch.testing.assert_close(found, torch.tensor([0.1, 0.1 + 0.6 * 0.6, 0.7]))


def test_shades_keep_the_order_of_greys() -> None:
    torch.manual_seed(0)
    greys = torch.linspace(0, 1, 50).expand(200, 1, 1, 50)
    found = for_images(text_augmentations(2.0)[2:3])((greys,))[0].squeeze()
    assert (found.diff(dim=1) > 0).all() and found.min() >= 0 and found.max() <= 1
    assert found[:, 0].max() > 0.1 and found[:, -1].min() < 0.7


def test_noise_has_its_own_bound_in_each_image() -> None:
    torch.manual_seed(0)
    change = (noise(0.2)(torch.full((50, 1, 20, 30), 0.5)) - 0.5).flatten(1)
    bounds = change.abs().amax(1)
    assert bounds.max() <= 0.2 and bounds.max() > 0.17 and bounds.min() < 0.03
    assert (change.mean(1).abs() < bounds / 5).all()
    assert noise(0.5)(torch.zeros(4, 1, 8, 8)).min() == 0
