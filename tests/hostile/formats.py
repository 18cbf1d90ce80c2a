"""Files put together by hand, down to the fields that no encoder would write."""

import struct
import zlib
from collections.abc import Iterable

from PIL import Image

from tests.app.conftest import file, random_image

MIB = 2**20
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
LZW_PIXEL = b"\x02\x02\x44\x01\x00"  # a GIF image of one pixel


def whole(kind: str, size: tuple[int, int] = (40, 24)) -> bytes:
    return file(random_image(4, size), kind)


MAGICS = {kind: whole(kind)[:12] for kind in FORMATS}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int,
    height: int,
    pixels: bytes = b"",
    before: bytes = b"",
    after: bytes = b"",
    color: int = 0,
) -> bytes:
    """A PNG of 8 bits a sample; ``pixels`` are deflated already."""
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    rest = before + chunk(b"IDAT", pixels) + after + chunk(b"IEND", b"")
    return PNG_MAGIC + chunk(b"IHDR", header) + rest


def dot(before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG of one grey pixel with chunks before and after its data."""
    return png(1, 1, zlib.compress(b"\0\0"), before, after)


def flat_png(width: int, height: int, samples: int = 3) -> bytes:
    """A PNG of one colour, whole, made a megabyte at a time."""
    packer = zlib.compressobj(1)
    left = height * (1 + width * samples)
    parts = []
    while left:
        parts.append(packer.compress(bytes(min(left, 2**20))))
        left -= min(left, 2**20)
    color = {1: 0, 3: 2, 4: 6}[samples]
    return png(width, height, b"".join([*parts, packer.flush()]), color=color)


def apng(frames: int) -> bytes:
    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 1, 1, 0, 0, 1, 10, 0, 0))

    data = zlib.compress(b"\0\0")
    rest = (
        control(2 * i + 1) + chunk(b"fdAT", struct.pack(">I", 2 * i + 2) + data)
        for i in range(frames)
    )
    start = chunk(b"acTL", struct.pack(">II", frames + 1, 0)) + control(0)
    return dot(start, b"".join(rest))


def gif(width: int, height: int, extensions: bytes = b"", frames: int = 1) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + LZW_PIXEL
    return head + extensions + frame * frames + b";"


def bmp(width: int, height: int, data: bytes, compression: int = 0, bits: int = 24) -> bytes:
    table = bytes(1024) if bits == 8 else b""
    sizes = (len(data), 0, 0, len(table) // 4, 0)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, *sizes)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + len(table)) + info + table + data


Field = tuple[int, int, int, int]  # tag, type, count, value or offset


def fields(width: int, height: int, **changes: int) -> list[Field]:
    """Of an uncompressed grey TIFF of one strip at byte 8."""
    size = (width, height) if max(width, height) < 2**16 else (width % 2**32, height % 2**32)
    values = {256: size[0], 257: size[1], 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: size[1]}
    values[279] = width * height % 2**32
    values |= {int(tag.removeprefix("t")): value for tag, value in changes.items()}
    return [(tag, 4, 1, value) for tag, value in sorted(values.items())]


def tiff(pages: Iterable[list[Field]], data: bytes = bytes(512)) -> bytes:
    """Little-endian; ``data`` stands at byte 8, the pages after it."""
    place = 8 + len(data)
    out = [b"II*\0", struct.pack("<I", place), data]
    listed = list(pages)
    for i, page in enumerate(listed):
        place += 6 + 12 * len(page)
        following = place if i + 1 < len(listed) else 0
        entries = b"".join(struct.pack("<HHII", *entry) for entry in sorted(page))
        out.append(struct.pack("<H", len(page)) + entries + struct.pack("<I", following))
    return b"".join(out)


def with_segments(segments: bytes) -> bytes:
    """A JPEG with more after its first marker."""
    jpeg = whole("JPEG")
    return jpeg[:2] + segments + jpeg[2:]


def exif_segments(exif: bytes, size: int = 65_527) -> bytes:
    """The segments of a JPEG that hold an EXIF block, in pieces of a size."""
    pieces = (exif[i : i + size] for i in range(0, len(exif), size))
    return b"".join(
        b"\xff\xe1" + struct.pack(">H", len(piece) + 8) + b"Exif\0\0" + piece for piece in pieces
    )


def rationals(count: int, tag: int = 0x0128) -> bytes:
    """An EXIF block of one field; by default the unit of a resolution, which is asked for."""
    return tiff([[(tag, 5, count, 8)]], bytes(8 * count))


def raw_profile(exif: bytes) -> bytes:
    """The chunk of a PNG in which EXIF was written before there was one for it."""
    text = f"\nexif\n{len(exif):8}\n{exif.hex()}\n".encode()
    return chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text, 1))


def sub_directory(page: list[Field], *pointers: int, data: bytes = b"") -> bytes:
    """A TIFF of which each of these fields points at one and the same directory, at byte 8."""
    pointed = [(pointer, 4, 1, 8) for pointer in pointers]
    return tiff([[*fields(8, 8), *pointed]], tiff([page], b"")[8:] + data)


def tiled(width: int, height: int, side: int, data: bytes = b"") -> bytes:
    """A deflated TIFF of one tile."""
    striped = {273, 278, 279}
    page = [field for field in fields(width, height, t259=8) if field[0] not in striped]
    page += [(322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 8), (325, 4, 1, len(data))]
    return tiff([page], data)


def flat(kind: str, width: int, height: int, **options: int | str | bool) -> bytes:
    return file(Image.new("RGB", (width, height), (200, 90, 10)), kind, **options)
