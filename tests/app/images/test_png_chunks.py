import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from app.images.errors import CorruptImageError
from app.images.png_chunks import MAX_TEXT, readable
from tests.app.conftest import file
from tests.app.images.decoded import SIDE, decode
from tests.hostile.formats import PNG_MAGIC, chunk

COLOR = (200, 90, 10)
PLAIN = file(Image.new("RGB", (SIDE, SIDE), COLOR))
START, END = 33, len(PLAIN) - 12  # after IHDR, before IEND
LONG = zlib.compress(bytes(MAX_TEXT + 1))


def bad_checksum(data: bytes) -> bytes:
    return data[:-4] + bytes(4)


@pytest.mark.parametrize("place", [START, END])
@pytest.mark.parametrize(
    "metadata",
    [
        bad_checksum(chunk(b"tEXt", b"Comment\0hello")),
        bad_checksum(chunk(b"gAMA", struct.pack(">I", 100_000))),
        bad_checksum(chunk(b"tRNS", struct.pack(">3H", *COLOR))),
        chunk(b"zTXt", b"Comment\0\0" + LONG),
        chunk(b"zTXt", b"Comment\0\1" + zlib.compress(b"x")),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LONG),
        chunk(b"iTXt", b"\xff\0\1\0\0\0no zlib"),
        chunk(b"iCCP", b"ICC\0\0" + LONG),
        chunk(b"iCCP", b"ICC\0\1" + zlib.compress(b"x")),
        chunk(b"iCCP", b""),
        chunk(b"eXIf", b"no TIFF at all"),
        chunk(b"eXIf", b"MM\0*"),
        chunk(b"gAMA", b"\0"),
        chunk(b"cHRM", bytes(31)),
        chunk(b"sRGB", b""),
        chunk(b"pHYs", b"\0"),
        chunk(b"tRNS", b"\0\1"),
        chunk(b"acTL", b"\0"),
        chunk(b"fcTL", bytes(26)),
        chunk(b"abCd", b"private"),
        chunk(b"zTXt", b"lorgnette\0\0" + LONG),
    ],
)
def test_metadata_that_cannot_be_read_are_left_aside(metadata: bytes, place: int) -> None:
    data = PLAIN[:place] + metadata + PLAIN[place:]
    assert (decode(data) == COLOR).all()


def test_a_plain_file_is_not_copied() -> None:
    assert readable(PLAIN) is PLAIN


def test_exif_after_the_pixels_is_read() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pixels[0] = 255
    data = file(Image.fromarray(pixels))
    turned = decode(data[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + data[-12:])
    assert (turned[-1] == 255).all()
    assert (turned[:-1] == 0).all()


def test_a_wrong_checksum_of_a_chunk_that_is_needed_is_named() -> None:
    palette = file(Image.new("P", (SIDE, SIDE)))
    place = palette.index(b"PLTE") + 4 + struct.unpack(">I", palette[START : START + 4])[0]
    with pytest.raises(CorruptImageError, match="checksum in b'PLTE'"):
        decode(palette[:place] + bytes(4) + palette[place + 4 :])


@pytest.mark.parametrize("data", [PNG_MAGIC, PLAIN[:START], PLAIN[: START + 10], PLAIN[:-30]])
def test_a_truncated_file_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptImageError):
        decode(data)
