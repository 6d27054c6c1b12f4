"""Images from anywhere as ink: all forms and modes agree, and what is no image gets one clear error."""
# from week 3

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from lab.errors import LabError
from lab.ink import (
    LONGEST_SIDE,
    MOST_PIXELS,
    TURNS,
    line_ink,
    normalise,
    open_image,
    page_ink,
    resize_to_height,
    to_ink,
)


def drawn(width: int = 90, height: int = 30) -> np.ndarray:
    """Dark strokes on uneven light paper, (height, width), different in all directions."""
    image = Image.new("L", (width, height), 230)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 9, height), fill=240)
    pen.line((5, 5, width - 20, height - 8), fill=20, width=3)
    pen.line((15, 20, 30, 24), fill=90, width=2)
    return np.array(image)


ARRAY = drawn()


def ink_of(source: Any) -> Tensor:
    return to_ink(open_image(source))


INK = ink_of(ARRAY)


def stored(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_ink_is_zero_on_paper_and_255_in_the_darkest_stroke() -> None:
    assert INK.dtype == torch.uint8 and INK.shape == ARRAY.shape
    assert INK.float().median() == 0 and INK.max() == 255
    # Paper that is lighter than most is no ink, and a stroke half as dark has half the ink.
    assert (INK[:, 0] == 0).all()
    dark, half = 230 - 20, 230 - 90
    assert int(INK[torch.from_numpy(ARRAY == 90)][0]) == round(255 * half / dark)


def test_light_on_dark_is_the_same_ink() -> None:
    assert torch.equal(ink_of(255 - ARRAY), INK)


def test_normalising_twice_changes_nothing_and_a_picture_of_ink_comes_back() -> None:
    assert torch.equal(normalise(INK), INK)
    faint = INK // 3 + 17
    once = normalise(faint)
    assert once.float().median() == 0 and once.max() == 255
    assert torch.equal(normalise(once), once)
    for picture in (255 - INK.numpy(), INK.numpy()):
        assert torch.equal(ink_of(stored(Image.fromarray(picture))), INK)


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_a_blank_image_has_no_ink(level: int) -> None:
    blank = ink_of(np.full((9, 12), level, dtype=np.uint8))
    assert torch.equal(blank, torch.zeros(9, 12, dtype=torch.uint8))
    assert torch.equal(normalise(blank), blank)


def coloured(mode: str) -> Image.Image:
    return Image.fromarray(ARRAY).convert("RGB").convert(mode)


@pytest.mark.parametrize(
    "image",
    [
        *(coloured(mode) for mode in ("RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LA", "I", "F")),
        Image.fromarray(ARRAY).convert("P"),
        Image.fromarray(ARRAY.astype(np.uint16) * 257),
    ],
    ids=lambda image: image.mode,
)
def test_every_mode_gives_the_same_ink(image: Image.Image) -> None:
    assert int((ink_of(image).short() - INK.short()).abs().max()) <= 2
    if image.mode in ("RGB", "RGBA", "LA", "P", "I;16"):
        assert int((ink_of(stored(image)).short() - INK.short()).abs().max()) <= 2


def test_one_bit_images_are_black_and_white() -> None:
    image = Image.fromarray(ARRAY).point(lambda level: 255 * (level > 128)).convert("1")
    assert torch.equal(ink_of(stored(image)), torch.from_numpy(255 * (ARRAY <= 128)).byte())


@pytest.mark.parametrize("colour", [0, 255])
def test_what_is_transparent_is_paper_whatever_its_hidden_colour(colour: int) -> None:
    strokes = ARRAY < 200
    hidden = np.where(strokes, 255 * (colour == 255), 99).astype(np.uint8)
    image = Image.merge(
        "LA", [Image.fromarray(hidden), Image.fromarray(255 * strokes.astype("u1"))]
    )
    # White strokes show on black only.
    assert torch.equal(ink_of(stored(image)), torch.from_numpy(255 * strokes.astype(np.uint8)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000"])
def test_formats(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    read = ink_of(stored(Image.fromarray(ARRAY), kind, **options))
    assert (read.float() - INK.float()).abs().mean() < 3


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a,
        lambda a: a[:, :, None],
        lambda a: np.stack([a, a, a], 2),
        lambda a: np.stack([a, a, a, np.full_like(a, 255)], 2),
        lambda a: a / 255,
        lambda a: a.astype(np.float32) / 255,
        lambda a: a.astype(np.int64),
        lambda a: a.astype(np.uint16) * 100,
        lambda a: np.asfortranarray(a),
        lambda a: a[:, ::-1][:, ::-1],
    ],
)
def test_arrays_of_all_kinds(change: Callable[[np.ndarray], np.ndarray]) -> None:
    assert int((ink_of(change(ARRAY)).short() - INK.short()).abs().max()) <= 2
    assert torch.equal(ink_of(ARRAY < 128), torch.from_numpy(255 * (ARRAY < 128)).byte())


@pytest.mark.parametrize("orientation", [1, *TURNS])
def test_images_are_turned_as_their_camera_says(orientation: int) -> None:
    # How a camera would have stored the upright image, by undoing its turn.
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    image = Image.fromarray(ARRAY)
    turn = undo.get(orientation, TURNS.get(orientation))
    turned = image if turn is None else image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "TIFF"):
        assert torch.equal(ink_of(stored(turned, kind, exif=exif)), INK)


def test_paths_and_open_images(tmp_path: Path) -> None:
    path = tmp_path / "line.png"
    Image.fromarray(ARRAY).save(path)
    for source in (
        path,
        str(path),
        path.read_bytes(),
        Image.open(path),
        bytearray(path.read_bytes()),
    ):
        assert torch.equal(ink_of(source), INK)


def test_a_line_is_scaled_with_its_aspect_ratio_and_left_alone_at_its_height() -> None:
    assert resize_to_height(INK, 30) is INK
    half = resize_to_height(INK, 15)
    assert half.shape == (15, 45) and half.max() == 255 and half.float().median() == 0
    # Thin strokes survive being made much smaller, since many pixels count.
    assert (resize_to_height(INK, 6) > 60).sum() > 10
    assert resize_to_height(torch.zeros(300, 1, dtype=torch.uint8), 10).shape == (10, 1)
    assert line_ink(ARRAY, height=60, width=100).shape == (60, 100)
    assert line_ink(ARRAY, height=60, width=500).shape == (60, 180)


def test_a_page_is_made_smaller_but_never_larger() -> None:
    assert torch.equal(page_ink(ARRAY, height=30, width=90), INK)
    assert torch.equal(page_ink(ARRAY, height=99, width=999), INK)
    small = page_ink(ARRAY, height=99, width=45)
    assert small.shape == (15, 45) and small.max() == 255
    assert page_ink(ARRAY, height=10, width=999).shape == (10, 30)


def huge(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it is so large."""
    content = stored(Image.new("L", (8, 8)))
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + content[24:29]
    import zlib

    return content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:]


BAD = {
    "truncated": (stored(Image.fromarray(ARRAY))[:-40], "can't be read"),
    "truncated JPEG": (stored(Image.fromarray(ARRAY), "JPEG")[:-200], "can't be read"),
    "no image": (b"Dear Sir, I remain", "no image, or of a format not known"),
    "nothing": (b"", "no image"),
    "PDF": (b"%PDF-1.4", "no image"),
    "no pixels": (np.zeros((0, 7), np.uint8), "no pixels"),
    "no columns": (np.zeros((7, 0, 3), np.uint8), "no pixels"),
    "too wide": (np.zeros((56, 10_000), np.uint8), "too large .10000 x 56 pixels.: at most 8192"),
    "bomb": (huge(200_000, 200_000), "200000 x 200000|can't be read"),
    "many pixels": (huge(8000, 8000), "8000 x 8000 pixels.*50 million"),
    "four dimensions": (np.zeros((2, 3, 4, 3), np.uint8), "choose .H, W., .H, W, 3."),
    "two channels": (np.zeros((2, 3, 2), np.uint8), "choose .H, W."),
    "words": (np.array([["ink"]]), "choose uint8"),
    "no numbers": (np.full((3, 3), np.nan), "infinite or none"),
    "something else": ([[1, 2], [3, 4]], "no image can be made of list"),
    "missing": (Path("missing.png"), "missing.png: there is no such file"),
    "folder": (Path(), "can't be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_gets_one_clear_error(name: str) -> None:
    source, message = BAD[name]
    with pytest.raises(LabError, match=message) as caught:
        open_image(source)
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 200


def test_a_line_far_too_wide_for_its_height_is_refused() -> None:
    with pytest.raises(
        LabError, match="8000 x 2 pixels is too wide for its height: at most 146 times"
    ):
        line_ink(np.zeros((2, 8000), np.uint8), height=56, width=1000)


def test_what_cameras_make_is_not_too_large() -> None:
    for width, height in ((8160, 6120), (4000, 3000)):
        assert max(width, height) <= LONGEST_SIDE and width * height <= MOST_PIXELS


def test_errors_name_the_file_and_warnings_are_kept_from_users(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(stored(Image.fromarray(ARRAY))[:60])
    with warnings.catch_warnings(), pytest.raises(LabError, match="broken.png: "):
        warnings.simplefilter("error")
        open_image(path)
