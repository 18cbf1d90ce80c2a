"""The geometry of an aligned face, without pixels.

Points are ``(N, 2)``, x and y in pixels; pixel i reaches from i to i + 1. A transform is
``(2, 3)``: the point p becomes ``transform[:, :2] @ p + transform[:, 2]``.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from vae.preprocessing import Fit

Points: TypeAlias = npt.NDArray[np.float64]
Transform: TypeAlias = npt.NDArray[np.float64]

ALIGNED_TOLERANCE = 0.06  # fraction of the side by which an aligned image may miss the template

# Where each transpose takes the point (u, v), as fractions of width and height.
TRANSPOSED: dict[Image.Transpose | None, list[list[float]]] = {
    None: [[1, 0, 0], [0, 1, 0]],
    Image.Transpose.FLIP_LEFT_RIGHT: [[-1, 0, 1], [0, 1, 0]],
    Image.Transpose.FLIP_TOP_BOTTOM: [[1, 0, 0], [0, -1, 1]],
    Image.Transpose.ROTATE_180: [[-1, 0, 1], [0, -1, 1]],
    Image.Transpose.TRANSPOSE: [[0, 1, 0], [1, 0, 0]],
    Image.Transpose.TRANSVERSE: [[0, -1, 1], [-1, 0, 1]],
    Image.Transpose.ROTATE_90: [[0, 1, 0], [-1, 0, 1]],
    Image.Transpose.ROTATE_270: [[0, -1, 1], [1, 0, 0]],
}

SWAPPING = frozenset(t for t, (x, _) in TRANSPOSED.items() if not x[0])  # width and height


def similarity(source: Points, target: Points) -> Transform:
    """The rotation, scale and translation that takes ``source`` closest to ``target``.

    The least-squares solution without reflection: Umeyama, "Least-Squares Estimation of
    Transformation Parameters Between Two Point Patterns", IEEE Transactions on Pattern Analysis
    and Machine Intelligence 13 (1991), equations 40 to 42.

    Args:
        source: ``(N, 2)``, not all the same.
        target: ``(N, 2)``.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    from_mean, to_mean = source - source_mean, target - target_mean
    u, singular, v = np.linalg.svd(to_mean.T @ from_mean)
    signs = np.array([1.0, np.sign(np.linalg.det(u @ v))])
    scale = (singular * signs).sum() / (from_mean**2).sum()
    matrix = scale * (u * signs) @ v
    return np.column_stack([matrix, target_mean - matrix @ source_mean])


def apply(transform: Transform, points: Points) -> Points:
    """The points where the transform takes them."""
    return points @ transform[:, :2].T + transform[:, 2]


def compose(second: Transform, first: Transform) -> Transform:
    """The transform that is ``first``, then ``second``."""
    matrix = second[:, :2] @ first[:, :2]
    return np.column_stack([matrix, apply(second, first[:, 2])])


def inverse(transform: Transform) -> Transform:
    """The transform back.

    Raises:
        LinAlgError: if there is none.
    """
    matrix = np.linalg.inv(transform[:, :2])
    return np.column_stack([matrix, -matrix @ transform[:, 2]])


def fitted_square(width: int, height: int, size: int, fit: Fit) -> Transform:
    """Where ``vae.preprocessing.to_square`` puts the points of an upright image.

    Args:
        width: of the image.
        height: of the image.
        size: pixels a side of the square.
        fit: how an image that is not square is fitted.
    """
    if fit == "stretch":
        return np.array([[size / width, 0, 0], [0, size / height, 0]])
    if fit == "crop":
        scale = size / min(width, height)
        margins = (size - scale * width) / 2, (size - scale * height) / 2
        return np.array([[scale, 0, margins[0]], [0, scale, margins[1]]])
    scale = size / max(width, height)
    inner = max(1, round(scale * width)), max(1, round(scale * height))  # whole pixels
    corner = round((size - inner[0]) / 2), round((size - inner[1]) / 2)
    return np.array([[inner[0] / width, 0, corner[0]], [0, inner[1] / height, corner[1]]])


def fitted_upright(
    transpose: Image.Transpose | None, width: int, height: int, size: int, fit: Fit
) -> Transform:
    """As ``fitted_square``, of an image that is fitted as it is stored, and then turned upright.

    Args:
        transpose: that turns the image upright; None if it is.
        width: of the image as it is stored.
        height: of the image as it is stored.
        size: pixels a side of the square.
        fit: how an image that is not square is fitted.

    Returns:
        the transform from pixels of the upright image to pixels of the upright square.
    """
    turned = (height, width) if transpose in SWAPPING else (width, height)
    photograph_to_unit = np.array([[1 / turned[0], 0, 0], [0, 1 / turned[1], 0]])
    to_stored = compose(inverse(upright(transpose, width, height)), photograph_to_unit)
    turn_square = size * upright(transpose, size, size)
    return compose(turn_square, compose(fitted_square(width, height, size, fit), to_stored))


def is_aligned(landmarks: Points, template: Points, size: int) -> bool:
    """Whether landmarks ``(5, 2)`` in an image have the position of the template.

    The similarity to the template is compared with the identity, so that the proportions of a face
    do not count.

    Args:
        landmarks: in the image.
        template: where they are in the mean.
        size: pixels a side of the image.
    """
    moved = apply(similarity(landmarks, template), template) - template
    return bool(np.linalg.norm(moved, axis=1).max() <= ALIGNED_TOLERANCE * size)


def upright(transpose: Image.Transpose | None, width: int, height: int) -> Transform:
    """Where a transpose takes the points of an image, as a transform to fractions of its sides.

    Args:
        transpose: that turns the image upright; None if it is.
        width: of the image as it is stored.
        height: of the image as it is stored.

    Returns:
        the transform from pixels of the stored image to 0..1 of width and height of the upright
        one.
    """
    return np.array(TRANSPOSED[transpose], np.float64) @ np.diag([1 / width, 1 / height, 1.0])
