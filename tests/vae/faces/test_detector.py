import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from tests import photographs
from tests.photographs import FACE_CENTRE, FACE_WIDTH, LANDMARKS, astronaut
from vae.faces import detector as faces
from vae.faces.detector import Face, FaceDetector
from vae.faces.pyramid import windows


def detect(detector: FaceDetector, image: Image.Image) -> list[Face]:
    return detector.detect(torch.from_numpy(np.array(image.convert("RGB"))))


def landmark_error(face: Face, expected: object, width: float) -> float:
    """The largest distance of a landmark, as a fraction of the width of the face."""
    apart = np.array(face.landmarks) - np.asarray(expected)
    return float(np.linalg.norm(apart, axis=1).max() / width)


def test_a_face_is_found_with_its_landmarks(detector: FaceDetector) -> None:
    [face] = detect(detector, astronaut())
    assert landmark_error(face, LANDMARKS, FACE_WIDTH) < 0.05
    left, top, right, bottom = face.box
    assert abs((left + right) / 2 - FACE_CENTRE[0]) < 5
    assert abs((top + bottom) / 2 - FACE_CENTRE[1]) < 5
    assert 0.99 < face.score <= 1


@pytest.mark.parametrize("width", [32, 45, 60, 86, 130, 200, 320])
def test_faces_of_many_sizes_are_found(detector: FaceDetector, width: int) -> None:
    scale = width / FACE_WIDTH
    side = round(512 * scale)
    [face] = detect(detector, astronaut().resize((side, side)))
    assert landmark_error(face, scale * LANDMARKS, width) < 0.08


@pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
def test_turned_faces_are_found(detector: FaceDetector, degrees: int) -> None:
    image = astronaut().rotate(degrees, Image.Resampling.BICUBIC, center=FACE_CENTRE)
    angle = np.deg2rad(-degrees)  # y points down
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = (LANDMARKS - FACE_CENTRE) @ turn.T + FACE_CENTRE
    assert landmark_error(detect(detector, image)[0], expected, FACE_WIDTH) < 0.1


@pytest.mark.parametrize("factor", [0.1, 0.25, 1.4])
def test_dark_and_bright_photographs_are_searched_too(
    detector: FaceDetector, factor: float
) -> None:
    image = ImageEnhance.Brightness(astronaut()).enhance(factor)
    [face] = detect(detector, image)
    assert landmark_error(face, LANDMARKS, FACE_WIDTH) < 0.06


def test_the_landmarks_of_a_tight_crop_are_those_of_the_whole(detector: FaceDetector) -> None:
    corner = (184, 75)  # the box of the face reaches over three edges
    [face] = detect(detector, astronaut().crop((*corner, 264, 165)))
    assert face.box[1] < 0
    assert landmark_error(face, LANDMARKS - corner, FACE_WIDTH) < 0.08


def test_several_faces_are_found_the_largest_first(detector: FaceDetector) -> None:
    image = photographs.scene((900, 500), (60, (30, 50)), (150, (300, 60)), (90, (660, 40)))
    found = detect(detector, image)
    assert len(found) == 3
    areas = [face.area for face in found]
    assert areas == sorted(areas, reverse=True)
    centres = [(face.box[0] + face.box[2]) / 2 for face in found]
    assert np.allclose(centres, [300 + 147, 660 + 88, 30 + 59], atol=8)


@pytest.mark.parametrize("name", photographs.WITHOUT_FACES)
@pytest.mark.parametrize("side", [None, 128, 1000])
def test_nothing_is_found_where_there_is_no_face(
    detector: FaceDetector, name: str, side: int | None
) -> None:
    image = photographs.without_face(name)
    if side is not None:
        scale = side / max(image.size)
        image = image.resize((round(scale * image.width), round(scale * image.height)))
    assert detect(detector, image) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1), (7, 5), (12, 12), (13, 900)])
def test_images_of_any_size_are_searched(detector: FaceDetector, size: tuple[int, int]) -> None:
    assert detect(detector, Image.new("RGB", size)) == []


def test_work_is_bounded_whatever_the_networks_say(
    detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PROPOSAL_SCORE", "REFINE_SCORE", "OUTPUT_SCORE"):
        monkeypatch.setattr(faces, name, 0.0)
    for name in ("LEVEL_OVERLAP", "OVERLAP"):
        monkeypatch.setattr(faces, name, 1.0)
    counts = []

    def counted(*arguments: object) -> torch.Tensor:
        counts.append(len(arguments[1]))  # type: ignore[arg-type]
        return windows(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(faces, "windows", counted)
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    detector.detect(torch.from_numpy(noise))
    assert counts[:3] == [faces.MAX_REFINED, faces.MAX_OUTPUT, faces.MAX_OUTPUT]
    assert len(counts) <= 8


def test_a_window_is_a_reduced_part_of_the_image_and_grey_beyond_it() -> None:
    ramp = torch.arange(64.0).repeat(64, 1)
    pyramid = [ramp.expand(1, 3, 64, 64)]
    pyramid.append(torch.nn.functional.avg_pool2d(pyramid[0], 2))
    boxes = torch.tensor([[8.0, 8, 56, 56], [-24, 8, 24, 56]])
    inside, outside = windows(pyramid, boxes, 24)
    assert torch.allclose(inside[0, 5], 8.5 + 2 * torch.arange(24.0), atol=1e-4)
    assert (outside[:, :, :11] == 0).all()
    assert torch.allclose(outside[1, 7, 13:], 2.5 + 2 * torch.arange(11.0), atol=1e-4)
