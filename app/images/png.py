"""Encodes uint8 arrays as PNG, fast: one filter for the whole image and ISA-L's deflate.

PNG, third edition (W3C 2025): chunk layout in section 5, filter type Up in section 9.2, iTXt and
tEXt in section 11.3.3.
"""

import struct
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 3: 2}  # by number of channels: grey, RGB
UP_FILTER = 2


def encode(pixels: npt.NDArray[np.uint8], text: Mapping[str, str] | None = None) -> bytes:
    """A lossless 8-bit PNG.

    Args:
        pixels: uint8 ``(H, W, C)`` with C 1 (grey) or 3 (RGB), at least one pixel.
        text: Latin-1 keywords and texts, written as tEXt chunks before the pixels.

    Returns:
        the file.
    """
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    filtered = np.empty((height, 1 + width * channels), np.uint8)
    filtered[:, 0] = UP_FILTER
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0)
    chunks = [_chunk(b"IHDR", header)]
    for keyword, value in (text or {}).items():
        chunks.append(_chunk(b"tEXt", f"{keyword}\0{value}".encode("latin-1")))
    chunks.append(_chunk(b"IDAT", isal_zlib.compress(filtered, 1)))
    chunks.append(_chunk(b"IEND", b""))
    return SIGNATURE + b"".join(chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(name))
    return b"".join((struct.pack(">I", len(data)), name, data, struct.pack(">I", checksum)))
