"""A frame from one face on another, in photographs of generated faces and in drawings."""

from pathlib import Path

import pytest

from tests.examples.scripts import (
    AVATAR_EYES,
    EYES,
    FACE,
    MOUTH,
    SCENE_SIZE,
    Pixels,
    difference,
    drawing,
    outside,
    pixels,
    portraits,
    result,
    scene,
)
from training.data.avatars import wearing

CUSTOMER, WEARERS = 24, (10, 34)  # seeds of faces
MARGIN = 15  # pixels around the face that an edit may reach


@pytest.fixture
def photos(faces: str, tmp_path: Path) -> list[Path]:
    """The customer's, and two of frames that are worn."""
    return [scene(faces, seed, tmp_path / f"{seed}.png") for seed in (CUSTOMER, *WEARERS)]


def test_the_customer_wears_a_frame_and_the_rest_is_the_customers(
    faces: str, photos: list[Path], tmp_path: Path
) -> None:
    customer, worn, _ = photos
    edited = result("shop_frame.py", faces, customer, worn, tmp_path / "out.png")
    original = pixels(customer)
    assert edited.shape == (SCENE_SIZE[1], SCENE_SIZE[0], 3)
    assert difference(edited, original, EYES) > 8
    assert difference(edited, original, MOUTH) < 0.5 * difference(edited, original, EYES)
    assert (outside(edited, FACE, MARGIN) == outside(original, FACE, MARGIN)).all()


def test_it_is_the_frame_of_the_photographs_that_were_given(
    faces: str, photos: list[Path], tmp_path: Path
) -> None:
    def edited(*worn: Path) -> Pixels:
        return result("shop_frame.py", faces, photos[0], *worn, tmp_path / "out.png")

    first, second, both = edited(photos[1]), edited(photos[2]), edited(*photos[1:])
    apart = difference(first, second, EYES)
    assert apart > 3
    assert difference(both, first, EYES) < apart
    assert difference(both, second, EYES) < apart


def test_a_drawn_frame_comes_close_to_the_drawing_with_it(avatars: str, tmp_path: Path) -> None:
    for identity in range(3):
        _, worn = portraits(identity)
        other, _ = portraits(identity + 1)
        hers = wearing(other, worn.frame, worn.frame_color)
        customer, shop = (
            drawing(other, tmp_path / "customer.png"),
            drawing(worn, tmp_path / "worn.png"),
        )
        edited = result("shop_frame.py", avatars, customer, shop, tmp_path / "out.png")
        truth, before = pixels(drawing(hers, tmp_path / "truth.png")), pixels(customer)
        assert difference(edited, truth, AVATAR_EYES) < 0.75 * difference(
            before, truth, AVATAR_EYES
        )
        far = (outside(edited, AVATAR_EYES, 40) == outside(before, AVATAR_EYES, 40)).all(1)
        assert far.mean() > 0.9
