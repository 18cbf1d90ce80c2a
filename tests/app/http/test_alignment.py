"""Photographs whose faces are aligned before they are encoded, through HTTP."""

import json
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
    Pixels,
    file,
    images,
    latents,
    ok,
    pixels,
    problem,
    serving,
    text,
    tiny_checkpoint,
)
from tests.photographs import astronaut
from training.data.avatars import png, portrait
from vae.checkpoint import save
from vae.config import VAEConfig
from vae.model import VAE

SIDE = 128
CONFIG = VAEConfig(size=SIDE, latent_dim=8, widths=(8, 16))
TEMPLATE = ((38.0, 37.0), (88.0, 37.5), (63.0, 67.0), (40.5, 88.0), (86.5, 88.0))
FACE = file(astronaut())
NO_FACE = file(photographs.without_face("coffee"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints ``aligned`` and ``plain``: the same model, with a template and without."""
    folder = tmp_path_factory.mktemp("alignment")
    torch.manual_seed(0)
    plain = replace(tiny_checkpoint(0), model=VAE(CONFIG).eval())
    for name, checkpoint in {
        "aligned": replace(plain, alignment_template=TEMPLATE),
        "plain": plain,
    }.items():
        (folder / name).mkdir()
        save(checkpoint, folder / name / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def client(settings: Callable[..., Settings], folder: Path) -> Iterator[httpx.Client]:
    models = (str(folder / "aligned"), str(folder / "plain"))
    with serving(settings(models=models)) as client:
        yield client


def seen(client: httpx.Client, data: bytes, model: str = "aligned", **fields: object) -> Pixels:
    """The image that the model encodes."""
    params = {"model": model, "format": "json", "compare": "true"}
    form = {name: str(value) for name, value in fields.items()}
    response = client.post("/reconstruct", params=params, files={"image": data}, data=form)
    return images(response)[0]


def landmarks(client: httpx.Client, image: Pixels) -> Any:
    response = client.post("/faces", files={"image": file(Image.fromarray(image))})
    [found] = ok(response).json()["images"]
    return np.array(list(found["faces"][0]["landmarks"].values()))


def mean_difference(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def turned(tag: int, transpose: Image.Transpose) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tag
    return file(astronaut().transpose(transpose), "JPEG", exif=exif, quality=97)


PHOTOGRAPHS = {
    "as it is": FACE,
    "small": file(astronaut().resize((358, 358), Image.Resampling.LANCZOS)),
    "large": file(astronaut().resize((1434, 1434), Image.Resampling.BICUBIC), "JPEG"),
    "at the left": file(astronaut().crop((150, 30, 512, 400))),
    "turned by 20 degrees": file(astronaut().rotate(20, Image.Resampling.BICUBIC)),
    "turned by -30 degrees": file(astronaut().rotate(-30, Image.Resampling.BICUBIC)),
    "EXIF 6": turned(6, Image.Transpose.ROTATE_90),
    "EXIF 3": turned(3, Image.Transpose.ROTATE_180),
    "12 megapixels": file(photographs.scene((4032, 3024), (403, (1000, 400))), "JPEG"),
}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_face_is_brought_to_the_position_of_the_template(
    client: httpx.Client, name: str
) -> None:
    image = seen(client, PHOTOGRAPHS[name])
    assert image.shape == (SIDE, SIDE, 3)
    apart = np.linalg.norm(landmarks(client, image) - TEMPLATE, axis=1)
    assert apart.max() < 0.06 * SIDE
    inner = slice(SIDE // 5, -SIDE // 5)
    reference = seen(client, FACE)
    assert mean_difference(image[inner, inner], reference[inner, inner]) < 12


def test_an_aligned_image_stays_as_it_is(client: httpx.Client) -> None:
    once = seen(client, FACE)
    assert np.array_equal(seen(client, file(Image.fromarray(once))), once)
    moved = Image.fromarray(np.roll(once, 3, 1))
    assert np.array_equal(seen(client, file(moved)), np.asarray(moved))
    twice = Image.fromarray(once).resize((300, 300), Image.Resampling.BICUBIC)
    plain = seen(client, file(twice), align="false")
    assert np.array_equal(seen(client, file(twice)), plain)


def test_alignment_is_the_default_of_models_with_a_template_only(client: httpx.Client) -> None:
    aligned, plain = seen(client, FACE), seen(client, FACE, "plain")
    assert mean_difference(aligned, plain) > 20
    for value in ("auto", "true"):
        assert np.array_equal(seen(client, FACE, align=value), aligned)
    assert np.array_equal(seen(client, FACE, align="false"), plain)
    assert np.array_equal(seen(client, NO_FACE, "plain"), seen(client, NO_FACE, align="false"))


def test_every_endpoint_aligns_its_images(client: httpx.Client) -> None:
    crop = file(Image.fromarray(seen(client, FACE)))

    def posted(image: bytes) -> list[Any]:
        one = {"image": text(image)}
        bodies: dict[str, dict[str, Any]] = {
            "/reconstruct": one,
            "/interpolate": {"start": one, "end": {"seed": 3}, "steps": 2},
            "/arithmetic": {"expression": "me + glasses", "operands": {"me": one}},
        }
        return [
            latents(client.post(path, params={"format": "json"}, json=body))
            for path, body in bodies.items()
        ] + [np.array(ok(client.post("/encode", json=one)).json()["latents"][0]["mean"])]

    for whole, cropped in zip(posted(FACE), posted(crop), strict=True):
        assert np.allclose(whole, cropped, atol=1e-4)


def test_a_face_is_chosen_by_its_number(client: httpx.Client) -> None:
    group = photographs.scene((900, 420), (70, (20, 50)), (150, (400, 30)), ground="tan")
    group.paste(group.crop((0, 0, 380, 420)).point(lambda level: level * 0.6), (0, 0))
    data = file(group)
    largest, second = (seen(client, data, face=number) for number in (1, 2))
    assert np.array_equal(seen(client, data), largest)
    left = file(group.crop((0, 0, 380, 420)))
    assert mean_difference(second, seen(client, left)) < 8
    assert mean_difference(largest, second) > 25
    response = client.post("/reconstruct", files={"image": data}, data={"face": "3"})
    body = problem(response, 422, "2 faces were found, and face is 3")
    assert body["type"] == "urn:lorgnette:no-face-found"


@pytest.mark.parametrize("name", ["coffee", "cat", "grass", "rocket", "avatar"])
def test_a_picture_without_a_face_is_refused_with_a_hint(client: httpx.Client, name: str) -> None:
    data = png(portrait(0, 9)) if name == "avatar" else file(photographs.without_face(name))
    body = problem(client.post("/encode", files={"image": data}), 422, "no face", "align=false")
    assert body["type"] == "urn:lorgnette:no-face-found"
    assert [error["pointer"] for error in body["errors"]] == ["#/image/0"]


def test_every_image_without_a_face_has_its_pointer(client: httpx.Client) -> None:
    files = [("image", data) for data in (NO_FACE, FACE, NO_FACE)]
    body = problem(client.post("/reconstruct", files=files), 422)
    assert [error["pointer"] for error in body["errors"]] == ["#/image/0", "#/image/2"]
    ends = {"start": FACE, "end": NO_FACE}
    body = problem(client.post("/interpolate", files=ends), 422)
    assert [error["pointer"] for error in body["errors"]] == ["#/end/0/image"]
    group = [("me", FACE), ("me", NO_FACE), ("her", FACE)]
    response = client.post("/arithmetic", files=group, data={"expression": "me - her"})
    pointers = [error["pointer"] for error in problem(response, 422)["errors"]]
    assert pointers == ["#/operands/me/1/image"]


def test_an_image_of_the_model_is_not_searched(client: httpx.Client) -> None:
    sample = ok(client.post("/sample?seed=4&model=aligned")).content  # of an untrained model
    again = latents(client.post("/reconstruct?format=json", files={"image": sample}))
    expected = latents(client.post("/sample?seed=4&format=json"))
    assert np.array_equal(again, expected)
    encoded = {"embedded": "false"}
    ok(client.post("/reconstruct", files={"image": sample}, data=encoded))
    ok(client.post("/encode", files={"image": sample}))
    changed = pixels(sample).copy()
    changed[5, 5] ^= 255
    problem(client.post("/reconstruct", files={"image": file(Image.fromarray(changed))}), 422)
    other = ok(client.post("/sample?seed=4&model=plain")).content
    problem(client.post("/reconstruct", files={"image": other}), 422, "no face")


@pytest.mark.parametrize(
    ("fields", "pointer", "detail"),
    [
        ({"model": "plain", "align": "true"}, "#/align", "has no alignment template"),
        ({"model": "plain", "face": "1"}, "#/face", "has no effect without alignment"),
        ({"model": "aligned", "align": "false", "face": "2"}, "#/face", "has no effect"),
    ],
)
def test_alignment_that_is_not_possible_is_refused(
    client: httpx.Client, fields: dict[str, str], pointer: str, detail: str
) -> None:
    response = client.post(
        "/reconstruct", params=fields, content=FACE, headers={"content-type": "image/png"}
    )
    body = problem(response, 422, detail)
    assert body["type"] == "urn:lorgnette:alignment"
    assert [error["pointer"] for error in body["errors"]] == [pointer]


@pytest.mark.parametrize(
    "fields", [{"align": "maybe"}, {"face": 0}, {"face": 101}, {"face": 1.5}, {"align": [True]}]
)
def test_other_values_are_refused(client: httpx.Client, fields: dict[str, Any]) -> None:
    body = {"image": text(FACE), **fields}
    content = json.dumps(body)
    response = client.post("/encode", content=content, headers={"content-type": "application/json"})
    [name] = fields
    assert all(e["pointer"].startswith(f"#/{name}") for e in problem(response, 422)["errors"])


def test_decode_and_sample_have_no_such_fields(client: httpx.Client) -> None:
    problem(client.post("/sample", json={"align": True}), 422)
    problem(client.post("/decode", json={"latents": [[0.1] * 8], "face": 1}), 422)


def test_models_show_their_templates(client: httpx.Client) -> None:
    shown = {m["name"]: m["alignment_template"] for m in ok(client.get("/models")).json()["models"]}
    assert shown == {"aligned": [list(point) for point in TEMPLATE], "plain": None}


def test_a_large_photograph_and_a_small_limit(
    settings: Callable[..., Settings], folder: Path
) -> None:
    data = file(photographs.scene((2400, 1800), (600, (500, 100))), "JPEG")
    models = (str(folder / "aligned"),)
    with serving(settings(models=models, max_image_memory=2**23)) as client:
        ok(client.post("/encode", files={"image": data}))
        many = [("image", data)] * 4
        problem(client.post("/encode", files=many), 413, "send fewer images at a time")
