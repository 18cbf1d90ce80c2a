"""Samples are scaled as the file declares: every kind that Pillow hands over as it is stored."""

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from app.images.errors import UnsupportedImageError
from tests.app.images.decoded import SIDE, decode
from tests.hostile import formats

LEVELS = np.linspace(0, 255, SIDE * SIDE).reshape(SIDE, SIDE)  # black to white
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


def tiff(
    samples: bytes,
    bits: int,
    sample_format: int = UNSIGNED,
    order: str = "<",
    *,
    photometric: int = 1,
    count: int = 1,
    compressed: bool = False,
    fields: dict[int, tuple[int, int, bytes]] | None = None,
) -> bytes:
    """A TIFF of one strip. ``fields`` are more of them: tag to type, count and value."""
    samples = zlib.compress(samples) if compressed else samples
    compression = 8 if compressed else 1
    values = {256: SIDE, 257: SIDE, 259: compression, 262: photometric, 273: 8, 277: count}
    values |= {278: SIDE, 279: len(samples)}
    entries = {tag: (4, 1, struct.pack(f"{order}I", value)) for tag, value in values.items()}
    for tag, value in ((258, bits), (339, sample_format)):
        if count == 1:
            entries[tag] = (3, 1, struct.pack(f"{order}HH", value, 0))
        else:
            packed = struct.pack(f"{order}{count}H", *[value] * count)
            entries[tag] = (3, count, struct.pack(f"{order}I", 8 + len(samples)))
            samples += packed
    entries |= fields or {}
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(samples))
    listed = b"".join(
        struct.pack(f"{order}HHI", t, *e[:2]) + e[2] for t, e in sorted(entries.items())
    )
    return head + samples + struct.pack(f"{order}H", len(entries)) + listed + bytes(4)


def stored(kind: str, scale: float) -> bytes:
    values = LEVELS / 255 * scale
    return (values if "f" in kind else values.round()).astype(kind).tobytes()


def packed_12() -> bytes:
    first, second = (LEVELS / 255 * 4095).round().astype(int).reshape(-1, 2).T
    parts = first >> 4, (first & 15) << 4 | second >> 8, second & 255
    return np.stack(parts, 1).astype(np.uint8).tobytes()


def apart(data: bytes, expected: npt.NDArray[np.float64]) -> float:
    return float(np.abs(decode(data)[:, :, 0] - expected).max())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("kind", "scale", "bits", "sample_format"),
    [
        ("u2", 65_535, 16, UNSIGNED),
        ("u4", 2**32 - 1, 32, UNSIGNED),
        ("i2", 32_767, 16, SIGNED),
        ("i4", 2**31 - 1, 32, SIGNED),
        ("f4", 1, 32, FLOAT),
        ("f4", 255, 32, FLOAT),
        ("f8", 1, 64, FLOAT),
    ],
)
def test_wide_samples_of_a_tiff_are_scaled_by_their_range(
    kind: str, scale: float, bits: int, sample_format: int, order: str, compressed: bool
) -> None:
    data = tiff(stored(order + kind, scale), bits, sample_format, order, compressed=compressed)
    assert apart(data, LEVELS) <= 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_samples_of_12_bits(order: str) -> None:
    assert apart(tiff(packed_12(), 12, order=order), LEVELS) <= 1
    assert apart(tiff(packed_12(), 12, order=order, photometric=0), 255 - LEVELS) <= 1


@pytest.mark.parametrize(("kind", "scale", "bits"), [("<u2", 65_535, 16), (">u2", 65_535, 16)])
@pytest.mark.parametrize("compressed", [False, True])
def test_white_is_zero(kind: str, scale: float, bits: int, compressed: bool) -> None:
    data = tiff(stored(kind, scale), bits, 1, kind[0], photometric=0, compressed=compressed)
    assert apart(data, 255 - LEVELS) <= 1


def test_the_range_of_floats_may_be_declared() -> None:
    values = stored("<f4", 8000)
    declared = {
        340: (11, 1, struct.pack("<f", -8000)),
        341: (11, 1, struct.pack("<f", 8000)),
    }
    assert apart(tiff(values, 32, FLOAT, fields=declared), (LEVELS + 255) / 2) <= 1
    declared[341] = (11, 1, struct.pack("<f", np.nan))
    assert decode(tiff(values, 32, FLOAT, fields=declared)).max() > 0


@pytest.mark.parametrize(
    ("kind", "bits", "sample_format", "words"),
    [
        ("<f4", 32, FLOAT, "32-bit floating-point RGB"),
        ("<f8", 64, FLOAT, "64-bit floating-point RGB"),
        ("<u4", 32, UNSIGNED, "32-bit unsigned integer RGB"),
        ("<i2", 16, SIGNED, "16-bit signed integer RGB"),
    ],
)
def test_a_layout_that_is_not_supported_is_named(
    kind: str, bits: int, sample_format: int, words: str
) -> None:
    samples = np.zeros((SIDE, SIDE, 3), kind).tobytes()
    with pytest.raises(UnsupportedImageError, match=words):
        decode(tiff(samples, bits, sample_format, photometric=2, count=3))


def png(samples: npt.NDArray[Any], bits: int, color_type: int, chunks: bytes) -> bytes:
    """Of rows of bytes that are packed already."""
    rows = samples.astype(samples.dtype.newbyteorder(">")).reshape(SIDE, -1)
    filtered = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, bits, color_type, 0, 0, 0)
    pixels = formats.chunk(b"IDAT", zlib.compress(filtered))
    parts = formats.chunk(b"IHDR", header), chunks, pixels, formats.chunk(b"IEND", b"")
    return formats.PNG_MAGIC + b"".join(parts)


def transparent(*key: int) -> bytes:
    return formats.chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))


def test_the_transparent_level_of_a_16_bit_grey_png() -> None:
    levels = np.full((SIDE, SIDE), 1000, np.uint16)
    levels[:4], levels[4:8] = 1001, 0  # the first differs in the low byte alone
    decoded = decode(png(levels, 16, 0, transparent(1000)))[:, :, 0]
    assert (decoded[8:] == 255).all()
    assert (decoded[:4] == 4).all()
    assert (decoded[4:8] == 0).all()


def test_the_transparent_color_of_a_16_bit_rgb_png() -> None:
    colors = np.zeros((SIDE, SIDE, 3), np.uint16)
    colors[:], colors[:4] = (0x1234, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9ABD)
    decoded = decode(png(colors, 16, 2, transparent(0x1234, 0x5678, 0x9ABC)))
    assert (decoded[8:] == 255).all()
    assert np.abs(decoded[:4].astype(int) - (0x12, 0x56, 0x9A)).max() <= 1


@pytest.mark.parametrize(("bits", "key", "step"), [(1, 1, 255), (2, 2, 85), (4, 11, 17)])
def test_the_transparent_level_of_a_grey_png_of_few_bits(bits: int, key: int, step: int) -> None:
    levels = np.zeros((SIDE, SIDE), np.uint8)
    levels[:, SIDE // 2 :] = key
    bit = (levels[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    packed = np.packbits(bit.reshape(SIDE, -1), axis=1)
    opaque, decoded = (decode(png(packed, bits, 0, c))[:, :, 0] for c in (b"", transparent(key)))
    assert (opaque[:, SIDE // 2 :] == key * step).all()
    assert (decoded[:, : SIDE // 2] == 0).all()
    assert (decoded[:, SIDE // 2 :] == 255).all()
