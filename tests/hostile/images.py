"""Images that are broken, or written to cost time and memory."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.app.conftest import file
from tests.hostile import formats
from tests.hostile.cases import (
    FORM,
    THREE_WAYS,
    Case,
    as_body,
    as_form,
    as_json,
    closed,
    file_part,
    in_turn,
)
from tests.hostile.formats import FORMATS, MAGICS, PNG_MAGIC, chunk, dot, flat, whole

MIB = 2**20


def truncated() -> Iterator[Case]:
    """Every format, cut at every sixteenth, in three ways."""
    for kind in FORMATS:
        data = whole(kind)
        for share in range(16):
            for way in THREE_WAYS:
                cut = data[: len(data) * share // 16]
                yield way(f"{kind} cut at {share}/16", cut, bad=share < 8)


def flipped(seed: int, count: int) -> Iterator[Case]:
    """Every format with one to eight bytes changed."""
    random = np.random.default_rng(seed)

    def images() -> Iterator[tuple[str, bytes]]:
        for kind in FORMATS:
            clean = np.frombuffer(whole(kind), np.uint8)
            for i in range(count):
                data = clean.copy()
                places = random.integers(len(data), size=random.integers(1, 9))
                data[places] = random.integers(256, size=len(places))
                yield f"{kind} with flip {i}", data.tobytes()

    yield from in_turn(images())


def mixed() -> Iterator[Case]:
    """One format under another's magic, and files that are two formats at once."""

    def images() -> Iterator[tuple[str, bytes]]:
        for kind in FORMATS:
            for other in FORMATS:
                data = whole(other)
                yield f"{other} under the magic of {kind}", MAGICS[kind] + data[12:]
                yield f"{kind} and then {other}", whole(kind) + data
                yield f"half of {kind} and then {other}", whole(kind)[:90] + data
            for name, tail in {"html": b"<script>1</script>", "zip": zip_bomb()}.items():
                yield f"{kind} and then {name}", whole(kind) + tail
                yield f"{name} and then {kind}", tail + whole(kind)

    yield from in_turn(images())


def zip_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0", bytes(10 * MIB))
    return stream.getvalue()


def not_images() -> Iterator[Case]:
    """Bytes of other kinds, and none at all."""
    kinds = {
        "nothing": b"",
        "zeros": bytes(1000),
        "a zip bomb": zip_bomb(),
        "gzip": b"\x1f\x8b\x08" + zlib.compress(bytes(MIB)),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n",
        "pdf": b"%PDF-1.7\n",
        "pickle": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
        "ico": b"\0\0\1\0\1\0" + bytes(40),
        "jpeg2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50),
        "dds": b"DDS " + bytes(200),
        "psd": b"8BPS\0\1" + bytes(60),
        "fli": bytes(4) + b"\x11\xaf" + bytes(200),
        "xbm": b"#define a_width 99999\n#define a_height 99999\nstatic char a_bits[] = {",
    }
    for magic_of, magic in MAGICS.items():
        kinds[f"the magic of {magic_of} alone"] = magic[:8]
    for name, data in kinds.items():
        for way in THREE_WAYS:
            yield way(name, data, bad=True)


def odd_shapes() -> Iterator[Case]:
    """One pixel, and one row or column of ten thousand, fitted in each way."""
    for size in ((1, 1), (1, 10_000), (10_000, 1), (2, 3)):
        for kind in FORMATS:
            data = file(Image.new("RGB", size, "red"), kind)
            for fit in ("crop", "pad", "stretch"):
                case = as_body(f"{kind} of {size} by {fit}", data)
                yield Case(case.name, f"/encode?fit={fit}", data, case.headers)


def too_large() -> Iterator[Case]:
    """Headers that promise more pixels or memory than is given; to be refused undecoded."""
    side, data = 30_000, zlib.compress(bytes(50 * 30_001))
    images = {
        "PNG of one colour": formats.png(side, side, data),
        "PNG of 2**31 - 1": formats.png(2**31 - 1, 2**31 - 1, data),
        "GIF": formats.gif(65_535, 65_535),
        "BMP": formats.bmp(side, side, bytes(100)),
        "BMP upside down": formats.bmp(side, -side, bytes(100)),
        "TIFF": formats.tiff([formats.fields(side, side)]),
        "TIFF of a huge tile": formats.tiled(8, 8, 40_000, data),
        "TIFF of 2**32 - 1": formats.tiff([formats.fields(2**32 - 1, 2**32 - 1)]),
        "JPEG": resized_jpeg(65_500),
        "WebP": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\x3f\0" * 2,
        "RGB PNG beyond memory": formats.flat_png(6_300, 6_300),
        "WebP beyond memory": flat("WEBP", 3_000, 3_000, method=0, quality=10),
    }
    for name, image in images.items():
        for way in THREE_WAYS:
            yield way(f"huge {name}", image, bad=True)


def resized_jpeg(side: int) -> bytes:
    """A small JPEG whose frame header says otherwise."""
    data = bytearray(whole("JPEG"))
    place = data.index(b"\xff\xc0") + 5
    struct.pack_into(">HH", data, place, side, side)
    return bytes(data)


def as_large_as_may_be() -> Iterator[Case]:
    """Images just within the limits, of little data."""
    images = {
        "grey PNG": formats.flat_png(6_300, 6_300, samples=1),
        "RGB PNG": formats.flat_png(4_900, 4_900),
        "RGBA PNG": formats.flat_png(4_900, 4_900, samples=4),
        "JPEG": flat("JPEG", 6_300, 6_300),
        "progressive JPEG": flat("JPEG", 4_000, 4_000, progressive=True, subsampling=0),
        "WebP": flat("WEBP", 2_200, 2_200, method=0, quality=10),
        "lossless WebP": flat("WEBP", 2_200, 2_200, method=0, lossless=True),
        "TIFF": flat("TIFF", 2_850, 2_850, compression="tiff_deflate"),
        "GIF": flat("GIF", 6_300, 6_300),
        "BMP": flat("BMP", 2_300, 2_300),
    }
    for name, image in images.items():
        yield as_form(f"large {name}", image)
        yield Case(f"large {name} padded", "/encode?fit=pad", image, {"Content-Type": "image/x"})
        yield as_json(f"large {name}", image)


def many_at_once() -> Iterator[Case]:
    """Small files of many pixels, 64 in a request."""
    for name, data in {
        "PNG": formats.flat_png(2_500, 2_500),
        "JPEG": flat("JPEG", 5_000, 5_000),
        "WebP": flat("WEBP", 1_500, 1_500, method=0, quality=10),
    }.items():
        body = closed(*[file_part("image", data)] * 64)
        yield Case(f"64 {name} of many pixels", "/encode", body, FORM, bad=True)


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

    yield from in_turn(images(), bad=True)


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
