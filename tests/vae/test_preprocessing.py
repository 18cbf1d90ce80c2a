import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from vae.preprocessing import Fit, draft_size, exif_transpose_of, to_square

SIDE = 16
FITS: tuple[Fit, ...] = ("crop", "pad", "stretch")


def flat(mode: str, color: Any) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), color)


def palette(**options: Any) -> Image.Image:
    image = flat("P", 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    return saved(image, "PNG", **options)


def saved(image: Image.Image, format_name: str, **options: Any) -> Image.Image:
    """The image written and opened again, not yet decoded."""
    data = io.BytesIO()
    image.save(data, format_name, **options)
    return Image.open(data)


def photograph(width: int, height: int) -> Image.Image:
    """Smooth colours with edges, as photographs have them."""
    noise = np.random.default_rng(0).integers(0, 256, (height // 40, width // 40, 3), np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    ImageDraw.Draw(image).ellipse((width // 4, height // 4, width // 2, height // 2), fill="navy")
    return image.filter(ImageFilter.GaussianBlur(1))


@pytest.mark.parametrize(
    ("image", "color"),
    [
        (flat("L", 100), (100, 100, 100)),
        (flat("1", 1), (255, 255, 255)),
        (flat("LA", (0, 0)), (255, 255, 255)),
        (flat("LA", (100, 255)), (100, 100, 100)),
        (flat("RGB", (10, 200, 30)), (10, 200, 30)),
        (flat("RGBA", (255, 0, 0, 255)), (255, 0, 0)),
        (flat("RGBA", (255, 0, 0, 0)), (255, 255, 255)),
        (flat("RGBA", (0, 0, 0, 128)), (127, 127, 127)),
        (flat("I;16", 32_896), (128, 128, 128)),
        (flat("I;16", 65_535), (255, 255, 255)),
        (flat("I;16", 200), (1, 1, 1)),  # dark, not 8-bit
        (flat("I", 200), (200, 200, 200)),  # 8-bit values in a wide type
        (flat("I", 32_896), (128, 128, 128)),
        (flat("F", 100.0), (100, 100, 100)),
        (flat("F", -3.0), (0, 0, 0)),
        (flat("F", float("nan")), (0, 0, 0)),
        (flat("F", 0.5), (128, 128, 128)),  # of 0..1
        (flat("F", 1.5), (2, 2, 2)),
        (flat("F", 32_896.0), (128, 128, 128)),
        (flat("CMYK", (0, 255, 255, 0)), (255, 0, 0)),
        (flat("RGB", "lime").quantize(4), (0, 255, 0)),
        (palette(), (255, 0, 0)),
        (palette(transparency=0), (255, 255, 255)),
        (palette(transparency=1), (255, 0, 0)),
        (palette(transparency=bytes([128, 0])), (255, 127, 127)),
    ],
)
def test_every_mode_becomes_8_bit_rgb_or_grey(image: Image.Image, color: tuple[int, ...]) -> None:
    rgb, grey = to_square(image, SIDE, 3), to_square(image, SIDE, 1)
    assert rgb.shape == (SIDE, SIDE, 3)
    assert rgb.dtype == np.uint8
    assert np.abs(rgb.astype(int) - color).max() <= 2
    assert grey.shape == (SIDE, SIDE, 1)
    assert np.abs(grey - np.dot(color, (0.299, 0.587, 0.114))).max() <= 3


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_16_bits_keep_every_grey_level(mode: str) -> None:
    levels = np.arange(256).reshape(SIDE, SIDE)
    image = Image.fromarray((levels * 257).astype(np.uint16 if mode == "I;16" else np.int32))
    assert image.mode == mode
    assert np.array_equal(to_square(image, SIDE, 1)[:, :, 0], levels)


def test_an_image_of_the_right_size_is_not_changed() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    for fit in FITS:
        assert np.array_equal(to_square(Image.fromarray(pixels), SIDE, 3, fit), pixels)


def test_fit() -> None:
    wide = Image.new("RGB", (3 * SIDE, SIDE), "black")
    wide.paste("red", (0, 0, SIDE, SIDE))
    assert to_square(wide, SIDE, 3).max() == 0  # the middle third
    padded = to_square(wide, SIDE, 3, "pad")
    assert (padded[0] == 255).all()
    assert (padded[SIDE // 2, 0] == [255, 0, 0]).all()
    stretched = to_square(wide, SIDE, 3, "stretch")
    assert (stretched[:, 1] == [255, 0, 0]).all()
    assert stretched[:, SIDE // 2 :].max() == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (3, 2), (SIDE + 1, SIDE)])
@pytest.mark.parametrize("fit", FITS)
def test_any_shape_is_fitted(size: tuple[int, int], fit: Fit) -> None:
    for channels in (1, 3):
        found = to_square(Image.new("RGB", size, "red"), SIDE, channels, fit)
        assert found.shape == (SIDE, SIDE, channels)


@pytest.mark.parametrize(
    ("orientation", "upright"),
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
def test_exif_orientation_is_applied_once(
    orientation: int,
    upright: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]],
) -> None:
    corners = np.zeros((SIDE, SIDE, 3), np.uint8)
    half = SIDE // 2
    corners[:half, :half], corners[:half, half:], corners[half:, :half] = 250, 160, 80
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = saved(Image.fromarray(corners), "PNG", exif=exif)
    assert np.array_equal(to_square(image, SIDE, 3), upright(corners))
    assert exif_transpose_of(image) is None


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_an_image_that_is_not_square_is_turned(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = photograph(80, 40)
    upright = ImageOps.exif_transpose(saved(stored, "PNG", exif=exif))
    assert upright.size == (40, 80)
    for fit in FITS:
        found = to_square(saved(stored, kind, exif=exif), SIDE, 3, fit).astype(int)
        assert np.abs(found - to_square(upright, SIDE, 3, fit)).max() <= 8


@pytest.mark.parametrize("size", [(2_000, 1_500), (1_111, 3_001)])
@pytest.mark.parametrize("fit", FITS)
def test_a_large_image_is_reduced_as_if_resized_directly(size: tuple[int, int], fit: Fit) -> None:
    image, square, lanczos = photograph(*size), (64, 64), Image.Resampling.LANCZOS
    direct = {
        "crop": ImageOps.fit(image, square, lanczos),
        "pad": ImageOps.pad(image, square, lanczos, color="white"),
        "stretch": image.resize(square, lanczos),
    }
    expected = np.asarray(direct[fit]).astype(int)
    error = np.abs(to_square(image, 64, 3, fit) - expected)
    assert error.mean() < 1.0
    assert np.quantile(error, 0.99) < 12


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size() -> None:
    image = photograph(1_600, 1_600)
    opened = saved(image, "JPEG", quality=95)
    assert draft_size(opened, 64) == (200, 200)
    assert draft_size(opened, 64) == (200, 200)  # of what was not decoded: the same again
    error = np.abs(to_square(opened, 64, 3).astype(int) - to_square(image, 64, 3))
    assert error.mean() < 3
    assert draft_size(saved(image, "PNG"), 64) == (1_600, 1_600)
