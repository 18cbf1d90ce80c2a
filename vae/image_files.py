"""What Pillow must be told before it decodes a file, and what it does not tell afterwards.

TIFF 6.0 (Adobe 1992), sections 3, 8 and 19; PNG, third edition (W3C 2025), section 11.3.1.1.
"""

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile, TiffImagePlugin

KEY_SCALES: dict[Any, int] = {"L;2": 85, "L;4": 17}  # by raw mode: from 2 or 4 bits to 8
HIGH_BYTES, LOW_BYTES = "RGB;16B", "RGB;16L"  # raw modes of a PNG with samples of 16 bits
KNOWN = "lorgnette_declared"  # in the metadata of an image
II, MM = b"II", b"MM"
# Layouts that Pillow can decode and does not list: (byte order, photometric interpretation, sample
# format, fill order, bits, extra samples) -> (mode, raw mode).
LAYOUTS: Any = {
    (MM, 1, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (II, 0, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (MM, 0, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (MM, 0, (1,), 1, (16,), ()): ("I;16B", "I;16B"),
    (II, 0, (2,), 1, (16,), ()): ("I", "I;16S"),
    (MM, 0, (2,), 1, (16,), ()): ("I", "I;16BS"),
    (MM, 1, (1,), 1, (32,), ()): ("I", "I;32BS"),
    (II, 1, (3,), 1, (64,), ()): ("F", "F;64F"),
    (MM, 1, (3,), 1, (64,), ()): ("F", "F;64BF"),
}
for layout, modes in LAYOUTS.items():
    TiffImagePlugin.OPEN_INFO.setdefault(layout, modes)
# Of values that libtiff has decoded: it gives them in the byte order of the machine.
NATIVE = {"I;12": "I;12", "I;16S": "I;16NS", "I;16BS": "I;16NS", "I;32S": "I;32NS"}
NATIVE |= {"I;32BS": "I;32NS", "F;32F": "F;32NF", "F;32BF": "F;32NF", "F;64F": "F;64NF"}
NATIVE |= {"F;64BF": "F;64NF"}


@dataclass(frozen=True)
class Declared:
    """What a file declares and Pillow does not keep.

    Attributes:
        covered: the part of an opaque GIF that its first frame covers, as left, top, right and
            bottom; None if it is all.
        low_bytes: the low bytes of a 16-bit RGB PNG with a transparent colour, of which Pillow
            decodes the high ones; else None.
    """

    covered: tuple[int, int, int, int] | None
    low_bytes: Image.Image | None


def prepare(image: Image.Image) -> Declared:
    """Correct how a file is decoded; it must not be loaded yet when this is first called.

    What no frame of an animated WebP covers is transparent, the transparent level of a PNG of 2 or
    4 bits is scaled as its samples are, and samples of a compressed TIFF have the byte order that
    libtiff gives them.
    """
    known = image.info.get(KNOWN)
    if isinstance(known, Declared):
        return known
    declared = Declared(_covered(image), _low_bytes(image))
    image.info[KNOWN] = declared
    if image.format == "WEBP" and getattr(image, "is_animated", False):
        image._mode = image.rawmode = "RGBA"  # type: ignore[attr-defined]
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return declared
    tile, key = image.tile[0], image.info.get("transparency")
    if tile.codec_name == "libtiff" and isinstance(tile.args, tuple):
        raw_mode, *rest = tile.args
        image.tile = [tile._replace(args=(NATIVE.get(raw_mode, raw_mode), *rest))]
    elif tile.args in KEY_SCALES and isinstance(key, int):
        image.info["transparency"] = KEY_SCALES[tile.args] * key
    return declared


def _covered(image: Image.Image) -> tuple[int, int, int, int] | None:
    if image.format != "GIF" or "transparency" in image.info:
        return None
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    extents = tiles[0].extents if tiles else None
    return None if extents == (0, 0, *image.size) else extents


def _low_bytes(image: Image.Image) -> Image.Image | None:
    if image.format != "PNG" or not isinstance(image.info.get("transparency"), tuple):
        return None
    if not isinstance(image, ImageFile.ImageFile) or not image.tile or image.fp is None:
        return None
    if image.tile[0].args != HIGH_BYTES:
        return None
    offset = image.fp.tell()
    image.fp.seek(0)
    low = Image.open(io.BytesIO(image.fp.read()), formats=["PNG"])
    image.fp.seek(offset)
    low.tile = [low.tile[0]._replace(args=LOW_BYTES)]
    return low
