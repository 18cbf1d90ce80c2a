import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from app.images import photograph
from app.inference import face_finder
from app.settings import Settings
from tests import photographs
from tests.app import asgi
from tests.app.conftest import file, ok, problem, random_image, serving, text
from tests.photographs import FACE_WIDTH, LANDMARKS, astronaut
from vae.checkpoint import CheckpointError
from vae.faces.detector import Face, FaceDetector

NAMES = ["left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner"]
TURNED = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}


def faces(response: httpx.Response) -> list[Any]:
    """The faces in the only photograph of a request."""
    [found] = ok(response).json()["images"]
    return list(found["faces"])


def landmarks(face: Any) -> Any:
    assert list(face["landmarks"]) == NAMES
    return np.array(list(face["landmarks"].values()))


@pytest.fixture(scope="module")
def phone() -> Image.Image:
    """12 megapixels, with a face whose width is a tenth of the photograph's."""
    return photographs.scene((4032, 3024), (403, (2200, 900)))


def test_boxes_landmarks_and_scores_of_a_photograph(client: httpx.Client) -> None:
    data = file(astronaut())
    response = client.post("/faces", files={"image": data})
    [face] = faces(response)
    assert np.abs(landmarks(face) - LANDMARKS).max() < 5
    left, top, right, bottom = face["box"]
    assert left < landmarks(face)[:, 0].min() < landmarks(face)[:, 0].max() < right
    assert top < landmarks(face)[:, 1].min() < landmarks(face)[:, 1].max() < bottom
    assert 0.95 < face["score"] <= 1
    assert "lorgnette-model" not in response.headers
    raw = client.post("/faces", content=data, headers={"content-type": "image/png"})
    in_json = client.post("/faces", json={"image": text(data)})
    assert faces(raw) == faces(in_json) == [face]


@pytest.mark.parametrize("tag", TURNED)
def test_a_turned_phone_photograph_is_searched_upright_and_in_full_size(
    client: httpx.Client, phone: Image.Image, tag: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    transpose = TURNED[tag]
    stored = phone if transpose is None else phone.transpose(transpose)
    response = client.post("/faces", files={"image": file(stored, "JPEG", exif=exif)})
    [found] = ok(response).json()["images"]
    assert (found["width"], found["height"]) == phone.size
    [face] = found["faces"]
    scale = 403 / FACE_WIDTH
    expected = scale * (LANDMARKS - (140, 20)) + (2200, 900)
    assert np.abs(landmarks(face) - expected).max() < 0.08 * 403


def test_several_photographs_each_with_its_faces_the_largest_first(client: httpx.Client) -> None:
    group = photographs.scene((900, 400), (80, (20, 50)), (140, (400, 30)))
    files = [("image", file(image)) for image in (group, random_image(1), astronaut())]
    found = [entry["faces"] for entry in ok(client.post("/faces", files=files)).json()["images"]]
    assert [len(entry) for entry in found] == [2, 0, 1]
    lefts = [face["box"][0] for face in found[0]]
    assert lefts == sorted(lefts, reverse=True)  # the larger face is on the right


def test_nothing_else_is_accepted(client: httpx.Client) -> None:
    problem(client.post("/faces", json={}), 422)
    problem(client.post("/faces", json={"image": [text(file(random_image()))], "n": 1}), 422)
    problem(client.post("/faces?format=png", files={"image": file(random_image())}), 406, "json")
    body = problem(client.post("/faces", files={"image": b"text"}), 415)
    assert body["type"] == "urn:lorgnette:unknown-picture-format"
    problem(client.post("/faces", files={"image": file(astronaut())[:9000]}), 400)
    problem(client.get("/faces"), 405)


def test_limits_are_those_of_other_images(settings: Callable[..., Settings]) -> None:
    changes = {"max_images": 2, "max_image_bytes": 50_000, "max_image_pixels": 90_000}
    data = file(random_image(1, (200, 200)), "JPEG")
    with serving(settings(**changes)) as client:
        ok(client.post("/faces", files=[("image", data)] * 2))
        problem(client.post("/faces", files=[("image", data)] * 3), 413)
        problem(client.post("/faces", files={"image": 50_001 * b"a"}), 413, "50000")
        wide = file(random_image(1, (400, 400)), "JPEG")
        problem(client.post("/faces", files={"image": wide}), 413, "90000")
    with serving(settings(max_image_memory=2**20)) as client:
        large = file(random_image(1, (600, 600)))
        problem(client.post("/faces", files={"image": large}), 413, "the limit is 1048576")
        medium = [("image", file(random_image(i, (400, 400)))) for i in range(4)]
        problem(client.post("/faces", files=medium), 413, "one request may take 2097152")


def test_photographs_are_searched_on_model_threads_and_few_are_decoded_at_a_time(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    names, held, most = set(), 0, 0
    lock = threading.Lock()
    read_copy, detect = photograph.read_copy, FaceDetector.detect

    def counted_read(*arguments: Any, **options: Any) -> Any:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return read_copy(*arguments, **options)

    def counted_detect(detector: FaceDetector, image: torch.Tensor) -> list[Face]:
        nonlocal held
        names.add(threading.current_thread().name)
        found = detect(detector, image)
        with lock:
            held -= 1
        return found

    data = [("image", file(random_image(i, (64, 64)))) for i in range(40)]
    with serving(settings()) as client:
        monkeypatch.setattr(photograph, "read_copy", counted_read)
        monkeypatch.setattr(FaceDetector, "detect", counted_detect)
        assert len(ok(client.post("/faces", files=data)).json()["images"]) == 40
        metrics = client.get("/metrics").text
    assert names == {"model"}
    assert 1 <= most <= face_finder.MAX_PHOTOGRAPHS
    label = '{model="face_detector",operation="detect"}'
    assert f"lorgnette_batch_size_sum{label} 40.0" in metrics
    assert f"lorgnette_queue_depth{label} 0.0" in metrics


def test_a_missing_detector_stops_the_start(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    async def start() -> None:
        async with asgi.started(settings(face_detector=str(tmp_path))):
            pass

    with pytest.raises(CheckpointError, match=str(tmp_path)):
        asyncio.run(start())


def test_a_truncated_file_among_others_is_reported(client: httpx.Client) -> None:
    truncated = file(astronaut(), "JPEG")[:3000]
    files = [("image", file(random_image(1))), ("image", truncated)]
    problem(client.post("/faces", files=files), 400)
