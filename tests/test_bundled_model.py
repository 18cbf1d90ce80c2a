"""The bundled checkpoints do what the README promises, through a real server process."""

import base64
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from training.data.avatars import Portrait, counterfactuals, png, wearing

ROOT = Path(__file__).parent.parent
SEED, FIRST_TEST_IDENTITY = 0, 8000  # of the data the avatars were trained on; these it never saw
PEOPLE = 8
EYES = slice(int(0.3 * 256), int(0.6 * 256))
BELOW = slice(int(0.6 * 256), 256)
READY_SECONDS = 180

Pixels = npt.NDArray[np.float64]


def serve(**settings: str) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"LORGNETTE_PORT": str(port), **settings}
    process = subprocess.Popen([sys.executable, "-m", "app"], cwd=ROOT, env=environment)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not become ready"
            try:
                if client.get("/health/ready").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield client
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    yield from serve()


@pytest.fixture(scope="module")
def avatars() -> Iterator[httpx.Client]:
    yield from serve(LORGNETTE_MODELS="models/avatars")


@pytest.fixture(scope="module")
def people() -> list[list[Portrait]]:
    return [counterfactuals(SEED, FIRST_TEST_IDENTITY + i) for i in range(PEOPLE)]


def pixels(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=np.float64)


def error(a: Pixels, b: Pixels, rows: slice = EYES) -> float:
    """Root mean square difference around the eyes, in grey levels."""
    return float(np.sqrt(np.square(a[rows] - b[rows]).mean()))


def edit(client: httpx.Client, expression: str, files: dict[str, bytes], **options: str) -> bytes:
    data = {"expression": expression, **options}
    return client.post("/arithmetic", data=data, files=files).raise_for_status().content


def arithmetic(client: httpx.Client, expression: str, **files: bytes) -> Pixels:
    return pixels(edit(client, expression, files))


