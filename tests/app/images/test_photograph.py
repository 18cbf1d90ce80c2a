import numpy as np
import pytest
from PIL import Image

from app.images import alignment, photograph
from app.images.alignment import Transform
from app.images.errors import CorruptImageError, ImageTooLargeError, UnsupportedImageError
from app.images.photograph import COPY_SIDE, read_copy, read_face, read_header
from tests.app.conftest import Pixels, file, random_image
from vae.preprocessing import EXIF_TRANSPOSES

PIXELS, MEMORY = 40_000_000, 96 * 2**20
ORIENTATION = 0x0112
CENTRE = np.array([620.0, 310.0])  # of the square that is cut from an upright photograph


def inverse_of(tag: int) -> Image.Transpose:
    turned = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    return turned.get(tag, EXIF_TRANSPOSES.get(tag, Image.Transpose.ROTATE_180))


def stored(upright: Image.Image, tag: int, kind: str = "PNG", **options: object) -> bytes:
    """A file that has this image upright, turned as its EXIF tag says."""
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    image = upright if tag == 1 else upright.transpose(inverse_of(tag))
    return file(image, kind, exif=exif, **options)


def cut(data: bytes, transform: Transform, size: int = 64, channels: int = 3) -> Pixels:
    return read_face(data, transform, size, channels, PIXELS, MEMORY)


def around(centre: object, reduction: float, degrees: float = 0.0, size: int = 64) -> Transform:
    """The transform that puts a point of the photograph into the middle of the square."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / reduction
    return np.column_stack([matrix, size / 2 - matrix @ np.asarray(centre, np.float64)])


def expected(image: Image.Image, transform: Transform, size: int = 64) -> Pixels:
    """The same by one resampling of a photograph that is averaged down before."""
    back = alignment.inverse(transform)
    affine = tuple(back.ravel().tolist())
    square = image.transform((size, size), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    return np.asarray(square)


@pytest.mark.parametrize("tag", [1, *EXIF_TRANSPOSES])
def test_a_turned_photograph_is_read_upright(tag: int) -> None:
    upright = random_image(3, (800, 500))
    data = stored(upright, tag)
    header = read_header(data, PIXELS, MEMORY)
    assert (header.width, header.height) == (800, 500)
    assert np.array_equal(read_copy(data, PIXELS, MEMORY), np.asarray(upright))
    transform = around(CENTRE, 1.0, degrees=25)
    apart = cut(data, transform).astype(int) - expected(upright, transform)
    assert np.abs(apart).max() <= 2


@pytest.mark.parametrize("tag", [1, 6])
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"quality": 95})])
def test_a_large_photograph_is_reduced_to_its_copy(
    tag: int, kind: str, options: dict[str, int]
) -> None:
    upright = random_image(4, (4032, 3024))
    data = stored(upright, tag, kind, **options)
    header = read_header(data, PIXELS, MEMORY)
    assert (header.width, header.height) == (4032, 3024)
    copy = read_copy(data, PIXELS, MEMORY)
    assert copy.shape == (750, COPY_SIDE, 3)
    assert header.copy_scale == (4032 / 1000, 3024 / 750)
    reduced = np.asarray(upright.resize((1000, 750), Image.Resampling.BOX)).astype(int)
    assert np.abs(copy - reduced).max() <= 4


@pytest.mark.parametrize("reduction", [0.4, 1.0, 1.7, 3.2, 7.5, 11.0])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_face_of_any_size_is_cut(reduction: float, kind: str) -> None:
    image = random_image(5, (1600, 1300))
    options = {"quality": 97} if kind == "JPEG" else {}
    transform = around((800, 640), reduction, degrees=-20)
    found = cut(file(image, kind, **options), transform)
    assert np.abs(found.astype(int) - expected(image, transform)).mean() < 1.5


def test_details_beyond_the_resolution_are_averaged() -> None:
    stripes = np.zeros((900, 900, 3), np.uint8)
    stripes[:, ::2] = 255
    found = cut(file(Image.fromarray(stripes)), around((450, 450), 8.0))
    assert np.abs(found.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("centre", [(0, 0), (300, -40), (799, 250), (5000, 5000), (-900, 900)])
def test_beyond_the_edges_the_edge_goes_on(centre: tuple[int, int]) -> None:
    image = random_image(6, (800, 500))
    found = cut(file(image), around(centre, 2.0), size=32)
    points = alignment.apply(
        alignment.inverse(around(centre, 2.0)),
        np.moveaxis(np.mgrid[:32, :32] + 0.5, 0, -1).reshape(-1, 2),
    )
    clipped = points.clip(0.5, np.array(image.size) - 0.5)
    values = np.asarray(image)[clipped[:, 1].astype(int), clipped[:, 0].astype(int)]
    apart = found.transpose(1, 0, 2).reshape(-1, 3).astype(int) - values
    assert np.abs(apart).mean() < 4


@pytest.mark.parametrize("channels", [1, 3])
def test_modes_are_converted(channels: int) -> None:
    grey = Image.new("I;16", (300, 300), 257 * 90)
    clear = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    for image, level in ((grey, 90), (clear, 255)):
        found = cut(file(image), around((150, 150), 2), channels=channels)
        assert found.shape == (64, 64, channels)
        assert (found == level).all()
        assert read_copy(file(image), PIXELS, MEMORY).shape == (300, 300, 3)


def test_memory_is_that_of_the_decode_and_the_copy() -> None:
    data = file(random_image(7, (4000, 3000)), "JPEG")
    header = read_header(data, PIXELS, MEMORY)
    buffered, copy = 12_000_000 // 2, 3 * 1000 * 750
    assert header.copy_memory == buffered + 4 * 1000 * 750 + copy
    assert header.face_memory == buffered + 4 * 2000 * 1500
    header = read_header(file(random_image(7, (1200, 900))), PIXELS, MEMORY)
    assert header.copy_memory == 4 * 1200 * 900 + copy
    assert header.face_memory == 4 * 1200 * 900


@pytest.mark.parametrize("megapixels", [1, 8, 24, 40])
def test_a_face_takes_no_more_memory_than_its_header_said(megapixels: int) -> None:
    side = round((megapixels * 1e6) ** 0.5)
    data = file(Image.new("RGB", (side, side)), "JPEG")
    header = read_header(data, 2 * PIXELS, MEMORY)
    limit = max(header.copy_memory, header.face_memory)
    assert limit < MEMORY // 2
    for reduction in (0.3, 1.0, 2.0, 9.0):
        read_face(data, around((200, 200), reduction), 64, 3, 2 * PIXELS, MEMORY)
    small = 2**23  # 8 MiB
    if megapixels <= 8:
        read_face(data, around((200, 200), 1.0), 64, 3, PIXELS, small)
        read_copy(data, PIXELS, small)


def test_what_cannot_be_read_is_refused() -> None:
    data = file(random_image(8, (400, 300)))
    for read in (
        lambda d: read_header(d, PIXELS, MEMORY),
        lambda d: read_copy(d, PIXELS, MEMORY),
        lambda d: cut(d, around((5, 5), 1)),
    ):
        with pytest.raises(UnsupportedImageError):
            read(b"no image")
    with pytest.raises(CorruptImageError):
        read_copy(data[:2000], PIXELS, MEMORY)
    with pytest.raises(ImageTooLargeError, match="at most 100 are accepted"):
        read_header(data, 100, MEMORY)
    with pytest.raises(ImageTooLargeError, match="the limit is 1000"):
        read_header(data, PIXELS, 1000)
    assert photograph.read_header(data, PIXELS, MEMORY).width == 400
