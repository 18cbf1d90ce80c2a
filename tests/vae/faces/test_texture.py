from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from tests import photographs
from training.data import avatars
from vae.faces import detector as faces
from vae.faces.detector import FaceDetector
from vae.faces.texture import photographed


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> list[Image.Image]:
    folder: Path = tmp_path_factory.mktemp("avatars")
    for _ in avatars.render(folder, 12, 0, 5, 1):
        pass
    files = sorted((folder / "images").rglob("*.*"))
    assert len(files) == 12
    return [Image.open(file).convert("RGB") for file in files]


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image))


def test_drawn_faces_are_left_out(
    detector: FaceDetector, portraits: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    for image in portraits:
        for size in (256, 400, 120):
            assert detector.detect(tensor(image.resize((size, size)))) == []
    monkeypatch.setattr(faces, "photographed", lambda w: torch.ones(len(w), dtype=torch.bool))
    assert sum(bool(detector.detect(tensor(image))) for image in portraits) > 3


@pytest.mark.parametrize("radius", [0, 2, 5])
def test_a_blurred_photograph_is_one(radius: int) -> None:
    face = photographs.astronaut().crop((181, 60, 267, 174)).resize((480, 480))
    face = face.filter(ImageFilter.GaussianBlur(radius * 5)).resize((48, 48))
    window = (tensor(face).permute(2, 0, 1)[None].float() - 127.5) / 128
    assert photographed(window).tolist() == [True]


def test_few_colours_are_a_drawing_and_a_white_window_is_not() -> None:
    drawing = torch.full((3, 48, 48), -0.5)
    drawing[:, 20:24, 12:36] = 0.8
    white = torch.ones(3, 48, 48)
    assert photographed(torch.stack([drawing, white])).tolist() == [False, True]
    assert photographed(torch.zeros(0, 3, 48, 48)).tolist() == []
