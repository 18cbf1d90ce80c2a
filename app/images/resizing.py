"""Images at another size than the model's."""

import numpy as np
import numpy.typing as npt
from PIL import Image

MIN_SIZE, MAX_SIZE = 32, 1024  # pixels a side


def resized(pixels: npt.NDArray[np.uint8], size: int | None) -> npt.NDArray[np.uint8]:
    """A square image at another size, by Lanczos resampling (3 lobes).

    Args:
        pixels: uint8 ``(S, S, C)`` with C 1 (grey) or 3 (RGB).
        size: pixels a side; None leaves the image as it is.

    Returns:
        uint8 ``(size, size, C)``.
    """
    if size is None or size == len(pixels):
        return pixels
    channels = pixels.shape[2]
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(size, size, channels)
