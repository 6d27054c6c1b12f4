"""Images of writing from anywhere as ink: uint8 (H, W), 0 being paper and 255 the darkest stroke.

What a data set reads and what a reader is given go through the same functions, so that an image file gives
the same numbers in training and in use.
"""
# from week 3

import io
import os
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lab.errors import LabError

# What a phone or a scanner makes fits in; what does not would take memory without bounds.
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 8192
# Formats whose decoders start no other program.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "AVIF")
# How an image is turned back, by the EXIF tag for the camera's orientation.
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Source = str | os.PathLike[str] | bytes | np.ndarray | Image.Image


def open_image(source: Source) -> Image.Image:
    """An image file, its bytes, an array or a PIL image as one grey image of mode L, upright.

    Arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), of bool, whole or real numbers. Transparent parts
    become white; numbers that are no bytes are stretched from their lowest to their highest.

    Raises:
        LabError: no image, a damaged one, one without pixels, or one that is too large.
    """
    name = f"{os.fspath(source)}: " if isinstance(source, str | os.PathLike) else ""
    with warnings.catch_warnings():
        # What Pillow warns of is either checked here or does no harm.
        warnings.simplefilter("ignore")
        try:
            if isinstance(source, str | os.PathLike):
                with open(source, "rb") as stream:
                    return decoded(Image.open(stream, formats=FORMATS))
            return decoded(opened(source))
        except LabError as error:
            raise LabError(f"{name}{error}") from None
        except FileNotFoundError:
            raise LabError(f"{name}there is no such file") from None
        except Image.UnidentifiedImageError:
            raise LabError(f"{name}this is no image, or of a format not known here") from None
        # Decoders fail on damaged files in all the ways there are.
        except Exception as error:
            reason = " ".join(str(error).split())[:80] or type(error).__name__
            raise LabError(f"{name}the image can't be read ({reason})") from error


def decoded(image: Image.Image) -> Image.Image:
    """The image in mode L and upright, of which only the header need have been read."""
    check_size(*image.size)
    image.load()
    return grey(upright(image))


def opened(source: Source) -> Image.Image:
    """The image in something that is no file."""
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return Image.open(io.BytesIO(source), formats=FORMATS)
    raise LabError(
        f"no image can be made of {type(source).__name__}: give a path, bytes, a NumPy array or a PIL image"
    )


def check_size(width: int, height: int) -> None:
    """Refuse what has no pixels or too many, before memory is taken for them."""
    if width < 1 or height < 1:
        raise LabError(f"the image has no pixels ({width} x {height})")
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise LabError(
            f"the image is too large ({width} x {height} pixels): at most {LONGEST_SIDE} a side "
            f"and {MOST_PIXELS // 1_000_000} million in all"
        )


def from_array(array: np.ndarray) -> Image.Image:
    """An image of an array's numbers."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise LabError(
            f"an array of shape {array.shape} is no image: choose (H, W), (H, W, 3) or (H, W, 4)"
        )
    if array.dtype.kind not in "buif":
        raise LabError(f"an array of {array.dtype} is no image: choose uint8")
    check_size(array.shape[1], array.shape[0])
    return Image.fromarray(np.ascontiguousarray(as_bytes(array)))


def as_bytes(numbers: np.ndarray) -> np.ndarray:
    """Numbers of any kind as uint8; those that are no bytes are stretched over all of its range."""
    if numbers.dtype == np.uint8:
        return numbers
    if not np.isfinite(numbers).all():
        raise LabError("the image has numbers that are infinite or none at all")
    numbers = numbers.astype(np.float32)
    low, high = numbers.min(), numbers.max()
    return ((numbers - low) * (255 / max(high - low, 1e-12))).round().astype(np.uint8)


def upright(image: Image.Image) -> Image.Image:
    """The image as it was meant to be seen, by the orientation in its EXIF data."""
    turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def grey(image: Image.Image) -> Image.Image:
    """An image of any mode as one of mode L."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(as_bytes(np.asarray(image)))
    if image.mode == "LAB":
        return image.getchannel("L")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        return on_paper(image.convert("RGBA"))
    # Not at once, which some modes have no way for.
    return image if image.mode == "L" else image.convert("RGB").convert("L")


