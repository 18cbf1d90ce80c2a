import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.images import Fit, TooManyPixelsError, UnknownPictureError, read
from tests.app.conftest import Pixels, file, picture

SIDE = 16


def seen(data: bytes, channels: int = 3, fit: Fit = "crop") -> Pixels:
    return read(data, SIDE, channels, fit, 10**6).pixels


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("PNG", 0), ("GIF", 40), ("BMP", 0), ("TIFF", 0), ("WEBP", 60), ("JPEG", 60), ("AVIF", 60)],
)
def test_formats_are_told_by_their_bytes(kind: str, tolerance: int) -> None:
    image = picture(1, (SIDE, SIDE))
    options = {"lossless": True} if kind == "WEBP" else {}
    found = seen(file(image, kind, **options))
    assert found.shape == (SIDE, SIDE, 3)
    assert np.abs(found.astype(int) - np.asarray(image)).max() <= tolerance


def flat(mode: str, color: Any) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), color)


def palette_with_transparency() -> bytes:
    image = flat("P", 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    return file(image, transparency=0)


@pytest.mark.parametrize(
    ("data", "color"),
    [
        (file(flat("L", 100)), (100, 100, 100)),
        (file(flat("1", 1)), (255, 255, 255)),
        (file(flat("LA", (0, 0))), (255, 255, 255)),
        (file(flat("RGBA", (255, 0, 0, 0))), (255, 255, 255)),
        (file(flat("RGBA", (0, 0, 0, 128))), (127, 127, 127)),
        (file(flat("I;16", 32_896)), (128, 128, 128)),
        (file(flat("I;16", 65_535)), (255, 255, 255)),
        (file(flat("CMYK", (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        (palette_with_transparency(), (255, 255, 255)),
    ],
)
def test_every_mode_becomes_the_models(data: bytes, color: tuple[int, ...]) -> None:
    assert np.abs(seen(data).astype(int) - color).max() <= 1
    assert seen(data, channels=1).shape == (SIDE, SIDE, 1)


def test_the_first_frame_counts() -> None:
    frames = [flat("RGB", c) for c in ("red", "blue")]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    assert seen(stream.getvalue())[0, 0].tolist() == [255, 0, 0]


def test_exif_orientation_is_applied() -> None:
    image = flat("RGB", "white")
    image.paste("black", (0, 0, SIDE, SIDE // 2))  # dark above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: dark to the right
    found = seen(file(image, "PNG", exif=exif))
    assert found[:, : SIDE // 2].min() == 255
    assert found[:, SIDE // 2 :].max() == 0


def test_fit() -> None:
    wide = Image.new("RGB", (3 * SIDE, SIDE), "black")
    wide.paste("red", (0, 0, SIDE, SIDE))
    data = file(wide)
    assert seen(data, fit="crop").max() == 0  # the middle third
    padded = seen(data, fit="pad")
    assert (padded[0] == 255).all()
    assert (padded[SIDE // 2, 0] == [255, 0, 0]).all()
    stretched = seen(data, fit="stretch")
    assert (stretched[:, 1] == [255, 0, 0]).all()
    assert stretched[:, SIDE // 2 :].max() == 0


def test_a_circle_stays_a_circle() -> None:
    wide = Image.new("L", (200, 100), 0)
    ImageDraw.Draw(wide).ellipse((70, 20, 130, 80), fill=255)
    found = read(file(wide), 64, 1, "crop", 10**6).pixels[:, :, 0] > 128
    assert abs(int(found.any(0).sum()) - int(found.any(1).sum())) <= 1


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(UnknownPictureError):
        seen(data)


def test_too_many_pixels() -> None:
    with pytest.raises(TooManyPixelsError, match="101 x 100"):
        read(file(picture(0, (101, 100))), SIDE, 3, "crop", 10_000)
