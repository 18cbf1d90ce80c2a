import io

import numpy as np
import pytest
from PIL import Image

from app.images import png


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 255), (255, 3), (64, 65), (257, 31)])
def test_pillow_reads_back_every_byte(shape: tuple[int, int], channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, channels), dtype=np.uint8)
    with Image.open(io.BytesIO(png.encode(pixels))) as image:
        image.load()  # checks the checksums
        assert image.mode == {1: "L", 3: "RGB"}[channels]
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_flat_and_smooth_images_are_read_back_too() -> None:
    ramp = np.arange(256, dtype=np.uint8)
    for pixels in (
        np.zeros((40, 30), np.uint8),
        np.full((40, 30), 255, np.uint8),
        ramp[None] * ramp[:, None],
    ):
        for channels in (1, 3):
            whole = np.repeat(pixels[:, :, None], channels, axis=2)
            with Image.open(io.BytesIO(png.encode(whole))) as image:
                assert np.array_equal(np.asarray(image).reshape(whole.shape), whole)


def test_it_is_small() -> None:
    smooth = np.linspace(0, 255, 256).astype(np.uint8)
    pixels = np.broadcast_to(smooth[:, None, None], (256, 256, 3))
    assert len(png.encode(pixels)) < pixels.size / 50


def test_a_strided_view_is_encoded() -> None:
    whole = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    part = whole[::2, 3:17:2]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png.encode(part)))), part)


def test_text_is_read_before_the_pixels_are_decoded() -> None:
    data = png.encode(np.zeros((2, 2, 3), np.uint8), {"lorgnette": '{"a": 1}', "b": "c"})
    with Image.open(io.BytesIO(data)) as image:
        assert image.info == {"lorgnette": '{"a": 1}', "b": "c"}
