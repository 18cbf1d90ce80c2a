import struct

import numpy as np
import pytest

from app.images.animation import Animation
from app.images.gif import MAX_PALETTE_IMAGES, GifWriter, palette_positions
from tests.app.conftest import Pixels, random_image
from tests.app.images.sequences import played


def smooth(count: int) -> list[Pixels]:
    """Images that change little by little, as those of a path do."""
    start, end = (np.asarray(random_image(seed)).astype(float) for seed in (1, 2))
    return [np.round((1 - w) * start + w * end).astype(np.uint8) for w in np.linspace(0, 1, count)]


def encode(images: list[Pixels], animation: Animation) -> bytes:
    positions = palette_positions(len(images))
    writer = GifWriter([images[i] for i in positions], len(images), animation)
    return b"".join([*map(writer.add, images), writer.finish()])


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_pillow_reads_back_what_is_close_to_every_image(count: int) -> None:
    images = smooth(count)
    found = played(encode(images, Animation()))
    assert found.format == "GIF"
    for frame, image in zip(found.frames, images, strict=True):
        assert np.abs(frame.astype(int) - image).mean() < 12


def test_grey_images_are_exact() -> None:
    images = list(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8))
    found = played(encode(images, Animation()))
    for frame, image in zip(found.frames, images, strict=True):
        assert np.array_equal(frame, np.broadcast_to(image, (8, 8, 3)))


def test_no_image_has_a_palette_of_its_own() -> None:
    images = smooth(3)
    writer = GifWriter(images, 3, Animation())
    for image in images:
        descriptor = writer.add(image).partition(struct.pack("<cHHHH", b",", 0, 0, 32, 32))[2]
        assert descriptor[0] == 0  # flags


@pytest.mark.parametrize(("loop", "extension"), [(0, 0), (1, None), (2, 1), (65_535, 65_534)])
def test_the_loop_count_is_how_often_it_is_played(loop: int, extension: int | None) -> None:
    assert played(encode(smooth(3), Animation(loop=loop))).loop == extension


def test_durations_are_rounded_so_that_their_sum_is_right() -> None:
    found = played(encode(smooth(6), Animation(fps=30)))
    assert found.durations == [30, 40, 30, 30, 40, 30]


def test_a_bounce_plays_the_images_backwards_too() -> None:
    images = smooth(5)
    once = played(encode(images, Animation())).frames
    both = played(encode(images, Animation(bounce=True))).frames
    assert np.array_equal(both, [*once, *once[3:0:-1]])


@pytest.mark.parametrize("count", range(1, 65))
def test_the_palette_is_made_from_both_ends_and_what_lies_between(count: int) -> None:
    positions = palette_positions(count)
    assert sorted(set(positions)) == positions
    assert len(positions) <= MAX_PALETTE_IMAGES
    assert (positions[0], positions[-1]) == (0, count - 1)
    assert count < 3 or len(positions) < count
