"""Glasses on and off, in photographs of generated faces, of a real one, and in drawings."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.examples.scripts import (
    AVATAR_EYES,
    EYES,
    FACE,
    MOUTH,
    SCENE_SIZE,
    difference,
    drawing,
    outside,
    pixels,
    portraits,
    result,
    scene,
)
from tests.photographs import FACE_CENTRE, FACE_WIDTH, astronaut

BARE, WORN = 11, 34  # seeds of faces
MARGIN = 15  # pixels around the face that an edit may reach


def test_glasses_go_on_at_the_eyes_only(faces: str, tmp_path: Path) -> None:
    photo = scene(faces, BARE, tmp_path / "photo.png")
    edited, original = result("glasses.py", faces, "on", photo, tmp_path / "on.png"), pixels(photo)
    assert edited.shape == (SCENE_SIZE[1], SCENE_SIZE[0], 3)
    assert difference(edited, original, EYES) > 10
    assert difference(edited, original, MOUTH) < 2
    assert (outside(edited, FACE, MARGIN) == outside(original, FACE, MARGIN)).all()


def test_glasses_come_off_again(faces: str, tmp_path: Path) -> None:
    photo, on = scene(faces, BARE, tmp_path / "photo.png"), tmp_path / "on.png"
    worn = result("glasses.py", faces, "on", photo, on)
    edited, original = result("glasses.py", faces, "off", on, tmp_path / "off.png"), pixels(photo)
    assert difference(edited, original, EYES) < 0.7 * difference(worn, original, EYES)
    assert (outside(edited, FACE, MARGIN) == outside(original, FACE, MARGIN)).all()


def test_glasses_come_off_at_the_eyes_only(faces: str, tmp_path: Path) -> None:
    photo = scene(faces, WORN, tmp_path / "photo.png")
    edited, worn = result("glasses.py", faces, "off", photo, tmp_path / "off.png"), pixels(photo)
    assert edited.shape == worn.shape
    assert difference(edited, worn, EYES) > 8
    assert difference(edited, worn, MOUTH) < 2
    assert (outside(edited, FACE, MARGIN) == outside(worn, FACE, MARGIN)).all()


def test_the_strength_is_that_of_the_edit(faces: str, tmp_path: Path) -> None:
    photo = scene(faces, BARE, tmp_path / "photo.png")
    original = pixels(photo)
    none, half, full = (
        result("glasses.py", faces, "on", photo, "--strength", strength, tmp_path / "on.png")
        for strength in ("0", "0.5", "1")
    )
    assert (none == original).all()
    assert 0 < difference(half, original, EYES) < 0.8 * difference(full, original, EYES)


@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_a_real_photograph_keeps_its_size_and_all_but_the_face(
    faces: str, tmp_path: Path, suffix: str, kind: str
) -> None:
    photo, out = tmp_path / "astronaut.png", tmp_path / f"out.{suffix}"
    astronaut().save(photo)
    edited, original = result("glasses.py", faces, "on", photo, out), pixels(photo)
    with Image.open(out) as image:
        assert image.format == kind
    x, y = FACE_CENTRE
    face = (x - FACE_WIDTH // 2, y - FACE_WIDTH // 2, x + FACE_WIDTH // 2, y + FACE_WIDTH // 2)
    eyes = (x - 35, y - 26, x + 35, y - 6)
    assert edited.shape == original.shape
    assert difference(edited, original, eyes) > 8
    left = np.abs(outside(edited, face, MARGIN) - outside(original, face, MARGIN))
    assert left.mean() < (4 if suffix != "png" else 1e-9)


def test_drawn_glasses_come_off_and_the_drawing_below_appears(avatars: str, tmp_path: Path) -> None:
    for identity in range(3):
        bare, worn = (
            drawing(portrait, tmp_path / f"{name}.png")
            for name, portrait in zip(("bare", "worn"), portraits(identity), strict=True)
        )
        edited = result("glasses.py", avatars, "off", worn, tmp_path / "off.png")
        truth, before = pixels(bare), pixels(worn)
        assert difference(edited, truth, AVATAR_EYES) < 0.6 * difference(before, truth, AVATAR_EYES)
        assert (outside(edited, AVATAR_EYES, 40) == outside(before, AVATAR_EYES, 40)).all()


def test_drawn_glasses_go_on(avatars: str, tmp_path: Path) -> None:
    for identity in range(3):
        photo = drawing(portraits(identity)[0], tmp_path / "bare.png")
        edited = result("glasses.py", avatars, "on", photo, tmp_path / "on.png")
        original = pixels(photo)
        assert difference(edited, original, AVATAR_EYES) > 20
        far = (outside(edited, AVATAR_EYES, 40) == outside(original, AVATAR_EYES, 40)).all(1)
        assert far.mean() > 0.98
