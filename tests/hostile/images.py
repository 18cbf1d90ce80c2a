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
from tests.hostile.formats import FORMATS, MAGICS, MIB, flat, whole


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
        "WebP beyond memory": flat("WEBP", 4_600, 4_600, method=0, quality=10),
        "HEIC": b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(20),
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
