"""Images of any size and mode to the uint8 arrays that a model is trained on and served with.

One of the modules of ``vae`` that import Pillow and NumPy: docs/decisions/0022.
"""

import math
import struct
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from vae.image_files import prepare
from vae.samples import TILE, SampleConversion

Fit = Literal["crop", "pad", "stretch"]

ORIENTATION = 0x0112  # the EXIF tag
EXIF_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
REDUCING_GAP = 3  # a large image is averaged down to this many times the model's size, or more
JPEG_SCALE = 2  # a JPEG may be decoded at a fraction of its size, to this many times the model's
# What Pillow raises on damaged EXIF.
EXIF_ERRORS = (
    ArithmeticError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)


def to_square(
    image: Image.Image, size: int, channels: int, fit: Fit = "crop"
) -> npt.NDArray[np.uint8]:
    """An image as a model sees it: 8-bit grey or RGB, ``size`` pixels a side.

    EXIF orientation is applied; damaged EXIF is ignored. Palette, CMYK, 16-bit and float images are
    converted: samples are scaled from the range that the file declares, and colours are converted
    to sRGB by its profile. Of floats, and of integers that come from no file, the largest value
    decides where no range is declared: 1, 255 or 65535 is white. Alpha is composited onto white. A
    large image is averaged down in tiles before it is resampled with Lanczos, so that beside the
    decoded image this takes little memory.

    Args:
        image: of any size and mode. If it is a file that is not loaded yet, it is loaded, a large
            JPEG at a fraction of its size.
        size: pixels a side of the result.
        channels: 1 for grey, 3 for RGB.
        fit: ``crop`` takes the centred square, ``pad`` adds white margins, ``stretch`` distorts.

    Returns:
        uint8 ``(size, size, channels)``.

    Raises:
        Exception: whatever Pillow raises while it decodes a damaged file.
    """
    draft_size(image, size)
    transpose = exif_transpose_of(image)
    square = _resize(*_reduce(image, size, channels, fit), size, fit)
    if transpose is not None:
        square = square.transpose(transpose)
    return np.asarray(square, dtype=np.uint8).reshape(size, size, channels)


def draft_size(image: Image.Image, size: int) -> tuple[int, int]:
    """Width and height at which ``to_square`` decodes a file; sets them on the image.

    They are the file's own, apart from a JPEG that is several times larger than ``size``.
    """
    image.draft(None, (JPEG_SCALE * size, JPEG_SCALE * size))
    return image.size


def exif_transpose_of(image: Image.Image) -> Image.Transpose | None:
    """The transpose that turns the image upright, None if it is.

    The tag is removed from the image: Pillow would else transpose some formats at full size.
    """
    use_stored_size(image)
    transpose = stored_transpose(image)
    if transpose is not None:
        del image.getexif()[ORIENTATION]
    return transpose


def stored_transpose(image: Image.Image) -> Image.Transpose | None:
    """The transpose that EXIF asks for; None if it asks for none or is damaged."""
    prepare(image)  # to read the EXIF of a PNG may load it
    try:
        return EXIF_TRANSPOSES.get(image.getexif().get(ORIENTATION, 1))
    except EXIF_ERRORS:
        return None


def use_stored_size(image: Image.Image) -> None:
    """Give a TIFF that is not loaded yet the size that is stored.

    Pillow gives the upright size, even where its tag of orientation is removed before it is loaded.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        image._size = image._tile_size


def _reduce(
    image: Image.Image, size: int, channels: int, fit: Fit
) -> tuple[Image.Image, tuple[float, float]]:
    """8-bit grey or RGB, at least ``REDUCING_GAP`` times ``size`` a side where the image is.

    For ``crop`` only the centred square is converted. Also the exact width and height: the last
    column or row may stand for fewer pixels than the others.
    """
    width, height = image.size
    left = top = 0
    side = max(width, height)
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
    sides = (width, height) if fit == "stretch" else (side, side)
    x_factor, y_factor = (max(1, n // (REDUCING_GAP * size)) for n in sides)
    box = left, top, width - left, height - top
    extent = (box[2] - left) / x_factor, (box[3] - top) / y_factor
    return averaged(image, box, (x_factor, y_factor), channels), extent


def averaged(
    image: Image.Image, box: tuple[int, int, int, int], factors: tuple[int, int], channels: int
) -> Image.Image:
    """A part of an image as 8-bit grey or RGB, with the mean of each block of pixels.

    Converted in tiles, so that beside the decoded image this takes little memory.

    Args:
        image: of any mode; alpha is composited onto white.
        box: left, top, right and bottom of the part, within the image.
        factors: columns and rows of a block. The last block of a row or column may have fewer.
        channels: 1 for grey, 3 for RGB.
    """
    left, top, right, bottom = box
    x_factor, y_factor = factors
    size = math.ceil((right - left) / x_factor), math.ceil((bottom - top) / y_factor)
    canvas = Image.new("RGB" if channels == 3 else "L", size)
    conversion = SampleConversion(image, channels)
    x_step, y_step = (factor * max(1, TILE // factor) for factor in factors)
    for y in range(top, bottom, y_step):
        for x in range(left, right, x_step):
            tile = conversion.tile((x, y, min(x + x_step, right), min(y + y_step, bottom)))
            canvas.paste(tile.reduce(factors), ((x - left) // x_factor, (y - top) // y_factor))
    return canvas


def _resize(image: Image.Image, extent: tuple[float, float], size: int, fit: Fit) -> Image.Image:
    """``size`` pixels a side, from the part of an image that ``extent`` gives."""
    width, height = extent
    square, resample = (size, size), Image.Resampling.LANCZOS
    match fit:
        case "stretch":
            return image.resize(square, resample, (0, 0, width, height))
        case "crop":
            side = min(extent)
            left, top = (width - side) / 2, (height - side) / 2
            return image.resize(square, resample, (left, top, left + side, top + side))
        case "pad":
            scale = size / max(extent)
            inner = max(1, round(scale * width)), max(1, round(scale * height))
            padded = Image.new(image.mode, square, "white")
            corner = round((size - inner[0]) / 2), round((size - inner[1]) / 2)
            padded.paste(image.resize(inner, resample, (0, 0, width, height)), corner)
            return padded
