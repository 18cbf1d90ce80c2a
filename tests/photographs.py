"""Photographs that packages ship, and what is made of them. None is in the repository."""

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image

Pixels = npt.NDArray[np.uint8]

# Of the astronaut Eileen Collins, by NASA, in the public domain: 512 x 512, her face 86 x 114.
FACE_WIDTH = 86
FACE_CENTRE = (224, 117)
LANDMARKS = np.array([[204, 101], [247, 103.5], [225, 128], [203, 140], [245, 142.0]])
WITHOUT_FACES = (
    "brick",
    "cat",
    "cell",
    "checkerboard",
    "clock",
    "coffee",
    "coins",
    "colorwheel",
    "grass",
    "gravel",
    "horse",
    "hubble_deep_field",
    "immunohistochemistry",
    "logo",
    "microaneurysms",
    "moon",
    "page",
    "retina",
    "rocket",
    "text",
)


def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())  # type: ignore[no-untyped-call]


def without_face(name: str) -> Image.Image:
    """One of ``WITHOUT_FACES``."""
    pixels = np.asarray(getattr(skimage.data, name)())
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * 255
    return Image.fromarray(pixels).convert("RGB")


def head() -> Image.Image:
    """The head of the astronaut, 180 x 200; its face is at (41, 40) to (127, 154)."""
    return astronaut().crop((140, 20, 320, 220))


def scene(
    size: tuple[int, int], *heads: tuple[float, tuple[int, int]], ground: str = "slategrey"
) -> Image.Image:
    """Heads on a plain ground: for each the width of its face, and its left top corner."""
    image = Image.new("RGB", size, ground)
    for width, corner in heads:
        scale = width / FACE_WIDTH
        shown = head()
        resized = shown.resize((round(scale * shown.width), round(scale * shown.height)))
        image.paste(resized, corner)
    return image
