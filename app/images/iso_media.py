"""The size and the colour profile of an AVIF or HEIC image, from the boxes of its file.

ISO/IEC 14496-12 (boxes, ``colr``), ISO/IEC 23008-12 (image items: ``pitm``, ``ipma``, ``ispe``,
``clap``, ``irot``).
"""

import struct
from collections.abc import Iterator

MAX_BOXES = 4096  # of one level
AVIF_BRANDS = (b"avif", b"avis")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
CONTAINER_BRANDS = (b"mif1", b"msf1")  # of either
PROFILES = (b"prof", b"rICC")  # of a colr box
FULL_BOX = 4  # bytes of version and flags
Box = tuple[bytes, bytes]  # type and content


class NoImageError(ValueError):
    """The file has no image whose size is declared."""


def kind_of(head: bytes) -> str | None:
    """``AVIF`` or ``HEIC`` by the brands in the first 32 bytes of a file; None if it is neither."""
    if head[4:8] != b"ftyp":
        return None
    padded = head.ljust(32, b"\0")
    brands = [head[8:12], *struct.unpack_from("4s4s4s4s", padded, 16)]
    if any(brand in AVIF_BRANDS for brand in brands):
        return "AVIF"
    return "HEIC" if any(b in (*HEIC_BRANDS, *CONTAINER_BRANDS) for b in brands) else None


def declared(data: bytes) -> tuple[tuple[int, int], bytes | None]:
    """What a file declares of its primary image.

    Returns:
        width and height in pixels, upright and cropped as the file says; the ICC profile.

    Raises:
        NoImageError: if the file does not declare the size.
    """
    try:
        meta = dict(_boxes(_find(data, b"meta")[FULL_BOX:]))
        primary = meta[b"pitm"]
        item = int.from_bytes(primary[FULL_BOX : FULL_BOX + (4 if primary[0] else 2)], "big")
        properties = dict(_boxes(meta[b"iprp"]))
        listed = list(_boxes(properties[b"ipco"]))
        own = [listed[i - 1] for i in _associations(properties[b"ipma"], item) if i]
        profiles = (c[4:] for name, c in own if name == b"colr" and c[:4] in PROFILES)
        return _size(own), next(profiles, None)
    except (LookupError, struct.error, ZeroDivisionError) as error:
        raise NoImageError("the file declares no image") from error


def _size(properties: list[Box]) -> tuple[int, int]:
    size = None
    for name, content in properties:
        if name == b"ispe":
            size = struct.unpack_from(">II", content, FULL_BOX)
        elif name == b"clap" and size is not None:
            numbers = struct.unpack_from(">4I", content)
            size = round(numbers[0] / numbers[1]), round(numbers[2] / numbers[3])
        elif name == b"irot" and size is not None and content[0] & 1:
            size = size[1], size[0]
    if size is None or 0 in size:
        raise NoImageError("the file declares no size of its image")
    return size[0], size[1]


def _boxes(data: bytes) -> Iterator[Box]:
    """The boxes of one level."""
    offset = 0
    for _ in range(MAX_BOXES):
        if offset + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, offset)
        head = 8
        if length == 1:
            (length,), head = struct.unpack_from(">Q", data, offset + 8), 16
        end = len(data) if length == 0 else offset + length
        yield name, data[offset + head : end]
        offset = max(end, offset + head)
    raise NoImageError(f"the file has more than {MAX_BOXES} boxes")


def _find(data: bytes, wanted: bytes) -> bytes:
    return next((content for name, content in _boxes(data) if name == wanted), b"")


def _associations(content: bytes, item: int) -> list[int]:
    """The numbers of an item's properties, from 1."""
    version, wide = content[0], content[3] & 1
    (count,) = struct.unpack_from(">I", content, FULL_BOX)
    offset = FULL_BOX + 4
    item_format, index_format = (">I" if version else ">H"), (">H" if wide else ">B")
    for _ in range(min(count, MAX_BOXES)):
        (found,) = struct.unpack_from(item_format, content, offset)
        offset += struct.calcsize(item_format)
        total, step = content[offset], struct.calcsize(index_format)
        offset += 1
        numbers = [
            struct.unpack_from(index_format, content, offset + step * i) for i in range(total)
        ]
        if found == item:
            return [number[0] & (0x7FFF if wide else 0x7F) for number in numbers]
        offset += step * total
    return []
