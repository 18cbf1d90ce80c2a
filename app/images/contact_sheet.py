"""Several images as one."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

WHITE = 255


def contact_sheet(
    images: Sequence[npt.NDArray[np.uint8]], columns: int | None = None
) -> npt.NDArray[np.uint8]:
    """The images as tiles without gaps, row by row; white where the last row is not full.

    Args:
        images: uint8 ``(H, W, C)``, at least one, all of one shape.
        columns: tiles in a row; None makes the sheet as square as possible.

    Returns:
        uint8 ``(rows * H, columns * W, C)``.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    height, width, channels = images[0].shape
    rows = math.ceil(len(images) / columns)
    sheet = np.full((rows * height, columns * width, channels), WHITE, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = row * height, column * width
        sheet[top : top + height, left : left + width] = image
    return sheet
