"""Random transforms of image batches: against torchvision, torch and cases worked by hand."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from lab.data import augment
from lab.data.augment import Augmentation, affine, erase, flip, for_images, shift

ALL: dict[str, Augmentation] = {
    "affine": affine(degrees=10, scale=0.1, shear=0.1, move=0.1),
    "shift": shift(2),
    "flip": flip(),
    "erase": erase(4),
    "chain": lambda images: for_images([flip(), shift(2), erase(4)])((images,))[0],
}


def random_images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def full_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every draw of `affine` is the largest allowed one."""
    monkeypatch.setattr(
        augment, "uniform", lambda count, limit, device: torch.full((count,), float(limit))
    )


@pytest.mark.parametrize("name", ALL)
def test_every_sample_gets_its_own(name: str) -> None:
    torch.manual_seed(0)
    same = random_images(1, 1, 12, 10).expand(16, -1, -1, -1)
    changed = {tuple(image.flatten().tolist()) for image in ALL[name](same)}
    assert len(changed) >= (2 if name == "flip" else 10)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float, torch.double, torch.half, torch.bfloat16])
@pytest.mark.parametrize("shape", [(9, 1, 8, 8), (5, 3, 9, 14)])
def test_shape_type_and_input_are_kept(
    name: str, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    images = random_images(*shape).to(dtype)
    before = images.clone()
    found = ALL[name](images)
    assert found.shape == images.shape and found.dtype == dtype
    assert torch.equal(images, before)
    assert found.min() >= images.min() and found.max() <= images.max()


@pytest.mark.parametrize("name", ALL)
def test_the_global_seed_decides(name: str) -> None:
    def drawn(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return ALL[name](random_images(16, 2, 8, 8))

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize(
    "transform", [affine(), shift(0), erase(0)], ids=["affine", "shift", "erase"]
)
def test_without_strength_nothing_changes(transform: Augmentation) -> None:
    images = random_images(4, 3, 9, 14)
    torch.testing.assert_close(transform(images), images, atol=1e-5, rtol=0)


def test_only_the_images_of_a_batch_change() -> None:
    images, labels, extra = random_images(4, 1, 8, 8), torch.arange(4), torch.rand(4)
    order: list[str] = []

    def named(name: str, factor: float) -> Augmentation:
        def transform(images: Tensor) -> Tensor:
            order.append(name)
            return images * factor

        return transform

    found = for_images([named("first", 2), named("second", 3)])((images, labels, extra))
    torch.testing.assert_close(found[0], images * 6)
    assert found[1] is labels and found[2] is extra and order == ["first", "second"]


def framed(height: int, width: int) -> Tensor:
    """Smooth images that are zero near the border, so that what enters does not matter."""
    images = torch.zeros(2, 3, height, width)
    middle = random_images(2, 3, 3, 3)
    inner = torch.nn.functional.interpolate(
        middle, (height // 2, width // 2), mode="bilinear", align_corners=True
    )
    top, left = height // 4, width // 4
    images[:, :, top : top + height // 2, left : left + width // 2] = inner
    return images


@pytest.mark.usefixtures("full_strength")
@pytest.mark.parametrize("size", [(24, 24), (20, 36), (36, 20)])
@pytest.mark.parametrize(
    ("options", "angle", "scale", "move"),
    [
        ({"degrees": 20}, 20, 1.0, 0),
        ({"scale": 0.2}, 0, 1.2, 0),
        ({"move": 0.25}, 0, 1.0, -0.25),
        ({"degrees": 15, "scale": 0.1}, 15, 1.1, 0),
    ],
    ids=str,
)
def test_affine_agrees_with_torchvision(
    size: tuple[int, int], options: dict[str, float], angle: float, scale: float, move: float
) -> None:
    images = framed(*size)
    expected = reference.affine(
        images,
        angle=-angle,
        translate=[move * size[1], move * size[0]],
        scale=scale,
        shear=[0.0, 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    torch.testing.assert_close(affine(**options)(images), expected, atol=1e-4, rtol=0)
    assert (expected - images).abs().max() > 0.1


@pytest.mark.usefixtures("full_strength")
def test_slant_moves_each_row_by_its_height() -> None:
    images = random_images(2, 1, 5, 9)
    slanted = affine(shear=1.0)(images)
    for row in range(5):
        expected = images[:, :, row].roll(2 - row, dims=-1)
        torch.testing.assert_close(slanted[:, :, row, 2:-2], expected[..., 2:-2], atol=1e-5, rtol=0)


@pytest.mark.usefixtures("full_strength")
def test_slant_comes_after_rotation() -> None:
    height, width = torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 60)
    smooth = (-8 * (height[:, None] - 0.2).square() - 8 * (width - 0.3).square()).exp()[None, None]
    both = affine(degrees=30, shear=0.5)(smooth)
    torch.testing.assert_close(
        both, affine(shear=0.5)(affine(degrees=30)(smooth)), atol=0.02, rtol=0
    )
    assert (both - smooth).abs().max() > 0.2


def test_affine_draws_both_ways_within_its_limits() -> None:
    torch.manual_seed(0)
    drawn = augment.uniform(1000, 0.3, torch.device("cpu"))
    assert drawn.shape == (1000,) and -0.3 <= drawn.min() < -0.29 and 0.29 < drawn.max() <= 0.3
    assert abs(drawn.mean()) < 0.02


def test_shift_moves_whole_pixels_and_repeats_the_border() -> None:
    torch.manual_seed(0)
    images = random_images(300, 2, 6, 7)
    moves = []
    for before, after in zip(images, shift(2)(images), strict=True):
        padded = torch.nn.functional.pad(before[None], (2, 2, 2, 2), mode="replicate")[0]
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(after, padded[:, 2 - down : 8 - down, 2 - right : 9 - right])
        ]
        (move,) = fits
        moves.append(move)
        down, right = move
        rolled = before.roll((down, right), dims=(1, 2))
        assert torch.equal(after[:, 2:-2, 2:-2], rolled[:, 2:-2, 2:-2])
    assert len(set(moves)) == 25, "all moves of up to 2 pixels each way"


def test_flip_mirrors_about_half() -> None:
    torch.manual_seed(0)
    images = random_images(400, 2, 5, 6)
    found = flip()(images)
    same = (found == images).flatten(1).all(1)
    mirrored = (found == images.flip(3)).flatten(1).all(1)
    assert torch.equal(same, ~mirrored)
    assert 160 < mirrored.sum() < 240


def test_erase_takes_the_same_square_in_all_channels() -> None:
    images = random_images(50, 3, 8, 9)
    found = erase(3)(images)
    changed = found != images
    assert (changed == changed[:, :1]).all()
    mean = images.mean((2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(found[changed], mean[changed])


def test_erase_sets_one_square_to_the_mean() -> None:
    torch.manual_seed(0)
    images = random_images(2000, 1, 8, 9)
    found = erase(3)(images)
    changed = found != images
    sizes, corners = [], []
    for image, mask, mean in zip(found, changed[:, 0], images.mean((2, 3)), strict=True):
        rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert mask.sum() == height * width == len(rows) * len(columns)
        # Smaller only where the border cuts it.
        assert height == 3 or rows[0] == 0 or rows[-1] == 7
        assert width == 3 or columns[0] == 0 or columns[-1] == 8
        torch.testing.assert_close(image[:, mask], mean[:, None].expand(-1, int(mask.sum())))
        sizes.append(int(mask.sum()))
        corners.append((int(rows[0]), int(columns[0])))
    # The corner of the cut ones is on the border.
    assert set(corners) == {(row, column) for row in range(8) for column in range(9)}
    assert max(sizes) == 9 and min(sizes) < 9
