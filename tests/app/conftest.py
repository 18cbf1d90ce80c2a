import base64
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import torch
import uvicorn
from PIL import Image

from app.application import create_app
from app.settings import Settings
from vae.checkpoint import Checkpoint, save
from vae.config import VAEConfig
from vae.directions import Direction, WithinLabelSubspace
from vae.latent import seeded_noise
from vae.model import VAE
from vae.pixel_regression import PixelRegression, coarse, fit_pixel_regression
from vae.prior import GaussianMixture, LatentStatistics

SIZE, DIM = 32, 8
ELBO_QUANTILES = torch.linspace(-40_000, 0, 11)
Pixels = npt.NDArray[np.uint8]
Latents = npt.NDArray[np.float64]


def tiny_checkpoint(
    seed: int, channels: int = 3, dim: int = DIM, mixture: GaussianMixture | None = None
) -> Checkpoint:
    """An untrained model whose images differ: the residual branches are not zero either."""
    torch.manual_seed(seed)
    config = VAEConfig(size=SIZE, channels=channels, latent_dim=dim, widths=(8, 16))
    model = VAE(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.15)
    scale = seeded_noise([seed], dim).T @ seeded_noise([seed], dim) + torch.eye(dim)
    vectors = seeded_noise([seed + 1, seed + 2], dim)
    return Checkpoint(
        model=model.eval(),
        statistics=LatentStatistics(0.5 * seeded_noise([seed + 3], dim)[0], scale),
        directions={
            "glasses": Direction(
                vectors[0],
                "glasses: from without to with",
                "regression",
                40,
                WithinLabelSubspace(0.9 * torch.eye(dim)[:2], torch.tensor([0.3, -0.2])),
            ),
            "smile": Direction(vectors[1], "smile: from without to with", "regression", 40),
        },
        sigma=0.1,
        labels=["glasses", "smile"],
        metrics={"psnr_db": 20.0, "pictures": 4},
        provenance={"data": "noise"},
        mixture=mixture,
        pixel_regression=pixel_regression(model),
    )


def pixel_regression(model: VAE) -> PixelRegression:
    """Of decodes on their latents."""
    latents = seeded_noise(range(200), model.config.latent_dim)
    with torch.inference_mode():
        return fit_pixel_regression(latents, coarse(model.eval().decode(latents)))


def two_clumps(dim: int) -> GaussianMixture:
    factors = torch.stack([0.1 * torch.eye(dim), 0.3 * torch.eye(dim)])
    means = torch.stack([torch.full((dim,), -2.0), torch.full((dim,), 2.0)])
    return GaussianMixture(torch.tensor([0.3, 0.7]), means, factors)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints ``tiny`` (RGB, 8 latents) and ``grey`` (1 channel, 5 latents).

    ``grey`` has a mixture, and quantiles of the bound.
    """
    folder = tmp_path_factory.mktemp("models")
    grey = tiny_checkpoint(9, channels=1, dim=5, mixture=two_clumps(5))
    for name, found in {
        "tiny": tiny_checkpoint(0),
        "grey": replace(grey, elbo_quantiles=ELBO_QUANTILES),
    }.items():
        (folder / name).mkdir()
        save(found, folder / name / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def settings(models: Path) -> Callable[..., Settings]:
    """Settings that serve both checkpoints, one call of the model at a time, with changes."""

    def build(**changes: Any) -> Settings:
        places = (str(models / "tiny"), str(models / "grey"))
        defaults: dict[str, Any] = {
            "models": places,
            "device": "cpu",
            "model_threads": 1,
            "directions_database": f"sqlite:///{models}/directions.sqlite3",
        }
        return Settings(**defaults | changes)

    return build


@pytest.fixture(scope="session")
def client(settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    with serving(settings()) as client:
        yield client


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """The real application behind the real server, on a thread of this process."""
    config = uvicorn.Config(create_app(settings), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def random_image(seed: int = 0, size: tuple[int, int] = (SIZE, SIZE)) -> Image.Image:
    """A smooth random RGB image."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixels(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def ok(response: httpx.Response) -> httpx.Response:
    assert response.status_code == 200, response.text
    return response


def problem(response: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    """The body of an error, which is a problem and has these words in its detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:lorgnette:")
    assert body["title"]
    assert body["instance"] == response.headers["x-request-id"]
    for word in words:
        assert word in body["detail"], body["detail"]
    return body


def means(client: httpx.Client, *files: bytes) -> Latents:
    response = client.post("/encode", files=[("image", data) for data in files])
    return np.array([row["mean"] for row in ok(response).json()["latents"]])


def decoded(client: httpx.Client, *latents: Any) -> list[Pixels]:
    """What ``/decode`` makes of latents, in one batch."""
    body = {"latents": [list(map(float, z)) for z in latents]}
    return images(client.post("/decode?format=json", json=body))


def images(response: httpx.Response) -> list[Pixels]:
    """The images of a JSON response."""
    return [pixels(base64.b64decode(image)) for image in ok(response).json()["images"]]


def latents(response: httpx.Response) -> Latents:
    """The latents of a JSON response."""
    return np.array(ok(response).json()["latents"])


def apart(a: Pixels, b: Pixels) -> int:
    """The largest difference in grey levels."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())