def bare_png(data: bytes) -> bytes:
    """The same image without the latent that it carries."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(Image.open(io.BytesIO(data)))).save(out, "png")
    return out.getvalue()


def test_samples_are_images_of_different_faces(client: httpx.Client) -> None:
    response = client.post("/sample", json={"n": 6, "seed": 1}).raise_for_status()
    sheet = pixels(response.content)
    assert sheet.shape == (512, 768, 3)
    tiles = [sheet[y : y + 256, x : x + 256] for y in (0, 256) for x in (0, 256, 512)]
    for i, tile in enumerate(tiles):
        assert tile.std() > 20
        assert all(error(tile, other) > 5 for other in tiles[:i])


@pytest.mark.parametrize(("detail", "ratio"), [("0", 2), ("1", 1.5)])
def test_glasses_go_on_where_the_eyes_are_and_come_off_again(
    client: httpx.Client, detail: str, ratio: float
) -> None:
    for seed in range(40, 46):
        body = {"seed": seed, "detail": float(detail)}
        me = client.post("/sample", json=body).raise_for_status().content
        bare = edit(client, "me - glasses", {"me": me}, detail=detail)
        worn = edit(client, "me + 1.5*glasses", {"me": bare}, detail=detail)
        assert error(pixels(worn), pixels(bare)) > ratio * error(pixels(worn), pixels(bare), BELOW)
        off = pixels(edit(client, "me - 1.5*glasses", {"me": bare_png(worn)}, detail=detail))
        assert error(off, pixels(bare)) < 0.7 * error(pixels(worn), pixels(bare))


def test_removing_glasses_comes_closer_to_the_bare_face(
    avatars: httpx.Client, people: list[list[Portrait]]
) -> None:
    left, edited = [], []
    for bare, worn, _ in people:
        truth, me = pixels(png(bare)), png(worn)
        left.append(error(arithmetic(avatars, "me", me=me), truth))
        edited.append(error(arithmetic(avatars, "me - glasses", me=me), truth))
    assert np.mean(edited) < 0.8 * np.mean(left)


def test_a_frame_carried_from_one_face_to_another(
    avatars: httpx.Client, people: list[list[Portrait]]
) -> None:
    left, edited = [], []
    for (bare, worn, _), (other, _, _) in zip(people, people[1:] + people[:1], strict=True):
        hers = wearing(other, worn.frame, worn.frame_color)
        response = arithmetic(
            avatars, "his - him + her", his=png(worn), him=png(bare), her=png(other)
        )
        truth = pixels(png(hers))
        edited.append(error(response, truth))
        left.append(error(arithmetic(avatars, "her", her=png(other)), truth))
    assert np.mean(edited) < 0.8 * np.mean(left)


def test_an_interpolation_is_a_smooth_path(client: httpx.Client) -> None:
    start, end = (client.post("/sample", json={"seed": seed}).content for seed in (1, 2))
    files = {"start": bare_png(start), "end": bare_png(end)}
    response = client.post("/interpolate", files=files).raise_for_status()
    row = pixels(response.content)
    assert row.shape == (256, 8 * 256, 3)
    tiles = [row[:, x : x + 256] for x in range(0, 2048, 256)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(tiles)]
    assert max(steps) < 2 * float(np.mean(steps))
    ends = [arithmetic(client, "me", me=files[name]) for name in ("start", "end")]
    assert np.abs(tiles[0] - ends[0]).max() <= 1
    assert np.abs(tiles[-1] - ends[1]).max() <= 1


def masks() -> dict[str, Pixels]:
    """Where a face is unknown: the text-book masks."""
    found = {name: np.zeros((256, 256)) for name in ("left half", "eyes", "random half")}
    found["left half"][:, :128] = 255
    found["eyes"][50:105, 40:216] = 255
    found["random half"][np.random.default_rng(0).random((256, 256)) < 0.5] = 255
    return found


@pytest.mark.parametrize("name", masks())
def test_what_is_filled_in_is_nearer_than_the_mean(client: httpx.Client, name: str) -> None:
    mask = io.BytesIO()
    Image.fromarray(masks()[name].astype(np.uint8)).save(mask, "png")
    unknown = masks()[name] > 0
    for seed in (1, 2):
        sample = client.post("/sample", json={"seed": seed}).content
        original, files = pixels(sample), {"image": sample, "mask": mask.getvalue()}
        colour = original[~unknown].mean(0)
        by_mean = np.square(colour - original)[unknown].mean()
        response = client.post("/inpaint", files=files, data={"temperature": "0"})
        found = pixels(response.raise_for_status().content)
        assert (found[~unknown] == original[~unknown]).all()
        assert np.square(found - original)[unknown].mean() < 0.8 * by_mean


def test_samples_are_as_usual_as_training_images_and_noise_is_not(client: httpx.Client) -> None:
    samples = [
        client.post("/sample", json={"seed": seed, "detail": 0}).content for seed in range(6)
    ]
    noise = io.BytesIO()
    Image.effect_noise((256, 256), 100).save(noise, "png")
    files = [("image", data) for data in (*samples, noise.getvalue())]
    response = client.post("/score", files=files, data={"align": "false"}).raise_for_status()
    *usual, unusual = (score["percentile"] for score in response.json()["scores"])
    assert max(usual) < 50
    assert unusual == 100


@pytest.mark.parametrize(
    ("deterministic", "detail", "allowed"), [("false", 0, 1), ("false", 1, 2), ("true", 1, 0)]
)
def test_responses_do_not_depend_on_batch_neighbours(
    deterministic: str, detail: int, allowed: int
) -> None:
    for client in serve(LORGNETTE_DETERMINISTIC=deterministic):

        def sample(seed: int, client: httpx.Client = client) -> list[Pixels]:
            body = {"n": 1 + seed % 3, "seed": 1000 * seed, "detail": detail}
            response = client.post("/sample?format=json", json=body).raise_for_status().json()
            return [pixels(base64.b64decode(image)) for image in response["images"]]

        alone = [sample(seed) for seed in range(64)]
        with ThreadPoolExecutor(64) as clients:
            together = list(clients.map(sample, range(64)))
        for ours, theirs in zip(alone, together, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                assert np.abs(a - b).max() <= allowed


@pytest.mark.parametrize(("name", "images"), [("faces", 360), ("avatars", 600)])
def test_a_model_reports_its_provenance(name: str, images: int) -> None:
    for client in serve(LORGNETTE_MODELS=f"models/{name}"):
        [model] = client.get("/models").raise_for_status().json()["models"]
        assert model["provenance"]["command"].startswith(f"python -m training fit --preset {name}")
        assert model["provenance"]["licence of the data"]
        metrics = model["metrics"]
        assert metrics.get("images", metrics.get("pictures")) == images
        assert "glasses" in model["directions"]
    assert (ROOT / f"models/{name}/model.safetensors").stat().st_size < 32e6
