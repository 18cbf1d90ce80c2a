import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.inference.runners import EagerRunner
from app.settings import Settings
from tests.app.conftest import (
    DIM,
    SIZE,
    apart,
    file,
    images,
    ok,
    pixels,
    problem,
    random_image,
    serving,
    text,
    tiny_checkpoint,
)
from vae.checkpoint import Checkpoint, save
from vae.config import VAEConfig
from vae.model import VAE

CONFIG = VAEConfig(size=SIZE, latent_dim=DIM, widths=(8, 16), detail_channels=4)
PHOTO = file(random_image(1))
BODIES: dict[str, dict[str, Any]] = {
    "/encode": {"image": text(PHOTO)},
    "/decode": {"latents": [DIM * [0.4]]},
    "/reconstruct": {"image": text(PHOTO)},
    "/sample": {"n": 2, "seed": 5},
    "/interpolate": {"start": {"image": text(PHOTO)}, "end": {"seed": 3}, "steps": 3},
    "/arithmetic": {"expression": "me + glasses", "operands": {"me": {"image": text(PHOTO)}}},
}


def sharp_and_plain() -> tuple[Checkpoint, Checkpoint]:
    """A model with a detail branch, and the same without."""
    torch.manual_seed(0)
    sharp, plain = VAE(CONFIG).eval(), VAE(replace(CONFIG, detail_channels=0)).eval()
    with torch.no_grad():
        for parameter in sharp.parameters():
            parameter.normal_(0.0, 0.1)
    plain.load_state_dict({k: v for k, v in sharp.state_dict().items() if "detail" not in k})
    return replace(tiny_checkpoint(0), model=sharp), replace(tiny_checkpoint(0), model=plain)


@pytest.fixture(scope="module")
def client(
    settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("detail")
    for name, checkpoint in zip(("sharp", "plain"), sharp_and_plain(), strict=True):
        (folder / name).mkdir()
        save(checkpoint, folder / name / "model.safetensors")
    with serving(settings(models=(str(folder / "sharp"), str(folder / "plain")))) as client:
        yield client


def post(client: httpx.Client, path: str, model: str = "sharp", **fields: Any) -> httpx.Response:
    accept = "image/png" if path == "/encode" else "application/json"
    body = json.dumps({**BODIES[path], **fields})
    headers = {"Accept": accept, "Content-Type": "application/json"}
    return client.post(path, params={"model": model}, content=body, headers=headers)


def drawn(response: httpx.Response) -> list[Any]:
    if ok(response).headers["content-type"] == "image/png":
        return [pixels(response.content)]
    return images(response)


@pytest.mark.parametrize("path", BODIES)
def test_detail_goes_from_the_image_of_the_plain_model_to_the_sharp_one(
    client: httpx.Client, path: str
) -> None:
    plain = drawn(post(client, path, "plain"))
    at = {share: drawn(post(client, path, detail=share)) for share in (0, 0.5, 1)}
    default = drawn(post(client, path))
    for i, expected in enumerate(plain):
        smooth, half, sharp = (at[share][i].astype(int) for share in (0, 0.5, 1))
        assert np.array_equal(smooth, expected)
        assert np.array_equal(default[i], sharp)
        assert np.abs(sharp - smooth).max() > 10
        inside = (np.minimum(smooth, sharp) > 0) & (np.maximum(smooth, sharp) < 255)
        assert np.abs(half - (smooth + sharp) / 2)[inside].max() <= 2


def test_requests_with_other_details_share_a_batch(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = [0, 1, 0.25, 0.75] * 4
    batches: list[set[float]] = []
    decode = EagerRunner.decode

    def recording(self: EagerRunner, latents: Tensor, detail: Tensor) -> Tensor:
        batches.append(set(detail.tolist()))
        time.sleep(0.01)  # for the others to queue
        return decode(self, latents, detail)

    def ask(number: int) -> Any:
        return drawn(post(client, "/sample", seed=number, detail=details[number]))[0]

    alone = [ask(number) for number in range(len(details))]
    monkeypatch.setattr(EagerRunner, "decode", recording)
    with ThreadPoolExecutor(len(details)) as threads:
        for together, expected in zip(threads.map(ask, range(len(details))), alone, strict=True):
            assert apart(together, expected) <= 1
    assert max(map(len, batches)) > 1


def test_an_image_says_its_detail(client: httpx.Client) -> None:
    response = ok(client.post("/sample?detail=0.3&seed=4"))
    carried = json.loads(Image.open(io.BytesIO(response.content)).info["lorgnette"])
    assert carried["detail"] == 0.3
    assert carried["seed"] == 4
    assert post(client, "/sample", detail=0.3).json()["detail"] == 0.3
    assert post(client, "/sample").json()["detail"] == 1
    assert post(client, "/sample", "plain").json()["detail"] == 0


def test_an_image_of_any_detail_is_read_by_the_latent_that_it_carries(
    client: httpx.Client,
) -> None:
    smooth = ok(client.post("/sample?detail=0&seed=4")).content
    again = ok(client.post("/reconstruct", files={"image": smooth})).content
    assert np.array_equal(pixels(again), pixels(ok(client.post("/sample?seed=4")).content))


def test_a_raw_image_and_a_form_have_detail_too(client: httpx.Client) -> None:
    smooth = drawn(post(client, "/reconstruct", detail=0))[0]
    raw = {"content-type": "image/png"}
    in_query = client.post("/reconstruct?detail=0", content=PHOTO, headers=raw)
    in_form = client.post("/reconstruct", files={"image": PHOTO}, data={"detail": "0"})
    for response in (in_query, in_form):
        assert np.array_equal(pixels(ok(response).content), smooth)


@pytest.mark.parametrize("path", BODIES)
def test_a_model_without_a_detail_branch_refuses_detail(client: httpx.Client, path: str) -> None:
    body = problem(post(client, path, "plain", detail=0.5), 422, "'plain' has no detail branch")
    assert body["type"] == "urn:lorgnette:no-detail"
    assert [error["pointer"] for error in body["errors"]] == ["#/detail"]
    assert post(client, path, "plain", detail=0).status_code == 200


@pytest.mark.parametrize("detail", [-0.1, 1.01, "much", "NaN", [1]], ids=str)
def test_detail_is_a_number_from_0_to_1(client: httpx.Client, detail: Any) -> None:
    errors = problem(post(client, "/sample", detail=detail), 422)["errors"]
    assert {error["pointer"] for error in errors} == {"#/detail"}


def test_models_say_how_much_detail_they_have(client: httpx.Client) -> None:
    found = {m["name"]: m["max_detail"] for m in client.get("/models").json()["models"]}
    assert found == {"sharp": 1, "plain": 0}
