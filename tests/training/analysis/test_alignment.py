import numpy as np
import pytest
import torch

from training.analysis.alignment import median_landmarks
from training.data.dataset import DataError
from vae.faces.detector import Face, FaceDetector

IMAGE = np.zeros((100, 100, 3), np.uint8)
POINTS = np.array([[30, 30], [70, 30], [50, 50], [35, 70], [65, 70.0]])


class Scripted(FaceDetector):
    """Gives the faces of a list, one image after the other."""

    def __init__(self, *found: list[Face]) -> None:
        self.found = list(found)

    def detect(self, image: torch.Tensor) -> list[Face]:
        assert image.shape == IMAGE.shape
        return self.found.pop(0)


def face(offset: float) -> Face:
    return Face((0, 0, 1, 1), 1.0, tuple((x, y) for x, y in (POINTS + offset).tolist()))


def test_the_median_of_the_largest_faces() -> None:
    small = face(-40)
    detector = Scripted([face(-1)], [face(0), small], [face(0)], [face(9)], [face(-2)])
    template, found = median_landmarks([IMAGE] * 5, detector)
    assert np.array_equal(template, POINTS)
    assert found == 5


def test_images_in_which_few_faces_are_found_are_no_aligned_faces() -> None:
    detector = Scripted(*[[face(0)]] * 8, [], [])
    with pytest.raises(DataError, match="faces were found in 8 of 10 images"):
        median_landmarks([IMAGE] * 10, detector)
    with pytest.raises(DataError, match="0 of 0"):
        median_landmarks([], Scripted())


def test_faces_at_other_positions_are_not_aligned() -> None:
    detector = Scripted(*([face(offset)] for offset in (-20, -10, 0, 10, 20)))
    with pytest.raises(DataError, match="14 pixels from their median"):
        median_landmarks([IMAGE] * 5, detector)
