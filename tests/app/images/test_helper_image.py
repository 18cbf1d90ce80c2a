"""Images that a helper process decodes."""

import base64
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from app.images import full_size, photograph
from app.images.decoding import estimate_memory, read
from app.images.errors import CorruptImageError, ImageTooLargeError
from app.images.iso_media import NoImageError, declared, kind_of
from tests.app.conftest import file
from tests.app.images.test_color import COLOR, IN_SRGB, adobe
from tests.hostile.formats import flat

MIB = 2**20
# 64 x 64 pixels: the upper half blue, the lower half orange. Encoded by x265.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAACUAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABo"
    "dmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEA"
    "GEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAA"
    "AwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMI"
    "CAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAC1tZGF0AAAAISgBr1j5DpJf//XIfI/D9P/rTRDhqh7MOF/zuTT+jpdE"
    "/A=="
)
# An AVIF that declares 16 x 16 pixels and has 6000 x 6000 black ones.
LIE = zlib.decompress(
    base64.b64decode(
        "eNpjYGBQSCupLEgsy0xjAAIQnZuZZpibmZjm62joBBR6nZtaksgAAYoZKTlFUDZDQWZyCQMa4CvILMkFsxiBWC4z"
        "Jz8ZxHEB8RkhoozCDAxMb4BsjczMvDS4WikgJ5UJykssMzB0zs/JB9uVlVlQVACkvTMLkvOBtEhmcUEq1D4BGC7I"
        "rMgECTBzcHAAKZ7EMkPnRnkekJBwcn5OUV5yTgXQZF4GtgagkHhmQS7MT0CHsTAyNbMAXfUlNyWxRIiBi1v+s979"
        "sm8dHBkmCka3WKWeJx8+tOb9//8f0x8wMHicP6V5fEpkY3JB7P59UzoysrcsvPP84go1H7aEFps1u75/nbZS7Pj2"
        "ZU9Cvy/fdTX8goeuTpOAzjHNsMDG1SeqPQUvCTBEvdbjvXpHbMFgNCkFv0k/mGw3hLdk1m28t2XT7nXZXZuN1bPM"
        "q2xvdGSpV+vdv54oub3s6qPKJfwXK79rMrXtMyibFrLUvr3Fp0Zi9ZKQ2JCtpzmKPiyvaIilknsl1B+9yAht1uc+"
        "kNk7eW/Gu2mOjmzb/FuGtvF0iIGZCZYy5ZXvuQBarabQ"
    )
)
BLUE, ORANGE = (20, 60, 200), (200, 90, 10)


def decode(
    data: bytes, side: int = 16, memory: int = 96 * MIB
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return read(data, side, 3, "stretch", 10**8, memory).pixels.astype(np.int64)


def test_heic_is_read() -> None:
    decoded = decode(HEIC)
    assert np.abs(decoded[:7] - BLUE).max() <= 12
    assert np.abs(decoded[9:] - ORANGE).max() <= 12


def avif(image: Image.Image, **options: object) -> bytes:
    return file(image, "AVIF", quality=90, speed=10, **options)


def test_avif_is_read_upright_in_srgb_and_on_white() -> None:
    image = Image.new("RGBA", (80, 40), (*COLOR, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))  # the left, which is the top when it is turned
    exif = Image.Exif()
    exif[0x0112] = 6
    data = avif(image, exif=exif, icc_profile=adobe())
    assert declared(data)[0] == (40, 80)
    decoded = decode(data)
    assert (decoded[:3] >= 245).all()
    assert np.abs(decoded[6:] - IN_SRGB).max() <= 8
    assert photograph.read_header(data, 10**8, 96 * MIB).width == 40


@pytest.mark.parametrize("lossless", [False, True])
def test_a_large_webp_is_reduced_by_a_helper(lossless: bool) -> None:
    data = flat("WEBP", 1200, 800, method=0, lossless=lossless)
    inside, helped = (decode(data, memory=memory) for memory in (96 * MIB, 18 * MIB))
    assert np.abs(inside - helped).max() <= 1
    assert estimate_memory(data, 16, 10**8, 18 * MIB) < 3 * MIB
    full = full_size.read(data, 3, 10**8, 2 * 18 * MIB)
    assert full.image.size == (1200, 800)


def test_what_takes_more_than_the_helper_may_is_refused_unread() -> None:
    data = flat("WEBP", 3000, 3000, method=0, quality=10)
    with pytest.raises(ImageTooLargeError, match=r"3000 x 3000 pixels of WEBP takes \d+ bytes"):
        read(data, 16, 3, "crop", 10**8, 24 * MIB)


def test_a_header_that_lies_costs_no_more_than_the_helper_may_take() -> None:
    assert declared(LIE)[0] == (16, 16)
    with pytest.raises((CorruptImageError, ImageTooLargeError)):
        read(LIE, 16, 3, "crop", 10**8, 2 * MIB)


@pytest.mark.parametrize(
    "data", [HEIC[:-20], HEIC.replace(struct.pack(">II", 64, 64), struct.pack(">II", 64, 65))]
)
def test_a_damaged_file_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptImageError):
        decode(data)


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def container(*properties: bytes, order: bytes | None = None, item: int = 1) -> bytes:
    """A file of one item with properties."""
    order = bytes(range(1, len(properties) + 1)) if order is None else order
    association = bytes(4) + struct.pack(">IHB", 1, item, len(order)) + order
    iprp = box(b"ipco", b"".join(properties)) + box(b"ipma", association)
    meta = bytes(4) + box(b"pitm", bytes(4) + b"\0\1") + box(b"iprp", iprp)
    return box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + box(b"meta", meta)


SIZE = box(b"ispe", struct.pack(">III", 0, 40, 30))
CLAP = box(b"clap", struct.pack(">8I", 38, 1, 58, 2, 0, 1, 0, 1))
PROFILE = box(b"colr", b"profABC")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (container(SIZE), ((40, 30), None)),
        (container(SIZE, box(b"irot", b"\1")), ((30, 40), None)),
        (container(SIZE, box(b"irot", b"\2"), PROFILE), ((40, 30), b"ABC")),
        (container(SIZE, CLAP, box(b"irot", b"\3")), ((29, 38), None)),
        (container(CLAP, SIZE, PROFILE, order=b"\x82"), ((40, 30), None)),
    ],
)
def test_what_a_file_declares(data: bytes, expected: object) -> None:
    assert kind_of(data[:32]) == "HEIC"
    assert declared(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        container(),
        container(SIZE, item=2),
        container(SIZE, order=b"\5"),
        container(box(b"ispe", bytes(12))),
        container(SIZE, box(b"clap", bytes(32))),
        container(SIZE)[:60],
        HEIC[:28],
        HEIC[:28] + box(b"free", b"") * 5000,
    ],
)
def test_a_file_that_declares_no_size(data: bytes) -> None:
    with pytest.raises(NoImageError):
        declared(data)
