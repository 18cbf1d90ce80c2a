"""The segments of a JPEG: its scans, and what is read of its metadata.

ITU-T T.81, annex B.
"""

import re
from collections.abc import Iterator
from itertools import islice

MARKERS_WITHOUT_LENGTH = {0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
MAX_SEGMENTS = 8192  # after the first scan
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # one that ends the data of a scan
PIECE = 2**18  # searched at a time: a call into C holds the interpreter's lock
APPLICATION, COMMENT = range(0xE0, 0xF0), 0xFE
# Application segments that are read, by how they begin, and the least that they hold.
READ = {
    (0xE1, b"Exif\0\0"): 6,
    (0xE1, b"http://ns.adobe.com/xap/1.0/\0"): 29,
    (0xE2, b"ICC_PROFILE\0"): 14,
    (0xEE, b"Adobe"): 12,
}


def segments(data: bytes) -> Iterator[int]:
    """The offset of each marker before the first scan; stray bytes count as markers."""
    offset = 2
    while offset + 4 <= len(data) and data[offset : offset + 2] != b"\xff\xda":
        yield offset
        offset = _after(data, offset)


def count_scans(data: bytes) -> int:
    """Number of scans before the end of the image, at least one.

    What follows the end is not counted: a video, or a second image.
    """
    offset, scans = 2, 0
    for start in islice(segments(data), MAX_SEGMENTS):
        offset = _after(data, start)
    for _ in range(MAX_SEGMENTS):
        offset = _next_marker(data, offset)
        if offset < 0 or data[offset + 1] == END_OF_IMAGE:
            return max(1, scans)
        scans += data[offset + 1] == START_OF_SCAN
        offset = max(offset + 2, _after(data, offset))
    return MAX_SEGMENTS


def without_metadata(data: bytes) -> bytes:
    """The file without comments and application segments, apart from valid ones that are read."""
    kept, end = [data[:2]], 2
    for offset in segments(data):
        end = _after(data, offset)
        if _is_read(data[offset:end]):
            kept.append(data[offset:end])
    return b"".join([*kept, data[end:]])


def _after(data: bytes, offset: int) -> int:
    """The offset after a segment, or after a stray byte."""
    marker = data[offset + 1]
    if data[offset] != 0xFF or marker in (0x00, 0xFF):
        return offset + 1
    if marker in MARKERS_WITHOUT_LENGTH:
        return offset + 2
    return offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")


def _is_read(segment: bytes) -> bool:
    marker = segment[1] if segment[:1] == b"\xff" and len(segment) > 1 else 0
    if marker != COMMENT and marker not in APPLICATION:
        return True
    return any(
        marker == wanted and segment[4:].startswith(start) and len(segment) - 4 >= least
        for (wanted, start), least in READ.items()
    )


def _next_marker(data: bytes, offset: int) -> int:
    """The offset of the next marker that is no part of a scan's data; -1 if there is none."""
    while offset < len(data):
        match = MARKER.search(data, offset, min(len(data), offset + PIECE + 1))
        if match is not None:
            return match.start()
        offset += PIECE
    return -1
