"""Several images as one."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.images.resizing import resized

WHITE = 255


def contact_sheet(
    images: Sequence[npt.NDArray[np.uint8]], columns: int | None = None, size: int | None = None
) -> npt.NDArray[np.uint8]:
    """The images as tiles without gaps, row by row; white where the last row is not full.

    Args:
        images: uint8 ``(S, S, C)``, at least one, all of one shape.
        columns: tiles in a row; None makes the sheet as square as possible.
        size: of a tile, in pixels a side; None is that of the images.

    Returns:
        uint8 ``(rows * size, columns * size, C)``.
    """
    columns, rows = grid(len(images), columns)
    side, _, channels = images[0].shape
    side = size or side
    sheet = np.full((rows * side, columns * side, channels), WHITE, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = row * side, column * side
        sheet[top : top + side, left : left + side] = resized(image, size)
    return sheet


def grid(count: int, columns: int | None) -> tuple[int, int]:
    """Columns and rows of a sheet of ``count`` images; see ``contact_sheet``."""
    columns = columns or math.ceil(math.sqrt(count))
    return columns, math.ceil(count / columns)
