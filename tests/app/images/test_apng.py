import io

import numpy as np
import pytest
from PIL import Image

from app.images.animation import Animation
from app.images.apng import ApngWriter
from tests.app.conftest import Pixels
from tests.app.images.sequences import played


def noise(count: int, channels: int = 3) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (count, 9, 7, channels), dtype=np.uint8))


def encode(images: list[Pixels], animation: Animation) -> bytes:
    writer = ApngWriter(len(images), animation)
    return b"".join([*map(writer.add, images), writer.finish()])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [2, 5])
def test_pillow_reads_back_every_frame(count: int, channels: int) -> None:
    images = noise(count, channels)
    found = played(encode(images, Animation(fps=30, loop=3)))
    assert (found.format, found.loop) == ("PNG", 3)
    assert found.durations == pytest.approx([1000 / 30] * count)
    for frame, image in zip(found.frames, images, strict=True):
        assert np.array_equal(frame, np.broadcast_to(image, (9, 7, 3)))


def test_a_bounce_plays_the_images_backwards_too() -> None:
    a, b, c, d = noise(4)
    found = played(encode([a, b, c, d], Animation(bounce=True)))
    assert np.array_equal(found.frames, [a, b, c, d, c, b])


def test_one_image_is_an_image() -> None:
    [image] = noise(1)
    with Image.open(io.BytesIO(encode([image], Animation(bounce=True)))) as found:
        assert np.array_equal(np.asarray(found), image)
