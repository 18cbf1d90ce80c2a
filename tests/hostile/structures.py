"""Images of very many frames, fields or pieces, or of huge metadata."""

import struct
import zlib
from collections.abc import Iterator

from tests.hostile import formats
from tests.hostile.cases import Case, in_turn
from tests.hostile.formats import MIB, PNG_MAGIC, chunk, dot, flat


def animations() -> Iterator[Case]:
    """Thousands of frames and pages, of which the first counts."""

    def images() -> Iterator[tuple[str, bytes]]:
        for count in (2, 1_000, 50_000):
            yield f"GIF of {count} frames", formats.gif(1, 1, frames=count)
            yield f"APNG of {count} frames", formats.apng(count)
            pages = [formats.fields(8, 8)] * count
            yield f"TIFF of {count} pages", formats.tiff(pages)
        ring = bytearray(formats.tiff([formats.fields(8, 8)]))
        ring[-4:] = ring[4:8]
        yield "TIFF whose page follows itself", bytes(ring)

    yield from in_turn(images())


def metadata() -> Iterator[Case]:
    """EXIF, ICC, text and comments that are huge, broken or say that they are."""

    def images() -> Iterator[tuple[str, bytes]]:
        many = [(0x0112, 5, 500_000, 8), *formats.fields(8, 8)]
        exif = formats.tiff([many], bytes(4 * MIB))
        profile = b"a\0\0" + zlib.compress(bytes(50 * MIB))
        yield "PNG with EXIF of many rationals", dot(chunk(b"eXIf", exif))
        yield "PNG with huge EXIF", dot(chunk(b"eXIf", bytes(10 * MIB)))
        yield "PNG with an ICC bomb", dot(chunk(b"iCCP", profile))
        yield "PNG with a text bomb", dot(chunk(b"zTXt", profile))
        yield (
            "PNG with 90 text bombs",
            dot(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(MIB))) * 90),
        )
        international = b"a\0\1\0\0\0" + zlib.compress(bytes(50 * MIB))
        yield "PNG with an iTXt bomb", dot(chunk(b"iTXt", international))
        yield "PNG with a long text", dot(chunk(b"tEXt", b"lorgnette\0" + b"[" * MIB))
        yield "PNG with a text after it", dot(after=chunk(b"tEXt", b"a\0" + bytes(10 * MIB)))
        for length in (2**31 - 1, 2**32 - 1):
            text = struct.pack(">I", length) + b"tEXta\0b"
            yield f"PNG with a text of {length}", PNG_MAGIC + dot()[8:33] + text
        icc = b"".join(
            b"\xff\xe2\xff\xffICC_PROFILE\0" + bytes((i + 1, 200)) + bytes(65_519)
            for i in range(200)
        )
        yield "JPEG with huge ICC", formats.with_segments(icc)
        app1 = b"\xff\xe1\xff\xffExif\0\0" + exif[:65_527]
        yield "JPEG with cut EXIF", formats.with_segments(app1)
        yield (
            "TIFF with rationals",
            formats.tiff([[*formats.fields(8, 8), (282, 5, 500_000, 8)]], bytes(4 * MIB)),
        )
        strips = [(273, 4, MIB, 8), *(f for f in formats.fields(8, 8) if f[0] != 273)]
        yield "TIFF with a million strips", formats.tiff([strips], bytes(4 * MIB))
        comment = b"!\xfe" + (b"\xff" + bytes(255)) * 40_000 + b"\0"
        yield "GIF with a long comment", formats.gif(1, 1, comment)

    yield from in_turn(images())


def directories() -> Iterator[Case]:
    """Fields of millions of values wherever a decoder reads fields, or millions of fields."""

    def images() -> Iterator[tuple[str, bytes]]:
        size = 14 * MIB
        exif = formats.rationals(size // 8)
        yield "JPEG with rationals", formats.with_segments(formats.exif_segments(exif))
        yield "PNG with rationals", dot(chunk(b"eXIf", exif))
        yield "PNG with rationals in a text", dot(formats.raw_profile(exif))
        yield "PNG with packed rationals", dot(formats.raw_profile(formats.rationals(60_000)))
        for name, kind, length in (("rationals", 5, 8), ("signed bytes", 6, 1), ("shorts", 3, 2)):
            page = [(0x9999, kind, size // length, 100)]
            data = b"\x90" * size
            yield (
                f"TIFF with {name} within",
                formats.sub_directory(page, 34665, 34853, data=data),
            )
        page = [(tag, 5, 256, 8) for tag in range(1, 4_000)]
        yield (
            "TIFF with many fields of rationals",
            formats.sub_directory(page, 34665, 34853, data=bytes(size)),
        )
        page = [(tag, 3, 1, 1) for tag in range(1, 65_000)]
        yield "TIFF with many fields", formats.sub_directory(page, 34665, 34853, 40965)

    yield from in_turn(images())  # EXIF is left aside, and may be accepted


def fragments() -> Iterator[Case]:
    """Files of very many empty pieces."""

    def images() -> Iterator[tuple[str, bytes]]:
        count = 300_000
        yield "PNG of empty chunks", dot(chunk(b"aaAa", b"") * count)
        yield "PNG of chunks at its end", dot(after=chunk(b"aaAa", b"") * count)
        yield "PNG of empty IDATs", dot(chunk(b"IDAT", b"") * count)
        yield "JPEG of empty comments", formats.with_segments(b"\xff\xfe\0\2" * count)
        yield "JPEG of empty segments", formats.with_segments(b"\xff\xe5\0\2" * count)
        yield "JPEG of fill bytes", formats.with_segments(b"\xff" * 4 * count)
        yield (
            "JPEG of EXIF in fragments",
            formats.with_segments(formats.exif_segments(bytes(14 * MIB), 2_000)),
        )
        skipped = b"\xff\xd9\xff\xff" + b"\xff\xfe\0\2" * 16_383 + b"\0"
        yield "JPEG of comments after its end", formats.with_segments(skipped * 20)
        yield "JPEG of many scans", many_scans(2_000)
        yield "GIF of fragments", formats.gif(1, 1, b"!\xfe" + b"\1x" * count + b"\0")
        yield "GIF of extensions", formats.gif(1, 1, b"!\xf1\0" * count)
        yield "BMP of runs of one", formats.bmp(4_000, 9_000, b"\1x" * count, 1, 8)
        yield "BMP of empty lines", formats.bmp(9_999_999, 4, b"\1x\0\0" * 4, 1, 8)

    yield from in_turn(images(), bad=True)


def many_scans(count: int) -> bytes:
    data = flat("JPEG", 2_000, 2_000, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]
