import pytest

from app.images.guards import MAX_CHUNKS, MAX_SCANS, StructureLimitError, check
from tests.app.conftest import file, random_image
from tests.hostile import formats

MANY = MAX_CHUNKS + 1


@pytest.mark.parametrize("kind", formats.FORMATS)
def test_an_ordinary_image_is_accepted(kind: str) -> None:
    check(file(random_image(1, (300, 200)), kind))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (formats.dot(formats.chunk(b"aaAa", b"") * MANY), "8192 chunks"),
        (formats.dot(after=formats.chunk(b"aaAa", b"") * MANY), "8192 chunks"),
        (formats.with_segments(b"\xff\xfe\0\2" * MANY), "8192 chunks"),
        (formats.with_segments(b"\xff" * MANY), "8192 chunks"),
        (formats.gif(1, 1, b"!\xfe" + b"\1x" * MANY + b"\0"), "8192 chunks"),
        (formats.tiff([formats.fields(1, 1)] * MANY), "8192 chunks"),
        (formats.with_segments(b"\xff\xd9\xff\xff" + b"\xff\xfe\0\2" * MANY), "8192 chunks"),
        (formats.with_segments(formats.exif_segments(bytes(170), 10)), "16 segments of EXIF"),
        (formats.bmp(2, 2, b"\2a", 1, 8), "run-length"),
        (file(random_image(1), "JPEG")[:-2] + b"\xff\xda\0\2" * MAX_SCANS, "64 scans"),
    ],
)
def test_too_many_parts_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(StructureLimitError, match=words):
        check(data)


def test_a_long_xmp_is_not_too_much_exif() -> None:
    note = b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000)
    segment = b"\xff\xe1" + (len(note) + 2).to_bytes(2, "big") + note
    check(formats.with_segments(formats.exif_segments(bytes(160), 10) + segment * 200))


def test_later_frames_are_not_counted() -> None:
    check(formats.apng(MANY))
    check(formats.gif(1, 1, frames=MANY))