def on_paper(image: Image.Image) -> Image.Image:
    """A transparent image on white; on black if white shows nothing of it."""
    sheets = (Image.new("RGBA", image.size, colour) for colour in ("white", "black"))
    light, dark = (Image.alpha_composite(sheet, image).convert("L") for sheet in sheets)
    low, high = light.getextrema()
    return dark if low == high else light


def line_ink(source: Source, *, height: int, width: int) -> Tensor:
    """Ink (height, W) of a line of writing; what would be wider than `width` is squeezed to it.

    Raises:
        LabError: see `open_image` and `resize_to_height`.
    """
    ink = resize_to_height(to_ink(open_image(source)), height)
    return resize(ink, height, min(ink.shape[1], width))


def page_ink(source: Source, *, height: int, width: int) -> Tensor:
    """Ink (H, W) of a page or paragraph, scaled down if it is larger than that.

    Raises:
        LabError: see `open_image`.
    """
    return shrink_into(to_ink(open_image(source)), height, width)


def to_ink(image: Image.Image) -> Tensor:
    """Ink (H, W) of a grey image, dark on light or light on dark, normalised.

    The paper is the median; ink is on that side of it on which the grey levels are farther off in sum.
    """
    counts = np.array(image.histogram())
    distance = np.arange(256) - median(counts)
    light_on_dark = counts @ distance > 0
    return ink_of(image, distance if light_on_dark else -distance)


def normalise(ink: Tensor) -> Tensor:
    """Ink (H, W) whose median is 0, what is below it too, and whose maximum is 255.

    Ink that is so already stays as it is, and so does what has no ink at all.
    """
    image = Image.fromarray(ink.numpy())
    return ink_of(image, np.arange(256) - median(np.array(image.histogram())))


def ink_of(image: Image.Image, levels: np.ndarray) -> Tensor:
    """Ink (H, W) of an image, given how much each of the 256 grey levels stands for."""
    present = np.array(image.histogram()) > 0
    darkest = max(levels[present].max(), 1)
    table = (levels.clip(0, darkest) * (255 / darkest)).round().astype(int)
    return torch.from_numpy(np.array(image.point(table.tolist())))


def median(counts: Sequence[int] | np.ndarray) -> int:
    """The median grey level, given how often each occurs; the lower one of two."""
    total = np.cumsum(counts)
    return int(np.searchsorted(total, (total[-1] + 1) // 2))


def resize_to_height(ink: Tensor, height: int) -> Tensor:
    """Ink (height, W), scaled with its aspect ratio kept; what has the height stays as it is.

    Raises:
        LabError: the result would be wider than `LONGEST_SIDE`.
    """
    width = max(round(ink.shape[1] * height / ink.shape[0]), 1)
    if width > LONGEST_SIDE:
        raise LabError(
            f"a line of {ink.shape[1]} x {ink.shape[0]} pixels is too wide for its height: at most "
            f"{LONGEST_SIDE // height} times as wide as high"
        )
    return resize(ink, height, width)


def shrink_into(ink: Tensor, height: int, width: int) -> Tensor:
    """Ink scaled down, with its aspect ratio kept, to be no larger than that; what fits stays as it is."""
    scale = min(height / ink.shape[0], width / ink.shape[1])
    if scale >= 1:
        return ink
    return resize(ink, max(round(ink.shape[0] * scale), 1), max(round(ink.shape[1] * scale), 1))


def resize(ink: Tensor, height: int, width: int) -> Tensor:
    """Ink (height, width), scaled with antialiasing and normalised; what has the size stays as it is."""
    if tuple(ink.shape) == (height, width):
        return ink
    scaled = Image.fromarray(ink.numpy()).resize((width, height), Image.Resampling.BILINEAR)
    return normalise(torch.from_numpy(np.array(scaled)))
