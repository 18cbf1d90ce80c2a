"""The photographs of aligned faces, what ``paste`` refuses, and JPEG and WebP without it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from app.settings import Settings
from tests import photographs
from tests.app.conftest import (
    DIM,
    SIZE,
    file,
    ok,
    problem,
    random_image,
    serving,
    text,
    tiny_checkpoint,
)
from tests.app.pasted import camera_file, changed, disc_edit, distances, paste, pasted, upright
from tests.photographs import FACE_CENTRE, astronaut
from vae.checkpoint import save
from vae.config import VAEConfig
from vae.model import VAE

SIDE = 64
TEMPLATE = ((19.0, 18.5), (44.0, 18.75), (31.5, 33.5), (20.25, 44.0), (43.25, 44.0))
PHOTO = file(random_image(1, (60, 50)))


@pytest.fixture(autouse=True)
def edit_a_disc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is not trained: what it changes has no place in the image."""
    monkeypatch.setattr("app.operations.preserve.preserve_edit", disc_edit)


@pytest.fixture(scope="module")
def aligned(
    settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Serves a model with a template."""
    folder: Path = tmp_path_factory.mktemp("aligned")
    torch.manual_seed(0)
    config = VAEConfig(size=SIDE, latent_dim=DIM, widths=(8, 16))
    checkpoint = replace(tiny_checkpoint(0), model=VAE(config).eval(), alignment_template=TEMPLATE)
    save(checkpoint, folder / "model.safetensors")
    with serving(settings(models=(str(folder),))) as client:
        yield client


def check_face(before: Any, after: Any, centre: tuple[float, float], width: float) -> None:
    """What changed is around the face, which has this centre and width."""
    distance = distances(before.shape, centre) / width
    different = changed(before, after)
    assert different[distance < 0.3].mean() > 0.9
    assert not different[distance > 1].any()


@pytest.mark.parametrize("scale", [0.5, 1, 2.3])
@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_the_edit_is_on_the_face(aligned: httpx.Client, orientation: int, scale: float) -> None:
    whole = astronaut()
    stored = whole.resize((round(scale * 512), round(scale * 460)), box=(0, 0, 512, 460))
    turn = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}.get(orientation)
    data = camera_file(stored if turn is None else stored.transpose(turn), "JPEG", orientation)
    after = np.asarray(pasted(paste(aligned, data)))
    assert after.shape == (stored.height, stored.width, 3)
    x, y = FACE_CENTRE
    check_face(upright(data), after, (scale * x, scale * y), scale * photographs.FACE_WIDTH)


def test_a_turned_head_and_the_second_face(aligned: httpx.Client) -> None:
    turned = astronaut().rotate(20, Image.Resampling.BICUBIC, center=FACE_CENTRE)
    after = pasted(paste(aligned, file(turned)))
    check_face(np.asarray(turned), np.asarray(after), FACE_CENTRE, photographs.FACE_WIDTH)
    two = photographs.scene((900, 420), (70, (20, 50)), (150, (400, 30)), ground="tan")
    after = pasted(paste(aligned, file(two), face=2))
    different = changed(two, after)
    assert different[:, :300].any()
    assert not different[:, 400:].any()


def test_aligned_and_fitted_photographs_round_trip(aligned: httpx.Client) -> None:
    crop = astronaut().crop((165, 58, 285, 178))  # the face is where the template is
    for data in (file(astronaut()), file(crop), camera_file(astronaut(), "JPEG", 6)):
        fields: dict[str, Any] = {"align": "false"} if data[:2] == b"\xff\xd8" else {}
        same = pasted(paste(aligned, data, "me + 0*glasses", **fields))
        assert np.array_equal(np.asarray(same), upright(data))
        assert changed(upright(data), pasted(paste(aligned, data, **fields))).any()


def test_the_photograph_is_the_one_that_is_preserved(client: httpx.Client) -> None:
    him, her = random_image(5, (40, 70)), random_image(6, (64, 48))
    files = [("men", file(him)), ("men", file(him)), ("off", file(him)), ("her", file(her))]
    form = {"expression": "men - off + her", "paste": "true"}
    after = pasted(client.post("/arithmetic", files=files, data=form))
    assert after.size == her.size
    assert not changed(her, after)[:, :8].any()


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"expression": "a", "operands": {"a": {"seed": 1}}}, "#/paste", "one image"),
        ({"expression": "a", "operands": {"a": {"latent": DIM * [0.0]}}}, "#/paste", "one image"),
        ({"expression": "glasses"}, "#/paste", "one image"),
        ({"expression": "-me"}, "#/paste", "positive weight"),
        ({"expression": "me", "preserve": 0}, "#/preserve", "paste needs preserve=1"),
        ({"expression": "me", "preserve": 0.5}, "#/preserve", "paste needs preserve=1"),
        ({"expression": "me", "paste": "maybe"}, "#/paste", "boolean"),
        ({"expression": "me", "quality": 90}, "#/quality", "no effect on image/png"),
        ({"expression": "me", "quality": 0}, "#/quality", "greater than or equal to 1"),
        ({"expression": "me", "quality": 101}, "#/quality", "less than or equal to 100"),
    ],
)
def test_what_cannot_be_pasted_is_refused(
    client: httpx.Client, body: dict[str, Any], pointer: str, words: str
) -> None:
    if "me" in body["expression"]:
        body = {**body, "operands": {"me": {"image": text(PHOTO)}}}
    found = problem(client.post("/arithmetic", json={"paste": True, **body}), 422, words)
    assert [error["pointer"] for error in found["errors"]] == [pointer]


def test_preserve_1_may_be_sent(client: httpx.Client) -> None:
    default = ok(paste(client, PHOTO)).content
    assert ok(paste(client, PHOTO, preserve=1)).content == default


@pytest.mark.parametrize("params", [{"format": "json"}, {"format": "png"}])
def test_a_lossless_response_has_no_quality(client: httpx.Client, params: dict[str, str]) -> None:
    problem(paste(client, PHOTO, params=params, quality=50), 422, "choose format=jpeg or webp")


def test_a_side_that_a_format_does_not_hold_is_refused(client: httpx.Client) -> None:
    long = file(Image.new("RGB", (16_384, 3), "tan"))
    problem(paste(client, long, params={"format": "webp"}), 413, "16383", "choose png")
    longer = file(Image.new("RGB", (65_501, 2), "tan"))
    problem(paste(client, longer, params={"format": "jpeg"}), 413, "65500", "choose png")
    assert pasted(paste(client, longer)).size == (65_501, 2)


def test_a_file_that_is_no_image_is_refused(client: httpx.Client) -> None:
    problem(paste(client, b"nothing"), 415)
    problem(paste(client, file(random_image(1, (90, 90)), "PNG")[:500]), 400)


def test_no_face_is_refused(aligned: httpx.Client) -> None:
    body = problem(paste(aligned, file(photographs.without_face("coffee"))), 422, "no face")
    assert body["errors"][0]["pointer"] == "#/operands/me/0/image"


@pytest.mark.parametrize("model", ["tiny", "grey"])
@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_jpeg_and_webp_without_paste_are_the_image(
    client: httpx.Client, name: str, model: str
) -> None:
    exact = pasted(paste(client, PHOTO, params={"model": model}, paste="false"))
    assert exact.size == (SIZE, SIZE)
    all_fields: list[dict[str, Any]] = [{"quality": 100}, {}]
    for fields in all_fields:
        params = {"format": name, "model": model}
        response = paste(client, PHOTO, params=params, paste="false", **fields)
        lossy = pasted(response)
        assert response.headers["content-type"] == f"image/{name}"
        # In grey, because the colours of the untrained model are noise, which both formats blur.
        apart = np.subtract(*(np.asarray(image.convert("L"), int) for image in (lossy, exact)))
        assert np.abs(apart).mean() < 8


def test_the_preferred_format_is_chosen(client: httpx.Client) -> None:
    form, files = {"expression": "me", "paste": "true"}, {"me": PHOTO}
    for accept, chosen in {
        "*/*": "image/png",
        "image/*": "image/png",
        "image/webp,image/jpeg;q=0.9": "image/webp",
        "image/jpeg, */*;q=0.5": "image/jpeg",
        "application/json": "application/json",
    }.items():
        response = client.post("/arithmetic", files=files, data=form, headers={"Accept": accept})
        assert ok(response).headers["content-type"] == chosen
    refused = client.post("/arithmetic", files=files, data=form, headers={"Accept": "image/gif"})
    problem(refused, 406, "image/png, image/jpeg, image/webp, application/json")
