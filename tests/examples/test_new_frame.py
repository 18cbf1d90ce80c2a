"""A frame that is saved under a name, in photographs of generated faces and in drawings."""

from pathlib import Path

import httpx

from tests.examples.scripts import (
    AVATAR_EYES,
    EYES,
    FACE,
    MOUTH,
    difference,
    drawing,
    outside,
    pixels,
    portraits,
    result,
    scene,
)
from training.data.avatars import wearing

CUSTOMER, WEARER = 17, 37  # seeds of faces
MARGIN = 15  # pixels around the face that an edit may reach
SHOP = range(1, 5)  # people who were drawn with the frame and without


def test_the_customer_wears_a_frame_of_one_photograph(faces: str, tmp_path: Path) -> None:
    customer, worn = (scene(faces, seed, tmp_path / f"{seed}.png") for seed in (CUSTOMER, WEARER))
    out = tmp_path / "out.png"
    edited = result("new_frame.py", faces, "mine", "--worn", worn, customer, out)
    original = pixels(customer)
    assert difference(edited, original, EYES) > 8
    assert difference(edited, original, MOUTH) < 0.5 * difference(edited, original, EYES)
    assert (outside(edited, FACE, MARGIN) == outside(original, FACE, MARGIN)).all()
    saved = httpx.get(f"{faces}/directions/mine").raise_for_status().json()
    assert (saved["saved"], saved["count"], saved["meaning"]) == (True, 1, "the frame mine")


def test_a_drawn_frame_of_people_with_and_without_it(avatars: str, tmp_path: Path) -> None:
    _, example = portraits(0)
    groups: list[str | Path] = []
    for identity in SHOP:
        bare, _ = portraits(identity)
        worn = wearing(bare, example.frame, example.frame_color)
        for name, portrait in (("bare", bare), ("worn", worn)):
            groups += [f"--{name}", drawing(portrait, tmp_path / f"{name}{identity}.png")]
    bare, _ = portraits(len(SHOP) + 1)
    customer, out = drawing(bare, tmp_path / "customer.png"), tmp_path / "out.png"
    edited = result("new_frame.py", avatars, "theirs", *groups, customer, out)
    hers = drawing(wearing(bare, example.frame, example.frame_color), tmp_path / "truth.png")
    truth, before = pixels(hers), pixels(customer)
    assert difference(edited, truth, AVATAR_EYES) < 0.75 * difference(before, truth, AVATAR_EYES)
    saved = httpx.get(f"{avatars}/directions/theirs").raise_for_status().json()
    assert saved["count"] == 2 * len(SHOP)
