"""Limits on the structure of an image file, checked before a decoder parses it.

Pillow parses the chunks of a file (PNG chunks, JPEG segments, GIF blocks, TIFF pages) in Python,
one by one. A file may have millions of empty ones, which would hold the interpreter for seconds, so
they are counted first.

Directories of fields (in TIFF, and in the EXIF metadata of any format) can be compressed, split
over segments and nested, so they cannot be located beforehand without repeating all of Pillow's
parsing. ``ImageFileDirectory_v2.load`` is the one method that parses all of them, and Pillow has no
hook or option before it. So this module wraps that method when it is imported.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from app.images.jpeg_segments import count_scans, segments

MAX_CHUNKS = 8192
MAX_SCANS = 64  # of a JPEG; each costs a pass over the whole image, however short it is
MAX_EXIF_SEGMENTS = 16  # of a JPEG, a mebibyte; each costs a copy of those before it
MAX_FIELDS = 4096  # of a directory
MAX_VALUES = 65_536  # of all fields of a directory
MAX_RATIONALS = 256  # of all fields of a directory; each is a Python object
BYTE_TYPES = (1, 2, 7)  # types of fields that stay bytes
RATIONAL_TYPES = (5, 10)
INTEGER_TYPES = (3, 4)
TILE_SIZE_TAGS = (322, 323)  # width, length
RUN_LENGTH_COMPRESSIONS = (1, 2)  # of a BMP
PNG_SIGNATURE_LENGTH = 8
GIF_HEADER_LENGTH = 13


class StructureLimitError(ValueError):
    """The file has more parts than an image needs.

    A ``ValueError``, so that EXIF with too many fields is left aside like EXIF that is damaged.
    """


def check(data: bytes) -> None:
    """Refuse a file whose structure would take a decoder too long to parse.

    Raises:
        StructureLimitError: with the limit that it exceeds.
    """
    for magic, walk in WALKERS.items():
        if data.startswith(magic):
            if sum(1 for _ in islice(walk(data), MAX_CHUNKS + 1)) > MAX_CHUNKS:
                raise StructureLimitError(f"it has more than {MAX_CHUNKS} chunks; save it again")
            return


def _png(data: bytes) -> Iterator[None]:
    """The chunks up to the end of the first frame."""
    offset, has_pixels = PNG_SIGNATURE_LENGTH, False
    while offset + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        if name == b"IEND" or (has_pixels and name == b"fcTL"):
            return
        has_pixels |= name == b"IDAT"
        offset += 12 + length
        yield


def _jpeg(data: bytes) -> Iterator[None]:
    """The segments before the first scan."""
    exif = 0
    for offset in segments(data):
        exif += data.startswith(b"\xff\xe1", offset) and data.startswith(b"Exif\0\0", offset + 4)
        if exif > MAX_EXIF_SEGMENTS:
            raise StructureLimitError(
                f"it has more than {MAX_EXIF_SEGMENTS} segments of EXIF; save it again"
            )
        yield
    if count_scans(data) > MAX_SCANS:
        raise StructureLimitError(f"it has more than {MAX_SCANS} scans; save it again")


def _gif(data: bytes) -> Iterator[None]:
    """The blocks up to the first frame."""
    if len(data) < GIF_HEADER_LENGTH:
        return
    palette = 3 << (data[10] & 7) + 1 if data[10] & 128 else 0
    offset = GIF_HEADER_LENGTH + palette
    while offset < len(data) and data[offset] not in b",;":
        yield
        if data[offset] != ord("!"):
            offset += 1
            continue
        offset += 2
        while offset < len(data) and data[offset]:
            yield
            offset += 1 + data[offset]
        offset += 1


def _bmp(data: bytes) -> Iterator[None]:
    header, compression = struct.unpack_from("<I12xI", data.ljust(34, b"\0"), 14)
    if header > 12 and compression in RUN_LENGTH_COMPRESSIONS:
        raise StructureLimitError("run-length encoding of a BMP is not supported; save it as PNG")
    return iter(())


def _tiff(data: bytes) -> Iterator[None]:
    """The pages."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:3] == b"+"
    count_format, entry_format = _directory_layout(order, big)
    offset_format = f"{order}Q" if big else f"{order}I"
    try:
        (page,) = struct.unpack_from(offset_format, data, 8 if big else 4)
        while page:
            (fields,) = struct.unpack_from(count_format, data, page)
            yield
            end = page + struct.calcsize(count_format) + fields * struct.calcsize(entry_format)
            (page,) = struct.unpack_from(offset_format, data, end)
    except (struct.error, OverflowError):  # it is truncated, which the decoder reports
        return


def _directory_layout(order: str, big: bool) -> tuple[str, str]:
    """Formats of the number of fields, and of the tag, type and count of each field."""
    return (f"{order}Q", f"{order}HHQ8x") if big else (f"{order}H", f"{order}HHI4x")


def check_directory(file: IO[bytes], order: str, big: bool) -> None:
    """Refuse a directory that would take too long to parse; the file position stays.

    Args:
        file: at the number of fields.
        order: byte order as in ``struct``, ``<`` or ``>``.
        big: whether the file is a BigTIFF.

    Raises:
        StructureLimitError: with the limit that it exceeds.
    """
    count_format, entry_format = _directory_layout(order, big)
    start, size = file.tell(), struct.calcsize(entry_format)
    header = file.read(struct.calcsize(count_format))
    fields = int.from_bytes(header, "little" if order == "<" else "big")
    if fields > MAX_FIELDS:
        raise StructureLimitError(f"a directory has {fields} fields; the limit is {MAX_FIELDS}")
    entries = file.read(fields * size)
    file.seek(start)
    values = rationals = 0
    complete = entries[: len(entries) // size * size]
    for tag, field_type, count in struct.iter_unpack(entry_format, complete):
        if tag in TILE_SIZE_TAGS and field_type not in INTEGER_TYPES:
            raise StructureLimitError(f"field {tag} has type {field_type}; save it again")
        values += 0 if field_type in BYTE_TYPES else count
        rationals += count if field_type in RATIONAL_TYPES else 0
    for name, number, limit in (
        ("values", values, MAX_VALUES),
        ("rational values", rationals, MAX_RATIONALS),
    ):
        if number > limit:
            raise StructureLimitError(f"a directory has {number} {name}; the limit is {limit}")


def _checked(load: Callable[[ImageFileDirectory_v2, IO[bytes]], None]) -> Callable[..., None]:
    def checked_load(directory: ImageFileDirectory_v2, file: IO[bytes]) -> None:
        check_directory(file, "<" if directory.prefix == b"II" else ">", directory._bigtiff)
        load(directory, file)

    return checked_load


ImageFileDirectory_v2.load = _checked(ImageFileDirectory_v2.load)  # type: ignore[method-assign]


WALKERS: dict[bytes, Callable[[bytes], Iterator[None]]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8": _jpeg,
    b"GIF8": _gif,
    b"BM": _bmp,
    b"II": _tiff,
    b"MM": _tiff,
}
