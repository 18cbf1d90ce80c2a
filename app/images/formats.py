"""Image files by the format that their first bytes say, each opened by its own reader of Pillow.

``Image.open`` would hide the reason why a file is refused.
"""

import io
import math
import re
from typing import NamedTuple

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from app.images import guards, jpeg_segments, png_chunks
from app.images.errors import UnsupportedImageError
from app.images.helper_image import BYTES_PER_PIXEL, HelperImage
from app.images.iso_media import declared, kind_of

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "HEIC", "GIF", "BMP", "TIFF")
HEAD_LENGTH = 16  # bytes by which formats are told
SAMPLE_FORMATS = {1: "unsigned integer", 2: "signed integer", 3: "floating-point"}
COLORS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "CIELAB"}
EXIF_FIELDS = (34665, 34853, 40965)  # that point to further directories
# What the readers say of files that are in order.
UNSUPPORTED = re.compile(r"cannot handle|not yet supported|Unsupported BMP|unknown compression")


class _Format(NamedTuple):
    name: str
    magics: tuple[bytes, ...]
    reader: type[ImageFile.ImageFile]


READERS = (
    _Format("PNG", (b"\x89PNG\r\n\x1a\n",), PngImagePlugin.PngImageFile),
    _Format("JPEG", (b"\xff\xd8\xff",), JpegImagePlugin.JpegImageFile),
    _Format("GIF", (b"GIF87a", b"GIF89a"), GifImagePlugin.GifImageFile),
    _Format("BMP", (b"BM",), BmpImagePlugin.BmpImageFile),
    _Format("TIFF", tuple(TiffImagePlugin.PREFIXES), TiffImagePlugin.TiffImageFile),
    _Format("WEBP", (b"RIFF",), WebPImagePlugin.WebPImageFile),
)


def is_image(head: bytes) -> bool:
    """Whether the first ``HEAD_LENGTH`` bytes are those of an image, and of no text."""
    found = _format_of(head)
    if found is not None and found.name == "BMP":  # two letters, with which a text may begin
        return head[6:10] == bytes(4)
    return found is not None or kind_of(head) is not None


def open_image(data: bytes, max_memory: int) -> tuple[Image.Image, int]:
    """An image file, not decoded yet, and the bytes that were copied to read it.

    Metadata that cannot be read are left aside, and so is what follows the end of the image.

    Args:
        data: the file.
        max_memory: bytes that an image may take; what decoders may take that have no such limit
            follows from it.

    Raises:
        UnsupportedImageError: if the bytes are not of a supported format, or their samples have a
            layout that is not supported.
        StructureLimitError: as ``app.images.guards``.
        Exception: whatever Pillow raises on a damaged file.
    """
    other = kind_of(data)
    if other is not None:
        size, profile = declared(data)
        helper = HelperImage(data, other, size, max_memory)
        helper.info["icc_profile"] = profile
        return helper, 0
    found = _format_of(data)
    if found is None:
        raise UnsupportedImageError(
            f"not a supported image format; send one of {', '.join(FORMATS)}"
        )
    guards.check(data)
    kept = data
    if found.name == "PNG":
        kept = png_chunks.readable(data)
    elif found.name == "WEBP":
        kept = data[: 8 + int.from_bytes(data[4:8], "little")]
    try:
        image = found.reader(io.BytesIO(kept))
    except guards.StructureLimitError:
        raise
    except Exception as error:  # Pillow raises errors of many types on malformed files
        if found.name != "JPEG":
            raise _unsupported(data, found.name, error) or error from None
        kept = jpeg_segments.without_metadata(data)
        image = _read_again(found, kept)
    _leave_aside(image)
    if found.name == "WEBP" and BYTES_PER_PIXEL["WEBP"] * math.prod(image.size) > max_memory:
        helper = HelperImage(kept, "WEBP", image.size, max_memory)
        helper.info = image.info
        return helper, 0
    return image, 0 if kept is data else len(kept)


def _read_again(found: _Format, data: bytes) -> ImageFile.ImageFile:
    """A file without the metadata for which its reader may have failed."""
    try:
        return found.reader(io.BytesIO(data))
    except Exception as error:
        raise _unsupported(data, found.name, error) or error from None


def _leave_aside(image: ImageFile.ImageFile) -> None:
    """Keep Pillow from reading metadata for which it would decode the image, or fail to."""
    if image.format == "PNG" and "Raw profile type exif" not in image.info:
        image.info.setdefault("exif", b"")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        fields = image.getexif()
        for tag in EXIF_FIELDS:
            if tag in fields:
                del fields[tag]


def _format_of(data: bytes) -> _Format | None:
    found = next((each for each in READERS if data.startswith(each.magics)), None)
    return None if found is not None and found.name == "WEBP" and data[8:12] != b"WEBP" else found


def _unsupported(data: bytes, name: str, error: Exception) -> UnsupportedImageError | None:
    """The error of a file that is in order and has a layout that is not supported."""
    if name == "TIFF" and str(error) in ("unknown pixel mode", "unknown data organization"):
        return UnsupportedImageError(
            f"a TIFF of {_tiff_layout(data)} is not supported; save it with 8 or 16 bits a sample"
        )
    if UNSUPPORTED.search(str(error)):
        return UnsupportedImageError(f"this {name} is not supported: {error}; save it as PNG")
    return None


def _tiff_layout(data: bytes) -> str:
    """The layout of a TIFF in words, such as ``64-bit floating-point RGB samples``."""
    fields = TiffImagePlugin.ImageFileDirectory_v2(
        data[: 16 if data[2:4] in (b"+\0", b"\0+") else 8]
    )
    file = io.BytesIO(data)
    file.seek(fields.next)
    fields.load(file)

    def value(tag: int, default: int) -> object:
        found = fields.get(tag, default)
        return found[0] if isinstance(found, tuple) and found else found

    bits, kind, color = value(258, 1), value(339, 1), value(262, 0)
    kinds = SAMPLE_FORMATS.get(kind, "undefined") if isinstance(kind, int) else "undefined"
    colors = COLORS.get(color) if isinstance(color, int) else None
    return f"{bits}-bit {kinds} {colors or f'samples of photometric interpretation {color}'}"
