"""What is looked at in a picture's bytes before a decoder sees them.

Pillow walks the pieces of a file (chunks, segments, blocks, pages) in Python, one by one. A file
may have millions of empty ones, which would hold the interpreter for seconds, so they are counted
first.

Directories of fields (of a TIFF, and of the EXIF in any format) are in too many places to be found
beforehand: compressed, in segments, one within another. They are looked at where Pillow is about to
read one.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO

from PIL.TiffImagePlugin import ImageFileDirectory_v2

MAX_CHUNKS = 8192
MAX_SCANS = 64  # of a JPEG; each costs a pass over the whole picture, however short it is
MAX_EXIF = 16  # segments of a JPEG, a mebibyte; each costs a copy of those before it
MAX_FIELDS = 4096  # of a directory
MAX_VALUES = 65_536  # of all its fields
MAX_RATIONALS = 256  # each is a Python object
BYTE_TYPES = (1, 2, 7)  # fields that stay bytes
RATIONAL_TYPES = (5, 10)
TILE_SIDES = (322, 323)
INTEGER_TYPES = (3, 4)
BARE_MARKERS = {0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}  # no length follows them
RUN_LENGTHS = (1, 2)  # compressions of a BMP
START_OF_SCAN = b"\xff\xda"


class StructureLimitError(Exception):
    """The file is made of more pieces than a picture needs."""


def check(data: bytes) -> None:
    """Refuse what would take a decoder too long, whatever its size in pixels.

    Raises:
        OverfullError: with what there is too much of.
    """
    for magic, walk in WALKERS.items():
        if data.startswith(magic):
            if sum(1 for _ in islice(walk(data), MAX_CHUNKS + 1)) > MAX_CHUNKS:
                raise StructureLimitError(f"it is in more than {MAX_CHUNKS} pieces; save it anew")
            return


def scans(data: bytes) -> int:
    """Scans of a JPEG; at least one."""
    return max(1, data.count(START_OF_SCAN, _first_scan(data)))


def _png(data: bytes) -> Iterator[None]:
    place, pixels = 8, False
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IEND" or (pixels and kind == b"fcTL"):  # the next frame is not read
            return
        pixels |= kind == b"IDAT"
        place += 12 + length
        yield


def _jpeg(data: bytes) -> Iterator[None]:
    exif = 0
    for place in _segments(data):
        exif += data.startswith(b"\xff\xe1", place) and data.startswith(b"Exif\0\0", place + 4)
        if exif > MAX_EXIF:
            raise StructureLimitError(f"it has more than {MAX_EXIF} segments of EXIF; save it anew")
        yield
    if scans(data) > MAX_SCANS:
        raise StructureLimitError(f"it has more than {MAX_SCANS} scans; save it anew")


def _segments(data: bytes) -> Iterator[int]:
    """The place of each marker before the first scan, stray bytes counted as markers."""
    place = 2
    while place + 4 <= len(data) and data[place : place + 2] != START_OF_SCAN:
        yield place
        marker = data[place + 1]
        if data[place] != 0xFF or marker in (0x00, 0xFF):
            place += 1
        elif marker in BARE_MARKERS:
            place += 2
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")


def _first_scan(data: bytes) -> int:
    place = 2
    for place in islice(_segments(data), MAX_CHUNKS):  # noqa: B007 -- the last is wanted
        pass
    return place


def _gif(data: bytes) -> Iterator[None]:
    if len(data) < 13:
        return
    place = 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0)
    while place < len(data) and data[place] not in b",;":
        yield
        if data[place] != ord("!"):
            place += 1
            continue
        place += 2
        while place < len(data) and data[place]:
            yield
            place += 1 + data[place]
        place += 1


def _bmp(data: bytes) -> Iterator[None]:
    header, compression = struct.unpack_from("<I12xI", data.ljust(34, b"\0"), 14)
    if header > 12 and compression in RUN_LENGTHS:
        raise StructureLimitError("run-length encoding is not read in a BMP; save it as PNG")
    return iter(())


def _tiff(data: bytes) -> Iterator[None]:
    """The pages."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:3] == b"+"
    number, entry = _layout(order, big)
    offset = f"{order}Q" if big else f"{order}I"
    try:
        (page,) = struct.unpack_from(offset, data, 8 if big else 4)
        while page:
            (fields,) = struct.unpack_from(number, data, page)
            yield
            end = page + struct.calcsize(number) + fields * struct.calcsize(entry)
            (page,) = struct.unpack_from(offset, data, end)
    except (struct.error, OverflowError):  # it breaks off, which the decoder tells
        return


def _layout(order: str, big: bool) -> tuple[str, str]:
    """How the number of fields is written, and the tag, type and count of each."""
    return (f"{order}Q", f"{order}HHQ8x") if big else (f"{order}H", f"{order}HHI4x")


def check_fields(file: IO[bytes], order: str, big: bool) -> None:
    """Refuse a directory that would take too long to read; ``file`` stays at its beginning.

    Args:
        file: at the number of fields.
        order: of bytes, as in ``struct``.
        big: whether it is of a BigTIFF.

    Raises:
        OverfullError: with what there is too much of.
    """
    number, entry = _layout(order, big)
    place, size = file.tell(), struct.calcsize(entry)
    fields = int.from_bytes(file.read(struct.calcsize(number)), "little" if order == "<" else "big")
    if fields > MAX_FIELDS:
        raise StructureLimitError(f"it has {fields} fields together; at most {MAX_FIELDS} are read")
    entries = file.read(fields * size)
    file.seek(place)
    values = rationals = 0
    for tag, kind, count in struct.iter_unpack(entry, entries[: len(entries) // size * size]):
        if tag in TILE_SIDES and kind not in INTEGER_TYPES:
            raise StructureLimitError(f"field {tag} of it is of type {kind}; save it anew")
        values += 0 if kind in BYTE_TYPES else count
        rationals += count if kind in RATIONAL_TYPES else 0
    for found, limit in ((values, MAX_VALUES), (rationals, MAX_RATIONALS)):
        if found > limit:
            raise StructureLimitError(f"its fields have {found} values; at most {limit} are read")


def _checking(load: Callable[[ImageFileDirectory_v2, IO[bytes]], None]) -> Callable[..., None]:
    def checked(directory: ImageFileDirectory_v2, file: IO[bytes]) -> None:
        check_fields(file, "<" if directory.prefix == b"II" else ">", directory._bigtiff)
        load(directory, file)

    return checked


# Every directory that Pillow reads, it reads with this; the tests know each way to it.
ImageFileDirectory_v2.load = _checking(ImageFileDirectory_v2.load)  # type: ignore[method-assign]


WALKERS: dict[bytes, Callable[[bytes], Iterator[None]]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8": _jpeg,
    b"GIF8": _gif,
    b"BM": _bmp,
    b"II": _tiff,
    b"MM": _tiff,
}
