"""Colours become sRGB, by a profile or by gamma and chromaticities."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.images import full_size
from app.images.paste import CropEdit, apply
from tests.app.conftest import file
from tests.app.images.decoded import SIDE, decode
from tests.hostile import formats
from vae.color import MAX_PROFILE_BYTES

ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
SRGB = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
D65 = (0.3127, 0.329)
COLOR = (210, 171, 140)
IN_SRGB = (224, 172, 140)  # of the same in Adobe RGB


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(65_536 * value)) for value in values)


def tag_table(tags: dict[bytes, bytes]) -> bytes:
    table, data, offset = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += content.ljust(-(-len(content) // 4) * 4, b"\0")
    return struct.pack(">I", len(tags)) + table + data


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2."""
    body = tag_table(tags)
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"none", 0x02200000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma))


def xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + fixed(*values)


# Columns of Adobe RGB (1998), adapted to D50.
ADOBE_COLUMNS = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)


def adobe(gamma: float = 2.2, **more: bytes) -> bytes:
    tags = {f"{c}XYZ".encode(): xyz(*v) for c, v in zip("rgb", ADOBE_COLUMNS, strict=True)}
    tags |= {f"{c}TRC".encode(): gamma_curve(gamma) for c in "rgb"}
    tags |= {b"wtpt": xyz(0.9642, 1.0, 0.8249)}
    return profile(b"RGB ", tags | {name.encode(): data for name, data in more.items()})


def flat(color: Any = COLOR, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), color)


def far(data: bytes, color: tuple[int, ...]) -> float:
    return float(np.abs(decode(data).astype(int) - color).max())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_profile_is_applied(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert far(file(flat(), kind, icc_profile=adobe(), **options), IN_SRGB) <= 3


def test_a_profile_is_applied_before_alpha() -> None:
    image = flat().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 128))
    half = tuple((value + 255) // 2 for value in IN_SRGB)
    assert far(file(image, icc_profile=adobe()), half) <= 2


def test_a_profile_of_a_palette_is_applied() -> None:
    assert far(file(flat().quantize(4), icc_profile=adobe()), IN_SRGB) <= 1


def test_a_grey_profile_is_applied() -> None:
    linear = profile(b"GRAY", {b"kTRC": gamma_curve(1.0), b"wtpt": xyz(0.9642, 1.0, 0.8249)})
    for mode in ("L", "LA"):
        image = Image.new("L", (SIDE, SIDE), 55).convert(mode)
        assert far(file(image, icc_profile=linear), (128,) * 3) <= 2


def test_cielab_is_converted() -> None:
    data = file(flat((255, 128, 128), "LAB"), "TIFF")  # L* is 100
    assert far(data, (255,) * 3) <= 2


@pytest.mark.parametrize(
    "useless",
    [
        b"no profile",
        adobe()[:200],
        adobe().replace(b"acsp", b"none"),
        adobe().replace(b"RGB XYZ ", b"GRAYXYZ "),  # of another space
        adobe().ljust(MAX_PROFILE_BYTES + 1, b"\0"),
        adobe(D2B0=b"mpet" + bytes(40)),  # any number of stages
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_profile_that_cannot_be_used_or_is_srgb_changes_nothing(
    useless: bytes, kind: str
) -> None:
    assert far(file(flat(), kind, icc_profile=useless), COLOR) == 0


def described(
    gamma: float | None, primaries: Any = None, white: Any = D65, more: bytes = b""
) -> bytes:
    """A PNG with gAMA and cHRM."""
    chunks = b"" if gamma is None else formats.chunk(b"gAMA", struct.pack(">I", round(1e5 * gamma)))
    if primaries is not None:
        values = [round(1e5 * v) for pair in (white, *primaries) for v in pair]
        chunks += formats.chunk(b"cHRM", struct.pack(">8I", *values))
    pixels = zlib.compress(b"\0" + bytes(COLOR))
    return formats.png(1, 1, pixels, before=chunks + more, color=2)


def linear(color: tuple[int, ...]) -> tuple[int, ...]:
    """The sRGB levels of linear light."""
    light = np.array(color) / 255
    return tuple((255 * (1.055 * light ** (1 / 2.4) - 0.055)).round().astype(int).tolist())


@pytest.mark.parametrize(
    ("data", "color"),
    [
        (described(1.0), linear(COLOR)),
        (described(1 / 2.2), COLOR),
        (described(1 / 2.2, SRGB), COLOR),
        (described(1 / 2.2, ADOBE), IN_SRGB),
        (described(None, ADOBE), IN_SRGB),
        (described(1.0, more=formats.chunk(b"sRGB", b"\0")), COLOR),
        (described(0.0), COLOR),
        (described(None, ((0, 0),) * 3), COLOR),
        (described(None, ((0.3, 0.3),) * 3), COLOR),
        (described(None, ADOBE, white=(0.3, 0.0)), COLOR),
        (described(1.0, more=formats.chunk(b"iCCP", b"a\0\0" + zlib.compress(adobe()))), IN_SRGB),
    ],
)
def test_gamma_and_chromaticities(data: bytes, color: tuple[int, ...]) -> None:
    assert far(data, color) <= 3


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photograph_keeps_its_profile_and_is_edited_in_srgb(channels: int) -> None:
    data = file(flat(), icc_profile=adobe())
    photograph = full_size.read(data, channels, 10**6, 10**8)
    if channels == 1:
        assert photograph.icc_profile is None
        assert abs(photograph.image.getpixel((0, 0)) - np.dot(IN_SRGB, (0.299, 0.587, 0.114))) <= 2
        return
    assert photograph.icc_profile == adobe()
    plane = np.zeros((SIDE, SIDE), np.float32)
    plane[: SIDE // 2] = 1
    replacement = np.stack([plane * value for value in IN_SRGB])
    crop = np.array([[1, 0, 0], [0, 1, 0]], np.float64)
    apply(photograph.image, CropEdit(plane, replacement, plane), crop, photograph.colors)
    pixels = np.asarray(photograph.image).astype(int)
    assert np.abs(pixels - COLOR).max() <= 2  # the same colour, replaced
    assert (pixels[SIDE // 2 + 2 :] == COLOR).all()


def test_a_photograph_with_gamma_alone_is_converted() -> None:
    photograph = full_size.read(described(1.0), 3, 10**6, 10**8)
    assert photograph.icc_profile is None
    assert np.abs(np.array(photograph.image.getpixel((0, 0))) - linear(COLOR)).max() <= 1
