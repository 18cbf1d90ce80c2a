import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from httpx import Client
from PIL import Image, PngImagePlugin

from app.images import png, provenance
from app.images.provenance import KEYWORD, ImageProvenance
from tests.app.conftest import (
    DIM,
    SIZE,
    Pixels,
    apart,
    decoded,
    file,
    images,
    latents,
    means,
    ok,
    pixels,
    problem,
    random_image,
)

PLAIN: Pixels = np.asarray(random_image(5))
LATENT = np.linspace(-1, 1, DIM, dtype=np.float32)


def with_chunk(image: Pixels, chunk: str) -> bytes:
    return png.encode(image, {KEYWORD: chunk})


def chunk(model: str, changes: dict[str, Any] | None = None) -> str:
    """The chunk of ``PLAIN`` if the service had made it, with changes."""
    fields = json.loads(provenance.write(ImageProvenance(model, LATENT), PLAIN, 0.5)[KEYWORD])
    return json.dumps(fields | (changes or {}))


def coded(values: Any) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def test_what_is_written_is_read() -> None:
    for seed in (None, 0, 2**53 - 1):
        text = provenance.write(ImageProvenance("m@1", LATENT, seed), PLAIN, 0.5)[KEYWORD]
        found = provenance.read(text, PLAIN)
        assert found is not None
        assert (found.model, found.seed) == ("m@1", seed)
        assert np.array_equal(found.latent, LATENT)
        assert provenance.read(text, 255 - PLAIN) is None
        assert json.loads(text)["detail"] == 0.5


@pytest.mark.parametrize("detail", ["1" + 400 * "0", "NaN", "1e999", "true", "{}", "null"])
def test_a_detail_of_any_kind_does_not_matter(client: Client, detail: str) -> None:
    model = client.get("/models").json()["models"][0]["id"]
    text = chunk(model).replace('"detail": 0.5', f'"detail": {detail}')
    response = client.post("/reconstruct?format=json", files={"image": with_chunk(PLAIN, text)})
    assert latents(response)[0].tolist() == LATENT.tolist()


def test_a_sample_is_reconstructed_exactly(client: Client) -> None:
    sampled = ok(client.post("/sample", json={"seed": 11})).content
    latent = client.post("/sample?format=json", json={"seed": 11}).json()["latents"]
    back = ok(client.post("/reconstruct", files={"image": sampled})).content
    assert np.array_equal(pixels(back), pixels(sampled))
    response = client.post("/reconstruct?format=json", files={"image": sampled})
    assert response.json()["latents"] == latent
    encoded = client.post("/reconstruct?format=json&embedded=false", files={"image": sampled})
    np.testing.assert_allclose(latents(encoded), means(client, sampled), atol=1e-4)
    assert latents(encoded).tolist() != latent


def test_encode_reads_the_pixels_only(client: Client) -> None:
    sampled = ok(client.post("/sample", json={"seed": 11})).content
    copy = ok(client.post("/encode?format=png", files={"image": sampled})).content
    encoded = ok(client.post("/reconstruct?embedded=false", files={"image": sampled})).content
    assert np.array_equal(pixels(copy), pixels(encoded))
    problem(client.post("/encode?embedded=true", files={"image": sampled}), 422, "#/embedded")


def test_every_image_in_json_carries_its_own_latent(client: Client) -> None:
    body = ok(client.post("/sample?format=json", json={"n": 3, "seed": 4})).json()
    files = [("image", base64.b64decode(image)) for image in body["images"]]
    back = ok(client.post("/reconstruct?format=json", files=files)).json()
    assert back["latents"] == body["latents"]


def test_the_latent_of_an_operand_is_used(client: Client) -> None:
    start, end = (ok(client.post("/sample", json={"seed": s})).content for s in (1, 2))
    expected = latents(client.post("/sample?format=json", json={"n": 2, "seed": 1}))
    path = client.post("/interpolate?format=json", files={"start": start, "end": end})
    assert np.array_equal(latents(path)[[0, -1]], expected)
    data = {"expression": "a", "embedded": "false"}
    encoded = client.post("/arithmetic?format=json", files={"a": start}, data=data)
    np.testing.assert_allclose(latents(encoded), means(client, start), atol=1e-4)


def test_the_latent_of_a_resized_image_is_not_used(client: Client) -> None:
    sampled = Image.open(io.BytesIO(ok(client.post("/sample")).content))
    note = PngImagePlugin.PngInfo()
    note.add_text(KEYWORD, str(sampled.info[KEYWORD]))
    larger = file(sampled.resize((2 * SIZE, 2 * SIZE)), pnginfo=note)
    response = client.post("/reconstruct?format=json", files={"image": larger})
    np.testing.assert_allclose(latents(response), means(client, larger), atol=1e-4)


def test_only_a_latent_of_these_pixels_and_this_model_is_used(client: Client) -> None:
    model = client.get("/models/tiny").json()["id"]
    read = with_chunk(PLAIN, chunk(model))
    response = client.post("/reconstruct?format=json", files={"image": read})
    assert np.array_equal(latents(response)[0].astype(np.float32), LATENT)
    assert apart(images(response)[0], decoded(client, LATENT)[0]) <= 1
    edited = PLAIN.copy()
    edited[0, 0, 0] ^= 1
    for data in (
        with_chunk(edited, chunk(model)),
        with_chunk(PLAIN, chunk("tiny@000000000000")),
        with_chunk(PLAIN, chunk("")),
    ):
        response = client.post("/reconstruct?format=json", files={"image": data})
        np.testing.assert_allclose(latents(response), means(client, data), atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"latent": coded(LATENT[:-1])},
        {"latent": coded([*LATENT, 0])},
        {"latent": coded([])},
        {"latent": coded([np.nan] * DIM)},
        {"latent": coded([np.inf] * DIM)},
        {"latent": coded([1e7] * DIM)},  # over the limit of an operand
        {"latent": coded(LATENT)[:-4] + "!!!!"},
        {"latent": "AAAAA"},
        {"latent": "ü"},
        {"latent": None},
        {"latent": 3},
        {"latent": LATENT.tolist()},
        {"pixels": None},
        {"pixels": {}},
        {"model": None},
    ],
)
def test_the_latent_is_validated(client: Client, changes: dict[str, Any]) -> None:
    model = client.get("/models/tiny").json()["id"]
    data = with_chunk(PLAIN, chunk(model, changes))
    response = client.post("/reconstruct?format=json", files={"image": data})
    np.testing.assert_allclose(latents(response), means(client, data), atol=1e-4)


@pytest.mark.parametrize(
    "invalid",
    ["", "{", "[]", "null", "3", '"x"', "{}", "[" * 100_000, '{"pixels": NaN}', "\xff"],
)
def test_an_invalid_chunk_is_ignored(client: Client, invalid: str) -> None:
    ok(client.post("/reconstruct", files={"image": with_chunk(PLAIN, invalid)}))


def test_a_chunk_that_expands_too_much_is_left_aside(client: Client) -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text(KEYWORD, "0" * 100_000_000, zip=True)
    data = file(random_image(5), pnginfo=note)
    assert len(data) < 200_000
    ok(client.post("/reconstruct", files={"image": data}))
