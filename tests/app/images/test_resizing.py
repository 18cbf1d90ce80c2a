import numpy as np
import pytest
from PIL import Image

from app.images.resizing import resized
from tests.app.conftest import random_image


@pytest.mark.parametrize("size", [32, 47, 96])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_lanczos(size: int, channels: int) -> None:
    image = random_image(3, (48, 48)).convert({1: "L", 3: "RGB"}[channels])
    pixels = np.asarray(image).reshape(48, 48, channels)
    expected = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))
    assert np.array_equal(resized(pixels, size), expected.reshape(size, size, channels))


def test_an_image_of_that_size_stays_as_it_is() -> None:
    pixels = np.asarray(random_image(3))
    assert resized(pixels, None) is pixels
    assert resized(pixels, len(pixels)) is pixels
