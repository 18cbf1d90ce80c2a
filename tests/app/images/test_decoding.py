import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.images import decoding
from app.images.decoding import read
from app.images.errors import CorruptImageError, ImageTooLargeError, UnsupportedImageError
from tests.app.conftest import Pixels, file, random_image
from tests.app.images.decoded import SIDE, decode
from tests.hostile import formats
from vae.preprocessing import Fit


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("PNG", 0), ("GIF", 40), ("BMP", 0), ("TIFF", 0), ("WEBP", 60), ("JPEG", 60)],
)
def test_formats_are_recognised_by_their_bytes(kind: str, tolerance: int) -> None:
    image = random_image(1, (SIDE, SIDE))
    options = {"lossless": True} if kind == "WEBP" else {}
    decoded = decode(file(image, kind, **options))
    assert decoded.shape == (SIDE, SIDE, 3)
    assert np.abs(decoded.astype(int) - np.asarray(image)).max() <= tolerance


def flat(mode: str, color: Any) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), color)


def palette(**options: Any) -> bytes:
    image = flat("P", 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    return file(image, **options)


@pytest.mark.parametrize(
    ("data", "color"),
    [
        (file(flat("L", 100)), (100, 100, 100)),
        (file(flat("1", 1)), (255, 255, 255)),
        (file(flat("1", 0)), (0, 0, 0)),
        (file(flat("LA", (0, 0))), (255, 255, 255)),
        (file(flat("LA", (100, 255))), (100, 100, 100)),
        (file(flat("RGBA", (255, 0, 0, 255))), (255, 0, 0)),
        (file(flat("RGBA", (255, 0, 0, 0))), (255, 255, 255)),
        (file(flat("RGBA", (0, 0, 0, 128))), (127, 127, 127)),
        (file(flat("I;16", 32_896)), (128, 128, 128)),
        (file(flat("I;16", 65_535)), (255, 255, 255)),
        (file(flat("I;16", 200)), (1, 1, 1)),  # dark, not 8-bit
        (file(flat("I;16", 32_896), "TIFF"), (128, 128, 128)),
        (file(flat("F", 100.0), "TIFF"), (100, 100, 100)),
        (file(flat("F", 0.5), "TIFF"), (128, 128, 128)),
        (file(flat("F", float("nan")), "TIFF"), (0, 0, 0)),
        (file(flat("CMYK", (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        (file(flat("CMYK", (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
        (file(flat("RGB", "lime").quantize(4)), (0, 255, 0)),
        (file(flat("RGB", "lime").quantize(4), "GIF"), (0, 255, 0)),
        (file(flat("RGBA", (0, 0, 0, 0)), "WEBP"), (255, 255, 255)),
        (palette(), (255, 0, 0)),
        (palette(transparency=0), (255, 255, 255)),
        (palette(transparency=1), (255, 0, 0)),
        (palette(transparency=bytes([128, 0])), (255, 127, 127)),
    ],
)
def test_every_mode_becomes_that_of_the_model(data: bytes, color: tuple[int, ...]) -> None:
    assert np.abs(decode(data).astype(int) - color).max() <= 2
    grey = decode(data, channels=1)
    assert grey.shape == (SIDE, SIDE, 1)
    luma = np.dot(color, (0.299, 0.587, 0.114))
    assert np.abs(grey - luma).max() <= 3


def test_the_first_frame_is_used() -> None:
    frames = [flat("RGB", c) for c in ("red", "blue")]
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        data = file(frames[0], kind, save_all=True, append_images=frames[1:])
        decoded = decode(data)[0, 0].astype(int)
        assert np.abs(decoded - [255, 0, 0]).max() <= 4


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"no TIFF", b"Exif\0\0MM", b"Exif\0\0MM\0*\0\0\0\x08\0"])
def test_damaged_exif_is_ignored(kind: str, exif: bytes) -> None:
    data = file(Image.new("RGB", (8, 8), (200, 90, 10)), kind, exif=exif)
    assert np.abs(decode(data).astype(int) - (200, 90, 10)).max() <= 2


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).transpose(1, 0, 2)),
        (8, np.rot90),
        (99, lambda a: a),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_orientation_is_applied(
    kind: str, orientation: int, turned: Callable[[Pixels], Pixels]
) -> None:
    corners = np.zeros((SIDE, SIDE, 3), np.uint8)
    half = SIDE // 2
    corners[:half, :half], corners[:half, half:], corners[half:, :half] = 250, 160, 80
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file(Image.fromarray(corners), kind, exif=exif)
    assert np.abs(decode(data).astype(int) - turned(corners)).max() <= 40


def test_fit() -> None:
    wide = Image.new("RGB", (3 * SIDE, SIDE), "black")
    wide.paste("red", (0, 0, SIDE, SIDE))
    data = file(wide)
    assert decode(data, fit="crop").max() == 0  # the middle third
    padded = decode(data, fit="pad")
    assert (padded[0] == 255).all()
    assert (padded[SIDE // 2, 0] == [255, 0, 0]).all()
    stretched = decode(data, fit="stretch")
    assert (stretched[:, 1] == [255, 0, 0]).all()
    assert stretched[:, SIDE // 2 :].max() == 0


def test_a_circle_stays_a_circle() -> None:
    wide = Image.new("L", (200, 100), 0)
    ImageDraw.Draw(wide).ellipse((70, 20, 130, 80), fill=255)
    decoded = read(file(wide), 64, 1, "crop", 10**6).pixels[:, :, 0] > 128
    assert abs(int(decoded.any(0).sum()) - int(decoded.any(1).sum())) <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (3, 2), (SIDE + 1, SIDE)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_any_shape_is_fitted(size: tuple[int, int], fit: Fit) -> None:
    for channels in (1, 3):
        decoded = decode(file(Image.new("RGB", size, "red")), channels, fit)
        assert decoded.shape == (SIDE, SIDE, channels)


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_bytes_that_are_no_image(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError):
        decode(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_damaged_file_is_decoded_or_refused(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    whole = file(random_image(4, (24, 20)), kind)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for offset in random.integers(len(data), size=4):
            data[offset] = random.integers(256)
        data = data[: random.integers(1, len(data) + 1)]
        try:
            assert decode(bytes(data)).shape == (SIDE, SIDE, 3)
        except (CorruptImageError, UnsupportedImageError, ImageTooLargeError):
            refused += 1
    assert refused > 20


ODD_METADATA = formats.tiff([[*formats.fields(8, 8), (305, 2, 100, 10**6)]])  # beyond the file


def test_decoding_leaves_the_filters_of_warnings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("warnings.catch_warnings is not thread-safe")

    before = list(warnings.filters)
    with monkeypatch.context() as patch, ThreadPoolExecutor(4) as threads:
        patch.setattr(warnings, "catch_warnings", forbidden)
        for pixels in threads.map(decode, [ODD_METADATA] * 50):
            assert pixels.shape == (SIDE, SIDE, 3)
    assert warnings.filters == before


def test_odd_metadata_writes_no_warning() -> None:
    code = (
        "import sys; from app.images.decoding import read; "
        "print(read(sys.stdin.buffer.read(), 16, 3, 'crop', 10**6).pixels.shape)"
    )
    command = [sys.executable, "-W", "always", "-c", code]
    run = subprocess.run(command, input=ODD_METADATA, capture_output=True, check=True)
    assert run.stdout.decode().strip() == "(16, 16, 3)"
    assert run.stderr.decode() == ""


def test_too_little_memory_is_not_called_corrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoding, "to_square", exhaust)
    with pytest.raises(MemoryError):
        decode(file(random_image(1)))
