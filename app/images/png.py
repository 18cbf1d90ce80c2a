"""Encodes uint8 arrays as PNG, fast: one filter for the whole image and ISA-L's deflate.

PNG, third edition (W3C 2025): chunk layout in section 5, filter type Up in section 9.2, iCCP in
section 11.3.2.3, iTXt and tEXt in section 11.3.3.
"""

import struct
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 3: 2}  # by number of channels: grey, RGB
UP = 2
STRIP_ROWS = 64  # of a large image, filtered and compressed at a time


def encode(pixels: npt.NDArray[np.uint8], text: Mapping[str, str] | None = None) -> bytes:
    """A lossless 8-bit PNG.

    Args:
        pixels: uint8 ``(H, W, C)`` with C 1 (grey) or 3 (RGB), at least one pixel.
        text: Latin-1 keywords and texts, written as tEXt chunks before the pixels.

    Returns:
        the file.
    """
    height, width, channels = pixels.shape
    chunks = [header(width, height, channels)]
    for keyword, value in (text or {}).items():
        chunks.append(chunk(b"tEXt", f"{keyword}\0{value}".encode("latin-1")))
    chunks.append(chunk(b"IDAT", compress(pixels)))
    chunks.append(chunk(b"IEND", b""))
    return SIGNATURE + b"".join(chunks)


def compress(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The content of the IDAT chunk of an image, see ``encode``: a zlib stream."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    return isal_zlib.compress(_filter(rows, np.zeros_like(rows[0])), 1)


def encode_image(image: Image.Image, icc_profile: bytes | None = None) -> bytes:
    """A lossless 8-bit PNG of an image that may be large; beside its result this takes little.

    Args:
        image: of mode ``L`` or ``RGB``.
        icc_profile: of that mode, written as an iCCP chunk.

    Returns:
        the file.
    """
    chunks = [SIGNATURE, header(*image.size, len(image.getbands()))]
    if icc_profile is not None:
        profile = isal_zlib.compress(icc_profile, 1)
        chunks.append(chunk(b"iCCP", b"ICC profile\0\0" + profile))
    compressor = isal_zlib.compressobj(1)
    for filtered in _filtered_strips(image):
        data = compressor.compress(filtered)
        if data:
            chunks.append(chunk(b"IDAT", data))
    chunks.append(chunk(b"IDAT", compressor.flush()))
    chunks.append(chunk(b"IEND", b""))
    return b"".join(chunks)


def _filtered_strips(image: Image.Image) -> Iterator[npt.NDArray[np.uint8]]:
    """The filtered rows of an image, ``STRIP_ROWS`` at a time."""
    width, height = image.size
    above = np.zeros(width * len(image.getbands()), np.uint8)
    for top in range(0, height, STRIP_ROWS):
        strip = np.asarray(image.crop((0, top, width, min(top + STRIP_ROWS, height))))
        rows = strip.reshape(len(strip), -1)
        yield _filter(rows, above)
        above = rows[-1]


def _filter(rows: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Rows ``(H, N)`` with the filter Up, each after the number of the filter: ``(H, 1 + N)``."""
    filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP
    np.subtract(rows[0], above, out=filtered[0, 1:])
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def header(width: int, height: int, channels: int) -> bytes:
    """The IHDR chunk of an 8-bit image, grey or RGB."""
    fields = struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0)
    return chunk(b"IHDR", fields)


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk: length, name, data and checksum."""
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(name))
    return b"".join((struct.pack(">I", len(data)), name, data, struct.pack(">I", checksum)))
