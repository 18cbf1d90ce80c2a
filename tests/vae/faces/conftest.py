from pathlib import Path

import pytest

from vae.faces.detector import FaceDetector, load

WEIGHTS = Path(__file__).parents[3] / "models" / "face_detector"


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    return load(WEIGHTS)
