"""Samples of image files as 8-bit grey or RGB: scaled as the file declares, in sRGB, on white.

TIFF 6.0 (Adobe 1992): BitsPerSample, PhotometricInterpretation in section 8, SampleFormat and
SMinSampleValue in section 19. PNG, third edition (W3C 2025): tRNS in section 11.3.1.1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from vae.color import to_srgb
from vae.image_files import prepare

TILE = 512  # pixels a side of what is converted at a time
MAX_UINT8, MAX_UINT16 = 255, 65_535
BITS, PHOTOMETRIC, SAMPLE_FORMAT, MIN_SAMPLE, MAX_SAMPLE = 258, 262, 339, 340, 341  # TIFF fields
SIGNED, FLOAT = 2, 3  # values of SAMPLE_FORMAT
WHITE_IS_ZERO = 0  # a value of PHOTOMETRIC
WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")


@dataclass(frozen=True)
class Range:
    """The values of wide samples, as the file declares them.

    Attributes:
        black: the value of black.
        white: the value of white.
        unsigned: whether they are 32-bit integers without a sign, which Pillow holds with one.
    """

    black: float
    white: float
    unsigned: bool = False

    def to_uint8(self, image: Image.Image) -> Image.Image:
        """Samples of one band as mode ``L``; those beyond the range are clipped."""
        stored = np.asarray(image)
        if self.unsigned:
            stored = stored.view(np.uint32)
        with np.errstate(invalid="ignore", over="ignore"):
            values = (stored.astype(np.float64) - self.black) / (self.white - self.black)
            values = np.nan_to_num(MAX_UINT8 * values.clip(0, 1))
        return Image.fromarray(values.round().astype(np.uint8))


class SampleConversion:
    """How the pixels of one image become 8-bit grey or RGB in sRGB, on white.

    Args:
        image: of any mode. If it is a file, ``prepare`` was called before it was loaded.
        channels: 1 for grey, 3 for RGB.
    """

    def __init__(self, image: Image.Image, channels: int) -> None:
        self._image, self._channels = image, channels
        declared = prepare(image)
        self._covered, self._low = declared.covered, declared.low_bytes
        self._range = _range(image) if image.mode in WIDE_MODES else None
        self._opaque = image.format == "BMP" and image.mode == "RGBA" and not _has_alpha(image)
        self._mode = _color_mode(image)
        self._convert = to_srgb(image, self._mode)

    @property
    def keeps_samples(self) -> bool:
        """Whether samples stay as they are, apart from a conversion of colours to sRGB."""
        own = self._image.mode == ("RGB" if self._channels == 3 else "L")
        return own and self._covered is None and "transparency" not in self._image.info

    def tile(self, box: tuple[int, int, int, int]) -> Image.Image:
        """A part of the image, of mode ``L`` or ``RGB``.

        Args:
            box: left, top, right and bottom, within the image.
        """
        stored = self._image.crop(box)
        alpha = self._alpha(stored, box)
        if self._range is not None:
            stored = self._range.to_uint8(stored)
        color = _without_alpha(stored, self._mode)
        if self._convert is not None:
            color = self._convert(color)
        color = color.convert("RGB" if self._channels == 3 else "L")
        if alpha is None:
            return color
        white = Image.new(color.mode, color.size, "white")
        return Image.composite(color, white, alpha)

    def _alpha(self, tile: Image.Image, box: tuple[int, int, int, int]) -> Image.Image | None:
        """Opacity, of mode ``L``; None where all is opaque."""
        if self._opaque:
            return None
        key = tile.info.get("transparency")
        if self._covered is not None:
            return _inside(tile, box, self._covered)
        if tile.mode in WIDE_MODES:
            return None if key is None else _opacity(np.asarray(tile) != key)
        if self._low is not None:
            low = np.asarray(self._low.crop(box))
            values = np.asarray(tile).astype(np.uint16) << 8 | low
            return _opacity((values != np.array(key, np.uint16)).any(-1))
        if key is None and tile.mode not in ("LA", "La", "PA", "RGBA", "RGBa"):
            return None
        return (tile.convert("LA") if tile.mode == "La" else tile).convert("RGBA").getchannel("A")


def _range(image: Image.Image) -> Range:
    """The range of samples of more than 8 bits, or of floats."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return _largest_range(image, MAX_UINT16 if image.mode.startswith("I;16") else None)
    fields = image.tag_v2
    bits, sample_format = (_first(fields.get(tag, 1)) for tag in (BITS, SAMPLE_FORMAT))
    if sample_format == FLOAT:
        declared = [_first(fields.get(tag, math.nan)) for tag in (MIN_SAMPLE, MAX_SAMPLE)]
        valid = all(map(math.isfinite, declared)) and declared[0] < declared[1]
        found = Range(declared[0], declared[1]) if valid else _largest_range(image, None)
    elif sample_format == SIGNED:
        found = Range(0, 2 ** (bits - 1) - 1)
    else:
        found = Range(0, 2**bits - 1, unsigned=image.mode == "I")
    if fields.get(PHOTOMETRIC, WHITE_IS_ZERO) == WHITE_IS_ZERO:
        return Range(found.white, found.black, found.unsigned)
    return found


def _first(value: object) -> float:
    """The value of a field, or the first of several; NaN if it is no number."""
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int | float) else math.nan


def _largest_range(image: Image.Image, white: float | None) -> Range:
    """From 0 to ``white``; where that is not declared, the largest value decides."""
    if white is None:
        largest = _largest(image)
        white = MAX_UINT16 if largest > MAX_UINT8 else MAX_UINT8
        if image.mode == "F" and largest <= 1:
            white = 1.0
    return Range(0, white)


def _largest(image: Image.Image) -> float:
    """The largest value of an image of one band; NaN if all values are."""
    return float(np.fmax.reduce([np.fmax.reduce(np.asarray(s), axis=None) for s in _strips(image)]))


def _has_alpha(image: Image.Image) -> bool:
    """Whether any pixel is not fully transparent; some programs leave the fourth byte at 0."""
    return any(strip.getchannel("A").getbbox() for strip in _strips(image))


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    """The image in parts of ``TILE`` rows."""
    width, height = image.size
    return (image.crop((0, y, width, min(y + TILE, height))) for y in range(0, height, TILE))


def _inside(
    tile: Image.Image, box: tuple[int, int, int, int], covered: tuple[int, int, int, int]
) -> Image.Image:
    """Opacity of a tile: opaque where a box of the image is covered."""
    alpha = Image.new("L", tile.size)
    left, top, right, bottom = covered
    alpha.paste(MAX_UINT8, (left - box[0], top - box[1], right - box[0], bottom - box[1]))
    return alpha


def _color_mode(image: Image.Image) -> str:
    """The mode in which the colours of an image are converted to sRGB."""
    if image.mode in ("1", "L", "LA", "La", *WIDE_MODES):
        return "L"
    return image.mode if image.mode in ("CMYK", "LAB") else "RGB"


def _without_alpha(image: Image.Image, mode: str) -> Image.Image:
    """The colours of an image, not premultiplied."""
    if image.mode == "La":
        image = image.convert("LA")
    elif image.mode == "RGBa":
        image = image.convert("RGBA")
    image.info.pop("transparency", None)
    return image if image.mode == mode else image.convert(mode)


def _opacity(opaque: npt.NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(MAX_UINT8 * opaque.astype(np.uint8))
