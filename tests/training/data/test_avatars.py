import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.training.conftest import Command
from training.data.avatars import (
    FRAME_COLORS,
    FRAMES,
    Portrait,
    counterfactuals,
    png,
    portrait,
    wearing,
)

EYES = slice(int(0.25 * 256), int(0.62 * 256))
BARE = counterfactuals(0, 1)[0]


def pixels(choice: Portrait) -> npt.NDArray[np.int64]:
    image = Image.open(io.BytesIO(png(choice))).convert("RGB")
    return np.asarray(image).astype(np.int64)


def rows(folder: Path) -> list[dict[str, Any]]:
    with (folder / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_same_seed_draws_the_same_portraits(
    tmp_path: Path, avatars: Path, command: Command
) -> None:
    words = ["-n", 12, "--test", 6, "--workers", 1]
    command("avatars", "--out", tmp_path / "same", *words)
    command("avatars", "--out", tmp_path / "other", *words, "--seed", 1)
    names = sorted(f.relative_to(avatars) for f in avatars.rglob("*") if f.is_file())
    assert len(names) == 12 + 3 * 6 + 2
    assert all((tmp_path / "same" / n).read_bytes() == (avatars / n).read_bytes() for n in names)
    assert rows(tmp_path / "other") != rows(avatars)


def test_an_identity_differs_in_its_glasses_alone(avatars: Path) -> None:
    test = [row for row in rows(avatars) if row["split"] == "test"]
    for i in range(0, len(test), 3):
        bare, first, second = test[i : i + 3]
        assert (bare["glasses"], first["glasses"], second["glasses"]) == ("0", "1", "1")
        assert bare["frame"] == ""
        assert first["frame"] != second["frame"]
        for other in (first, second):
            differing = {k for k in bare if bare[k] != other[k]}
            assert differing <= {"file", "glasses", "frame", "frame_color"}


@pytest.mark.parametrize("frame", FRAMES)
def test_glasses_change_the_eyes_and_nothing_else(frame: str) -> None:
    bare, worn = pixels(BARE), pixels(wearing(BARE, frame, "navy"))
    changed = np.abs(worn - bare).max(axis=2) > 0
    assert changed[EYES].sum() > 500
    changed[EYES] = False
    assert not changed.any()


def test_every_frame_in_every_colour_is_another_image() -> None:
    drawn = {png(wearing(BARE, frame, color)) for frame in FRAMES for color in FRAME_COLORS}
    assert len(drawn) == len(FRAMES) * len(FRAME_COLORS)


def test_labels_say_what_was_drawn() -> None:
    drawn = [portrait(0, i) for i in range(300)]
    for choice in drawn:
        assert choice.glasses == int(bool(choice.frame)) == int(bool(choice.frame_color))
        assert choice.beard == int(bool(choice.facial_hair))
    for label in ("glasses", "beard", "long_hair", "smile"):
        assert 0.1 < np.mean([getattr(choice, label) for choice in drawn]) < 0.7
