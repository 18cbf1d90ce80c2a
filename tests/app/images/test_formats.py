import struct

import numpy as np
import pytest
from PIL import Image

from app.images.errors import UnsupportedImageError
from app.images.formats import HEAD_LENGTH, is_image
from tests.app.conftest import file, random_image
from tests.app.images.decoded import SIDE, decode
from tests.hostile import formats

COLOR = (200, 90, 10)


def gif(frame: tuple[int, int, int, int]) -> bytes:
    """One red frame on a canvas of 16 x 16."""
    whole = file(Image.new("P", frame[2:]), "GIF")
    image = whole.index(b",")
    head = b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0x80, 0, 0) + bytes([200, 90, 10, 0, 0, 0])
    at = b"," + struct.pack("<HHHHB", *frame, whole[image + 9] & 0x40)
    start = image + 10 + (3 * 2 ** ((whole[image + 9] & 7) + 1) if whole[image + 9] & 128 else 0)
    return head + at + whole[start:]


def test_what_the_frame_of_a_gif_does_not_cover_is_white() -> None:
    decoded = decode(gif((4, 4, 8, 8)))
    assert (decoded[5:11, 5:11] == COLOR).all()
    assert (decoded[:4] == 255).all()
    assert (decoded[:, 12:] == 255).all()
    assert (decode(gif((0, 0, SIDE, SIDE))) == COLOR).all()


def part_webp() -> bytes:
    """An animation whose frames cover a quarter of the canvas, at (8, 8), and have no alpha."""
    frame = file(Image.new("RGB", (8, 8), COLOR), "WEBP", lossless=True)[12:]
    head = b"".join(struct.pack("<I", n)[:3] for n in (4, 4, 7, 7, 100)) + b"\2"

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    canvas = struct.pack("<I", 2) + struct.pack("<I", SIDE - 1)[:3] * 2
    chunks = chunk(b"VP8X", canvas) + chunk(b"ANIM", bytes(6)) + chunk(b"ANMF", head + frame) * 2
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def test_what_the_frame_of_a_webp_does_not_cover_is_white() -> None:
    decoded = decode(part_webp())
    assert np.abs(decoded[9:, 9:].astype(int) - COLOR).max() <= 1
    assert (decoded[:7] == 255).all()
    assert (decoded[:, :7] == 255).all()


def bmp(alpha: int, size: int = SIDE) -> bytes:
    """A BMP of version 5 with 32 bits a pixel."""
    pixels = bytes([*COLOR[::-1], alpha]) * size * size
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", 124, size, size, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    info += struct.pack("<4I", *masks) + b"BGRs" + bytes(64)
    return b"BM" + struct.pack("<IHHI", 14 + 124 + len(pixels), 0, 0, 14 + 124) + info + pixels


@pytest.mark.parametrize(
    ("data", "color"),
    [
        (bmp(0), COLOR),
        (bmp(255), COLOR),
        (bmp(128), (227, 172, 132)),
        (bmp(0, 600), COLOR),
    ],
)
def test_an_alpha_that_is_0_everywhere_in_a_bmp_is_none(
    data: bytes, color: tuple[int, int, int]
) -> None:
    assert np.abs(decode(data).astype(int) - color).max() <= 2


@pytest.mark.parametrize("kind", formats.FORMATS)
def test_what_follows_the_end_of_an_image_is_left_aside(kind: str) -> None:
    data = formats.whole(kind)
    assert (decode(data + b"\xff\xda\0\2" * 500) == decode(data)).all()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "HEIC"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50), "send one of PNG, JPEG"),
    ],
)
def test_a_format_that_is_not_supported_is_told_what_to_do(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImageError, match=words):
        decode(data)


def test_jpegs_of_12_bits_are_named() -> None:
    data = bytearray(file(random_image(1), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnsupportedImageError, match="12-bit"):
        decode(bytes(data))


@pytest.mark.parametrize("kind", formats.FORMATS)
def test_images_are_told_from_texts(kind: str) -> None:
    assert is_image(formats.whole(kind)[:HEAD_LENGTH])
    for text in (b"BM + 1.5*glasses", b"MM - II + her + x", b"RIFF + WEBP - him"):
        assert not is_image(text)
