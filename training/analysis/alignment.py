"""Where the faces of aligned training images have their landmarks."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

from training.data.dataset import DataError
from vae.faces.detector import FaceDetector, Point

MIN_FOUND = 0.9  # fraction of the images in which a face is found
MAX_SPREAD = 0.1  # fraction of the side: median distance of a landmark from its median


def median_landmarks(
    images: Iterable[npt.NDArray[np.uint8]], detector: FaceDetector
) -> tuple[tuple[Point, ...], int]:
    """The median x and y of each landmark, in pixels, and the number of images with a face.

    Args:
        images: uint8 RGB ``(S, S, 3)``, all of one size. The largest face of each counts.
        detector: of faces.

    Raises:
        DataError: if too few images have a face, or the faces are not at the same position.
    """
    found: list[tuple[Point, ...]] = []
    count = side = 0
    for image in images:
        count, side = count + 1, len(image)
        faces = detector.detect(torch.from_numpy(image))
        found += [face.landmarks for face in faces[:1]]
    if not found or len(found) < MIN_FOUND * count:
        raise DataError(
            f"faces were found in {len(found)} of {count} images; a template needs {MIN_FOUND:.0%}"
        )
    landmarks = np.array(found)
    median = np.median(landmarks, axis=0)
    spread = float(np.median(np.linalg.norm(landmarks - median, axis=2)))
    if spread > MAX_SPREAD * side:
        raise DataError(
            f"landmarks are {spread:.0f} pixels from their median, in the median; aligned faces "
            f"have at most {MAX_SPREAD * side:.0f}"
        )
    return tuple((float(x), float(y)) for x, y in median), len(found)
