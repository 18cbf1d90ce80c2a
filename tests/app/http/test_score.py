"""``/score``, through HTTP."""

import io
import math
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.app.conftest import (
    ELBO_QUANTILES,
    SIZE,
    decoded,
    file,
    ok,
    pixels,
    problem,
    random_image,
    text,
)
from vae.latent import seeded_noise

IMAGES = [file(random_image(seed)) for seed in (1, 2)]
SIGMA = 0.1  # of the checkpoints of these tests


def scores(client: httpx.Client, *files: bytes, model: str = "tiny") -> list[dict[str, Any]]:
    response = client.post(f"/score?model={model}", files=[("image", data) for data in files])
    found = ok(response).json()
    assert found["model"] == response.headers["lorgnette-model"]
    assert found["model"].startswith(f"{model}@")
    return list(found["scores"])


def test_the_terms_are_those_of_the_bound(client: httpx.Client) -> None:
    posteriors = ok(client.post("/encode", files=[("image", data) for data in IMAGES])).json()
    found = scores(client, *IMAGES)
    for data, posterior, score in zip(IMAGES, posteriors["latents"], found, strict=True):
        mean, logvar = (np.array(posterior[name]) for name in ("mean", "logvar"))
        draw = mean + np.exp(0.5 * logvar) * seeded_noise([0], len(mean))[0].numpy()
        error = pixels(data) / 255 - decoded(client, draw)[0] / 255
        assert score["mse"] == pytest.approx(np.square(error).mean(), rel=0.01)
        normal = np.log(SIGMA) + 0.5 * math.log(2 * math.pi)
        distortion = (0.5 * np.square(error / SIGMA) + normal).sum()
        assert score["distortion_nats"] == pytest.approx(distortion, rel=0.01, abs=20)
        kl = 0.5 * (np.exp(logvar) + mean**2 - 1 - logvar).sum()
        assert score["kl_nats"] == pytest.approx(kl, rel=0.01)
        assert score["elbo_nats"] == pytest.approx(-score["distortion_nats"] - score["kl_nats"])


def test_the_percentile_is_the_rank_among_the_quantiles(client: httpx.Client) -> None:
    images = [random_image(1), random_image(2), Image.effect_noise((SIZE, SIZE), 200)]
    found = scores(client, *map(file, images), model="grey")
    low, high = float(ELBO_QUANTILES[0]), float(ELBO_QUANTILES[-1])
    for score in found:
        rank = (score["elbo_nats"] - low) / (high - low)
        assert score["percentile"] == pytest.approx(100 * (1 - min(max(rank, 0), 1)), abs=1e-3)
    assert len({score["percentile"] for score in found}) == 3


def test_without_quantiles_there_is_no_percentile(client: httpx.Client) -> None:
    assert [score["percentile"] for score in scores(client, *IMAGES)] == [None, None]


def test_an_image_has_its_score_alone_and_in_every_form(client: httpx.Client) -> None:
    [_, expected] = scores(client, *IMAGES)
    raw = client.post("/score", content=IMAGES[1], headers={"content-type": "image/png"})
    in_json = client.post("/score", json={"image": [text(IMAGES[1])]})
    for response in (raw, in_json):
        [found] = ok(response).json()["scores"]
        assert found["elbo_nats"] == pytest.approx(expected["elbo_nats"], rel=0.01)
    assert "server-timing" in raw.headers


def test_the_pixels_count_and_not_the_latent_that_a_file_carries(client: httpx.Client) -> None:
    made = ok(client.post("/sample", json={"seed": 3})).content
    stream = io.BytesIO()
    Image.open(io.BytesIO(made)).save(stream, "PNG")  # without its latent
    assert scores(client, made) == scores(client, stream.getvalue())


def test_what_is_no_request_for_a_score_is_refused(client: httpx.Client) -> None:
    problem(client.post("/score", json={}), 422, "#/image")
    problem(client.post("/score?format=png", files={"image": IMAGES[0]}), 406, "json")
    found = problem(client.post("/score", files={"image": IMAGES[0]}, data={"size": "64"}), 422)
    assert found["errors"][0]["pointer"] == "#/size"
    files = [("image", IMAGES[0]), ("image", b"no image")]
    found = problem(client.post("/score", files=files), 415)
    assert found["errors"][0]["pointer"] == "#/image/1"
    problem(client.post("/score", files=[("image", IMAGES[0])] * 65), 413, "64")
