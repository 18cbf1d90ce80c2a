import struct
import zlib

import pytest
from PIL import Image, TiffImagePlugin

from app.images.decoding import read
from app.images.errors import CorruptImageError, ImageTooLargeError
from app.images.guards import MAX_FIELDS, MAX_RATIONALS, MAX_VALUES
from tests.app.conftest import file, random_image
from tests.app.images.decoded import SIDE, decode
from tests.hostile import formats


def test_too_many_pixels() -> None:
    with pytest.raises(ImageTooLargeError, match="101 x 100"):
        read(file(random_image(0, (101, 100))), SIDE, 3, "crop", 10_000)


EXIF_POINTER, GPS_POINTER, INTEROP_POINTER = 34665, 34853, 40965
MANY = formats.rationals(MAX_RATIONALS + 1)
HALVES = [(tag, 5, MAX_RATIONALS // 2 + 1, 8) for tag in (1, 2)]
FIELDS = [(tag, 3, 1, 1) for tag in range(1_000, 1_001 + MAX_FIELDS)]


@pytest.mark.parametrize(
    "data",
    [
        formats.tiff([[*formats.fields(8, 8), (282, 5, MAX_RATIONALS + 1, 8)]]),
        formats.tiff([[*formats.fields(8, 8), (282, 3, MAX_VALUES + 1, 8)]]),
        formats.tiff([[*formats.fields(8, 8), (282, 6, MAX_VALUES + 1, 8)]]),
        formats.tiff([formats.fields(8, 8) + HALVES]),
        formats.tiff([formats.fields(8, 8) + FIELDS]),
    ],
)
def test_too_many_values_of_a_tiff_are_refused(data: bytes) -> None:
    limit = r"a directory has \d+ (fields|values|rational values); the limit"
    with pytest.raises(CorruptImageError, match=limit):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        formats.with_segments(formats.exif_segments(MANY)),
        formats.with_segments(formats.exif_segments(MANY, 500)),
        formats.dot(formats.chunk(b"eXIf", MANY)),
        formats.dot(after=formats.chunk(b"eXIf", MANY)),
        formats.dot(formats.raw_profile(MANY)),
        formats.dot(formats.chunk(b"tEXt", b"exif\0" + MANY)),
        file(random_image(1), "WEBP", exif=MANY),
        formats.sub_directory(HALVES, EXIF_POINTER),
        formats.sub_directory(HALVES, GPS_POINTER),
        formats.sub_directory(FIELDS, EXIF_POINTER),
        formats.sub_directory([(INTEROP_POINTER, 4, 1, 8), *HALVES], EXIF_POINTER, INTEROP_POINTER),
    ],
)
def test_exif_of_too_many_values_is_left_aside(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(TiffImagePlugin, "IFDRational", lambda *value: made.append(value))
    assert decode(data).shape == (SIDE, SIDE, 3)
    assert len(made) <= MAX_RATIONALS


def test_the_metadata_of_a_camera_is_accepted() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x011A] = "Maker", 72.0
    exif.get_ifd(EXIF_POINTER).update({0x829A: 0.01, 0x927C: bytes(40_000), 0xA432: (24.0,) * 4})
    exif.get_ifd(GPS_POINTER).update({1: "N", 2: (47.0, 22.0, 1.5)})
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        assert decode(file(random_image(1), kind, exif=exif)).shape == (SIDE, SIDE, 3)


def test_the_memory_of_a_tile_is_that_of_the_whole_tile() -> None:
    pixels = zlib.compress(bytes(16 * 16))
    assert decode(formats.tiled(8, 8, 16, pixels)).max() == 0
    with pytest.raises(ImageTooLargeError, match="19200000000 bytes"):
        read(formats.tiled(8, 8, 40_000, pixels), SIDE, 3, "crop", 10**6, 10**8)


def test_the_size_of_a_tile_is_an_integer() -> None:
    data = bytearray(formats.tiled(8, 8, 16))
    offset = data.index(struct.pack("<HH", 322, 4))
    for kind in (1, 5, 8, 17):
        data[offset + 2] = kind
        with pytest.raises(CorruptImageError, match="field 322"):
            decode(bytes(data))
