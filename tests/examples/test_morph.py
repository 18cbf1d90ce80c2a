"""A path between two faces, in photographs of generated faces and in drawings."""

from itertools import pairwise
from pathlib import Path

from tests.examples.scripts import (
    Pixels,
    difference,
    drawing,
    frames,
    pixels,
    portraits,
    result,
    sampled,
    scene,
)

SIZE = 256
IMAGE = (0, 0, SIZE, SIZE)
START, END = 24, 11  # seeds of faces


def check_path(row: Pixels, steps: int, start: Pixels, end: Pixels) -> None:
    """The images go from one face to the other, and each is further along than the one before."""
    assert row.shape == (SIZE, steps * SIZE, 3)
    images = [row[:, x : x + SIZE] for x in range(0, steps * SIZE, SIZE)]
    to_start = [difference(image, start, IMAGE) for image in images]
    to_end = [difference(image, end, IMAGE) for image in images]
    apart = difference(start, end, IMAGE)
    assert to_start[0] < 0.3 * apart
    assert to_end[-1] < 0.3 * apart
    assert all(a < b for a, b in pairwise(to_start))
    assert all(a > b for a, b in pairwise(to_end))


def test_the_faces_in_two_photographs(faces: str, tmp_path: Path) -> None:
    photos = [scene(faces, seed, tmp_path / f"{seed}.png") for seed in (START, END)]
    row = result("morph.py", faces, *photos, tmp_path / "row.png")
    check_path(row, 8, *(pixels(sampled(faces, seed)) for seed in (START, END)))


def test_an_animation_plays_the_same_path_forwards_and_backwards(
    avatars: str, tmp_path: Path
) -> None:
    drawings = [drawing(portraits(i)[0], tmp_path / f"{i}.png") for i in range(2)]
    result("morph.py", avatars, *drawings, "--steps", "4", tmp_path / "m.gif")
    images = frames(tmp_path / "m.gif")
    assert len(images) == 6  # 1 2 3 4 3 2
    assert difference(images[1], images[5], IMAGE) == 0
    start, end = map(pixels, drawings)
    apart = difference(start, end, IMAGE)
    assert difference(images[0], start, IMAGE) < 0.3 * apart
    assert difference(images[3], end, IMAGE) < 0.3 * apart


def test_two_drawings(avatars: str, tmp_path: Path) -> None:
    drawings = [drawing(portraits(i)[0], tmp_path / f"{i}.png") for i in range(2)]
    row = result("morph.py", avatars, *drawings, "--steps", "5", tmp_path / "row.png")
    check_path(row, 5, *map(pixels, drawings))
