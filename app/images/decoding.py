"""Picture bytes from anyone to uint8 arrays of the model's shape, safely."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError

from app.images import guards as screening
from app.images import provenance as embedded

Fit = Literal["crop", "pad", "stretch"]
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
ORIENTATION = 0x0112
EXIF_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
REDUCING_GAP = (
    3  # sides of the model's size to which a large picture is averaged before it is resampled
)
TILE = 512  # pixels a side of what is converted at a time
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # of a pixel; others take 4
WHOLE = {"WEBP": 20, "TIFF": 12}  # of a pixel, with what the decoder needs beside

Image.MAX_IMAGE_PIXELS = None  # the limits are checked below, by our own settings


class CorruptPictureError(Exception):
    """The bytes begin like a picture but cannot be read to their end."""


class UnknownPictureError(Exception):
    """The bytes are not of a picture format that is read."""


class TooManyPixelsError(Exception):
    """The picture is larger than is read."""


@dataclass(frozen=True)
class Picture:
    """A picture as a model sees it.

    Attributes:
        pixels: uint8 ``(S, S, C)``.
        origin: what the picture carries about itself, if it is one of ours and unchanged.
    """

    pixels: npt.NDArray[np.uint8]
    origin: embedded.ImageProvenance | None


def estimate_memory(data: bytes, size: int, max_pixels: int, max_memory: int) -> int:
    """The memory in bytes that ``read`` takes at most, by the header; nothing is decoded.

    Raises:
        UnknownPictureError, TooManyPixelsError, CorruptPictureError: as ``read``.
    """
    with _opened(data, size, max_pixels, max_memory) as (_, memory):
        return memory


def read(
    data: bytes,
    size: int,
    channels: int,
    fit: Fit,
    max_pixels: int,
    max_memory: int = 2**63,
) -> Picture:
    """Decode a picture and fit it to ``(size, size, channels)``.

    The format is told by the bytes. The first frame counts; EXIF orientation is applied; alpha goes
    onto white; palette, grey, 16-bit and CMYK become 8-bit grey or RGB.

    Args:
        data: the file.
        size: pixels a side.
        channels: 1 or 3.
        fit: ``crop`` cuts a centred square, ``pad`` adds white margins, ``stretch`` distorts.
        max_pixels: largest width times height.
        max_memory: most bytes to take while decoding.

    Raises:
        UnknownPictureError: if no reader knows the bytes.
        TooManyPixelsError: if it is larger than ``max_pixels`` or takes more than ``max_memory``;
            nothing was decoded.
        CorruptPictureError: if decoding fails.
    """
    with _opened(data, size, max_pixels, max_memory) as (image, _):
        note = image.info.get(embedded.KEYWORD) if image.format == "PNG" else None
        turn, fitting = _turn(image), image.size == (size, size)
        whole = _reduce(image, size, channels, fit)
        if turn is not None:
            whole = whole.transpose(turn)
    if fitting:
        pixels = _array(whole)
        return Picture(pixels, embedded.read(note, pixels))
    return Picture(_array(_fitted(whole, size, fit)), None)


@contextmanager
def _opened(
    data: bytes, size: int, max_pixels: int, max_memory: int
) -> Iterator[tuple[ImageFile.ImageFile, int]]:
    """The picture, checked by its header, and the memory that decoding takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata, which we do not use
        try:
            screening.check(data)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise TooManyPixelsError(
                        f"the picture has {width} x {height} pixels; at most {max_pixels} are read"
                    )
                memory = _memory(image, data, size)
                if memory > max_memory:
                    raise TooManyPixelsError(
                        f"decoding {width} x {height} pixels of {image.format} takes {memory} "
                        f"bytes; at most {max_memory} are given; send it smaller, or as JPEG"
                    )
                yield image, memory
        except UnidentifiedImageError:
            raise UnknownPictureError(
                f"not a picture that is read; send one of {', '.join(FORMATS)}"
            ) from None
        except TooManyPixelsError:
            raise
        except screening.StructureLimitError as error:
            raise CorruptPictureError(f"the picture is not read: {error}") from None
        except Exception as error:  # Pillow's readers raise what they like on hostile bytes
            raise CorruptPictureError(f"the picture is corrupt or truncated ({error})") from None


def _memory(image: ImageFile.ImageFile, data: bytes, size: int) -> int:
    """Bytes that decoding takes; of a JPEG also a fair share of the work, which is more."""
    area = image.width * image.height
    if image.format in ("JPEG", "MPO"):
        held = 2 * area * len(image.getbands()) if screening.scans(data) > 1 else area // 2
        image.draft(None, (2 * size, 2 * size))
        return held + 4 * image.width * image.height
    if image.format == "TIFF":
        if image.info.get("compression") == "raw":
            return 4 * area
        area = max(area, _tile(image))
    return area * WHOLE.get(image.format or "", BYTES.get(image.mode, 4))


def _tile(image: ImageFile.ImageFile) -> int:
    """Pixels of a tile of a TIFF, which is decoded whole, however little of it is seen."""
    fields = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    width, height = (fields.get(side, 0) for side in screening.TILE_SIDES)
    return int(width) * int(height)


def _turn(image: ImageFile.ImageFile) -> Image.Transpose | None:
    """What EXIF orientation asks for; taken out, so that no reader does it at full size."""
    tags = image.getexif()
    turn = EXIF_TRANSPOSES.get(tags.get(ORIENTATION, 1))
    if turn is not None:
        del tags[ORIENTATION]
    return turn


def _reduce(image: Image.Image, size: int, channels: int, fit: Fit) -> Image.Image:
    """8-bit grey or RGB, in sides of a few times ``size``; beside the picture it takes little.

    A picture of several times the size is averaged down, tile by tile, and for ``crop`` without
    what will be cut off.
    """
    width, height = image.size
    left = top = 0
    side = max(width, height)
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
    sides = (width, height) if fit == "stretch" else (side, side)
    x, y = (max(1, n // (REDUCING_GAP * size)) for n in sides)
    wide = image.mode in ("I", "F") and _largest(image) > 255
    right, bottom = width - left, height - top
    board = Image.new(
        "RGB" if channels == 3 else "L", (-(-(right - left) // x), -(-(bottom - top) // y))
    )
    across, down = x * max(1, TILE // x), y * max(1, TILE // y)
    for v in range(top, bottom, down):
        for u in range(left, right, across):
            tile = image.crop((u, v, min(u + across, right), min(v + down, bottom)))
            board.paste(
                _flatten(tile, channels, wide).reduce((x, y)), ((u - left) // x, (v - top) // y)
            )
    return board


def _largest(image: Image.Image) -> float:
    _, largest = image.getextrema()
    return float(largest) if isinstance(largest, int | float) else 0.0


def _flatten(image: Image.Image, channels: int, wide: bool) -> Image.Image:
    """8-bit grey or RGB on white; ``wide`` values are of 16 bits."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        if wide or image.mode.startswith("I;16"):
            values = values / 257.0
        image = Image.fromarray(np.nan_to_num(values).clip(0, 255).round().astype(np.uint8))
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB" if channels == 3 else "L")


def _fitted(image: Image.Image, size: int, fit: Fit) -> Image.Image:
    square, resample = (size, size), Image.Resampling.LANCZOS
    match fit:
        case "crop":
            return ImageOps.fit(image, square, resample)
        case "pad":
            return ImageOps.pad(image, square, resample, color="white")
        case "stretch":
            return image.resize(square, resample)


def _array(image: Image.Image) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]
