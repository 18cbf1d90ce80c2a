"""Animations as Pillow reads them."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageSequence

from tests.app.conftest import Pixels


@dataclass
class Played:
    """What a viewer shows.

    Attributes:
        frames: uint8 ``(H, W, 3)``.
        durations: of the frames, in milliseconds.
        loop: as Pillow gives it; None if the file says nothing.
    """

    format: str | None
    frames: list[Pixels]
    durations: list[float]
    loop: int | None


def played(data: bytes) -> Played:
    """An animation file, decoded."""
    with Image.open(io.BytesIO(data)) as image:
        loop = image.info.get("loop")
        frames, durations = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            durations.append(float(frame.info["duration"]))
        return Played(image.format, frames, durations, loop)
