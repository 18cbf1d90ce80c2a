import pytest

from app.images.jpeg_segments import count_scans
from tests.app.conftest import file, random_image
from tests.app.images.decoded import decode
from tests.hostile import formats

JPEG = file(random_image(1, (64, 48)), "JPEG")
TRAILER = b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x08\xff\xd8\xff" * 200  # as of a motion photograph


@pytest.mark.parametrize(("progressive", "several"), [(False, False), (True, True)])
def test_scans_are_counted(progressive: bool, several: bool) -> None:
    data = file(random_image(1), "JPEG", progressive=progressive)
    assert (count_scans(data) > 1) is several


@pytest.mark.parametrize(
    "trailer", [TRAILER, JPEG, file(random_image(2), "JPEG", progressive=True)]
)
def test_what_follows_the_end_is_not_counted(trailer: bytes) -> None:
    assert count_scans(JPEG + trailer) == 1
    assert (decode(JPEG + trailer) == decode(JPEG)).all()


def test_an_end_within_a_segment_is_not_the_end() -> None:
    comment = b"\xff\xfe\0\x04\xff\xd9"
    scan = JPEG.index(b"\xff\xda")
    assert count_scans(JPEG[:-2] + comment + JPEG[scan:]) == 2


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe0\0\x06JFIF",  # shorter than its fields
        b"\xff\xee\0\x07Adobe",
        b"\xff\xed\0\x14Photoshop 3.0\0" + b"8BIM",
        b"\xff\xe2\0\x0eICC_PROFILE\0",
        formats.exif_segments(b"no TIFF"),
    ],
)
def test_metadata_that_cannot_be_read_are_left_aside(segment: bytes) -> None:
    expected = decode(JPEG)
    assert (decode(JPEG[:2] + segment + JPEG[2:]) == expected).all()
