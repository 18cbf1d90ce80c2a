"""A frame that becomes another, in photographs of generated faces and in drawings."""

from itertools import pairwise
from pathlib import Path

from tests.examples.scripts import (
    AVATAR_EYES,
    Pixels,
    difference,
    drawing,
    frames,
    portraits,
    result,
    scene,
)
from training.data.avatars import wearing

SIZE = 256
EYES, MOUTH = (30, 60, 226, 140), (60, 160, 196, 210)
CUSTOMER, BLACK, WHITE = 17, 37, 26  # seeds of faces


def steps_of(row: Pixels, steps: int) -> list[Pixels]:
    assert row.shape == (SIZE, steps * SIZE, 3)
    return [row[:, x : x + SIZE] for x in range(0, steps * SIZE, SIZE)]


def check_steps(images: list[Pixels], box: tuple[int, int, int, int]) -> None:
    """Each is further from the first and closer to the last than the one before."""
    from_first = [difference(image, images[0], box) for image in images]
    to_last = [difference(image, images[-1], box) for image in images]
    assert from_first[-1] > 5
    assert all(a < b for a, b in pairwise(from_first))
    assert all(a > b for a, b in pairwise(to_last))


def test_from_a_black_frame_to_a_white_one(faces: str, tmp_path: Path) -> None:
    seeds = (CUSTOMER, BLACK, WHITE)
    photos = [scene(faces, seed, tmp_path / f"{seed}.png") for seed in seeds]
    images = steps_of(result("frame_steps.py", faces, *photos, tmp_path / "row.png"), 8)
    check_steps(images, EYES)
    first, last = images[0], images[-1]
    assert difference(first, last, MOUTH) < 0.7 * difference(first, last, EYES)


def test_from_a_drawn_black_frame_to_a_navy_one(avatars: str, tmp_path: Path) -> None:
    customer, other = portraits(1)[0], portraits(0)[1]
    colors = ("black", "navy")
    portraits_in_order = [customer, *(wearing(other, other.frame, color) for color in colors)]
    drawings = [
        drawing(portrait, tmp_path / f"{i}.png") for i, portrait in enumerate(portraits_in_order)
    ]
    row = result("frame_steps.py", avatars, *drawings, "--steps", "3", tmp_path / "row.png")
    images = steps_of(row, 3)
    check_steps(images, AVATAR_EYES)
    left, top, right, bottom = AVATAR_EYES
    blue = [
        float((image[..., 2] - image[..., 0])[top:bottom, left:right].mean()) for image in images
    ]
    assert blue[0] < blue[1] < blue[2]
    result("frame_steps.py", avatars, *drawings, "--steps", "3", tmp_path / "steps.gif")
    assert len(frames(tmp_path / "steps.gif")) == 4  # 1 2 3 2
