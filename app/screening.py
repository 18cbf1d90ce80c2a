"""What is looked at in a picture's bytes before a decoder sees them.

Pillow walks the pieces of a file (chunks, segments, blocks, pages) in Python, one by one. A file
may have millions of empty ones, which would hold the interpreter for seconds, so they are counted
first.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import islice

MAX_PIECES = 8192
MAX_SCANS = 64  # of a JPEG; each costs a pass over the whole picture, however short it is
MAX_VALUES = 65_536  # of a TIFF field
MAX_RATIONALS = 256  # each is a Python object
BYTE_TYPES = (1, 2, 6, 7)  # TIFF fields that stay bytes
RATIONAL_TYPES = (5, 10)
RUN_LENGTHS = (1, 2)  # compressions of a BMP
START_OF_SCAN = b"\xff\xda"


class OverfullError(Exception):
    """The file is made of more pieces than a picture needs."""


def check(data: bytes) -> None:
    """Refuse what would take a decoder too long, whatever its size in pixels.

    Raises:
        OverfullError: with what there is too much of.
    """
    for magic, walk in WALKS.items():
        if data.startswith(magic):
            if sum(1 for _ in islice(walk(data), MAX_PIECES + 1)) > MAX_PIECES:
                raise OverfullError(f"it is in more than {MAX_PIECES} pieces; save it anew")
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
    yield from (None for _ in _segments(data))
    if scans(data) > MAX_SCANS:
        raise OverfullError(f"it has more than {MAX_SCANS} scans; save it anew")


def _segments(data: bytes) -> Iterator[int]:
    """The place of each marker before the first scan, stray bytes counted as markers."""
    place = 2
    while place + 4 <= len(data) and data[place : place + 2] != START_OF_SCAN:
        yield place
        marker = data[place + 1]
        if data[place] != 0xFF or marker in (0x00, 0xFF):
            place += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            place += 2
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")


def _first_scan(data: bytes) -> int:
    place = 2
    for place in islice(_segments(data), MAX_PIECES):  # noqa: B007 -- the last is wanted
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
        raise OverfullError("run-length encoding is not read in a BMP; save it as PNG")
    return iter(())


def _tiff(data: bytes) -> Iterator[None]:
    """The pages, whose fields are counted too."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:3] == b"+"
    entry = f"{order}HHQ8x" if big else f"{order}HHI4x"
    number, offset = (f"{order}Q", f"{order}Q") if big else (f"{order}H", f"{order}I")
    try:
        (page,) = struct.unpack_from(offset, data, 8 if big else 4)
        while page:
            (fields,) = struct.unpack_from(number, data, page)
            place = page + struct.calcsize(number)
            yield
            for i in range(fields):
                if i % 16 == 15:
                    yield
                _, kind, count = struct.unpack_from(entry, data, place + i * struct.calcsize(entry))
                limit = MAX_RATIONALS if kind in RATIONAL_TYPES else MAX_VALUES
                if count > limit and kind not in BYTE_TYPES:
                    raise OverfullError(
                        f"a field of it has {count} values; at most {limit} are read"
                    )
            (page,) = struct.unpack_from(offset, data, place + fields * struct.calcsize(entry))
    except (struct.error, OverflowError):  # it breaks off, which the decoder tells
        return


WALKS: dict[bytes, Callable[[bytes], Iterator[None]]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8": _jpeg,
    b"GIF8": _gif,
    b"BM": _bmp,
    b"II": _tiff,
    b"MM": _tiff,
}
