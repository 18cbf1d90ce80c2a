"""The chunks of a PNG that its first image needs, without metadata that cannot be read.

Pillow refuses a file for a text that is too long, or for a wrong checksum in a chunk that it does
not need. PNG, third edition (W3C 2025): chunks in sections 5 and 11.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE_LENGTH = 8
FRAMING = 12  # bytes of a chunk beside its data
MAX_TEXT = 2**20 - 1  # bytes of a text or a profile; more is left aside
END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
CRITICAL = (b"IHDR", b"PLTE", b"IDAT")
MIN_LENGTHS = {b"tRNS": 1, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"eXIf": 8}
KEY_LENGTHS = {0: 2, 2: 6}  # of a tRNS chunk, by colour type
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
KEYWORDS = (b"lorgnette", b"Raw profile type exif", b"XML:com.adobe.xmp")


class _Chunk(NamedTuple):
    name: bytes
    data: memoryview
    whole: memoryview  # with length, name and checksum


def readable(data: bytes) -> bytes:
    """The file with no chunks but those that are read; the same bytes where it has no others.

    Left aside are animation, unknown chunks, texts that mean nothing here, and metadata with a
    wrong checksum or of a wrong or excessive length. Metadata after the pixels are moved before
    them, so that an image need not be decoded to read them.

    Args:
        data: begins with a PNG's signature; it has passed ``app.images.guards.check``.
    """
    chunks = list(_first_image(data))
    header = next((chunk.data for chunk in chunks if chunk.name == b"IHDR"), None)
    color_type = header[9] if header is not None and len(header) > 9 else 3
    seen: set[bytes] = set()
    kept = [chunk for chunk in chunks if _is_read(chunk, color_type, seen)]
    pixels = [chunk for chunk in kept if chunk.name == b"IDAT"]
    before = [chunk for chunk in kept if chunk.name != b"IDAT"]
    if not pixels:  # broken, as the decoder will say
        return data
    ordered = [*before, *pixels]
    if len(kept) == len(chunks) and ordered == kept:
        return data
    return b"".join([data[:SIGNATURE_LENGTH], *(chunk.whole for chunk in ordered), END])


def _first_image(data: bytes) -> Iterator[_Chunk]:
    """The chunks up to the second frame or the end."""
    view, offset, has_pixels = memoryview(data), SIGNATURE_LENGTH, False
    while offset + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        if name == b"IEND" or (has_pixels and name == b"fcTL"):
            return
        has_pixels |= name == b"IDAT"
        end = offset + FRAMING + length
        yield _Chunk(name, view[offset + 8 : offset + 8 + length], view[offset:end])
        offset = end


def _is_read(chunk: _Chunk, color_type: int, seen: set[bytes]) -> bool:
    """Whether the chunk is needed, or is the first of its kind that is used and can be read."""
    name = chunk.name
    if name in CRITICAL:
        return True
    kind = name
    if name in TEXTS:
        keyword = bytes(chunk.data[:80]).partition(b"\0")[0]
        if keyword not in KEYWORDS:
            return False
        kind = keyword
    elif name != b"iCCP" and name not in MIN_LENGTHS:
        return False
    if kind in seen or not _is_intact(chunk):
        return False
    seen.add(kind)
    if name == b"tRNS":
        return len(chunk.data) >= KEY_LENGTHS.get(color_type, 1)
    return len(chunk.data) >= MIN_LENGTHS.get(name, 0) and _has_bounded_text(chunk)


def _is_intact(chunk: _Chunk) -> bool:
    """Whether the chunk is complete and its checksum is right."""
    if len(chunk.whole) != FRAMING + len(chunk.data):
        return False
    return zlib.crc32(chunk.whole[4:-4]) == int.from_bytes(chunk.whole[-4:], "big")


def _has_bounded_text(chunk: _Chunk) -> bool:
    """Whether the text or the profile of a chunk can be decompressed and is not too long."""
    if chunk.name not in (*TEXTS, b"iCCP"):
        return True
    _, _, rest = bytes(chunk.data).partition(b"\0")
    if chunk.name == b"tEXt":
        return len(rest) <= MAX_TEXT
    if chunk.name == b"iTXt":
        if len(rest) < 2 or rest[2:].count(b"\0") < 2:
            return False
        compressed, method = rest[0], rest[1]
        rest = rest[2:].split(b"\0", 2)[2]
        if not compressed:
            return len(rest) <= MAX_TEXT
    else:
        method, rest = rest[0] if rest else 1, rest[1:]
    decompressor = zlib.decompressobj()
    try:
        decompressor.decompress(rest, MAX_TEXT)
    except zlib.error:
        return False
    return method == 0 and decompressor.eof
