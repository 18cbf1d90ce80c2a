import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from httpx import Client
from PIL import Image, PngImagePlugin

from app.images import png
from app.images import provenance as embedded
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
    picture,
    pixels,
    problem,
)

PLAIN: Pixels = np.asarray(picture(5))
LATENT = np.linspace(-1, 1, DIM, dtype=np.float32)


def with_chunk(image: Pixels, chunk: str) -> bytes:
    return png.encode(image, {KEYWORD: chunk})


def chunk(model: str, changes: dict[str, Any] | None = None) -> str:
    """What ``PLAIN`` would carry if it were ours, with changes."""
    fields = json.loads(embedded.write(ImageProvenance(model, LATENT), PLAIN)[KEYWORD])
    return json.dumps(fields | (changes or {}))


def coded(values: Any) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def test_what_is_written_is_read() -> None:
    for seed in (None, 0, 2**53 - 1):
        text = embedded.write(ImageProvenance("m@1", LATENT, seed), PLAIN)[KEYWORD]
        found = embedded.read(text, PLAIN)
        assert found is not None
        assert (found.model, found.seed) == ("m@1", seed)
        assert np.array_equal(found.latent, LATENT)
        assert embedded.read(text, 255 - PLAIN) is None


def test_a_sample_comes_back_as_it_was(client: Client) -> None:
    drawn = ok(client.post("/sample", json={"seed": 11})).content
    latent = client.post("/sample?format=json", json={"seed": 11}).json()["latents"]
    back = ok(client.post("/reconstruct", files={"image": drawn})).content
    assert np.array_equal(pixels(back), pixels(drawn))
    answer = client.post("/reconstruct?format=json", files={"image": drawn})
    assert answer.json()["latents"] == latent
    anew = client.post("/reconstruct?format=json&embedded=false", files={"image": drawn})
    np.testing.assert_allclose(latents(anew), means(client, drawn), atol=1e-4)
    assert latents(anew).tolist() != latent


def test_to_encode_reads_the_pixels_alone(client: Client) -> None:
    drawn = ok(client.post("/sample", json={"seed": 11})).content
    copy = ok(client.post("/encode?format=png", files={"image": drawn})).content
    anew = ok(client.post("/reconstruct?embedded=false", files={"image": drawn})).content
    assert np.array_equal(pixels(copy), pixels(anew))
    problem(client.post("/encode?embedded=true", files={"image": drawn}), 422, "#/embedded")


def test_every_picture_in_json_carries_its_own_latent(client: Client) -> None:
    body = ok(client.post("/sample?format=json", json={"n": 3, "seed": 4})).json()
    files = [("image", base64.b64decode(image)) for image in body["images"]]
    back = ok(client.post("/reconstruct?format=json", files=files)).json()
    assert back["latents"] == body["latents"]


def test_it_counts_as_an_operand_too(client: Client) -> None:
    start, end = (ok(client.post("/sample", json={"seed": s})).content for s in (1, 2))
    expected = latents(client.post("/sample?format=json", json={"n": 2, "seed": 1}))
    path = client.post("/interpolate?format=json", files={"start": start, "end": end})
    assert np.array_equal(latents(path)[[0, -1]], expected)
    data = {"expression": "a", "embedded": "false"}
    anew = client.post("/arithmetic?format=json", files={"a": start}, data=data)
    np.testing.assert_allclose(latents(anew), means(client, start), atol=1e-4)


def test_another_size_is_another_picture(client: Client) -> None:
    drawn = Image.open(io.BytesIO(ok(client.post("/sample")).content))
    note = PngImagePlugin.PngInfo()
    note.add_text(KEYWORD, str(drawn.info[KEYWORD]))
    larger = file(drawn.resize((2 * SIZE, 2 * SIZE)), pnginfo=note)
    answer = client.post("/reconstruct?format=json", files={"image": larger})
    np.testing.assert_allclose(latents(answer), means(client, larger), atol=1e-4)


def test_only_what_belongs_to_these_pixels_and_this_model_counts(client: Client) -> None:
    ours = client.get("/models/tiny").json()["id"]
    read = with_chunk(PLAIN, chunk(ours))
    answer = client.post("/reconstruct?format=json", files={"image": read})
    assert np.array_equal(latents(answer)[0].astype(np.float32), LATENT)
    assert apart(images(answer)[0], decoded(client, LATENT)[0]) <= 1
    painted = PLAIN.copy()
    painted[0, 0, 0] ^= 1
    for data in (
        with_chunk(painted, chunk(ours)),
        with_chunk(PLAIN, chunk("tiny@000000000000")),
        with_chunk(PLAIN, chunk("")),
    ):
        answer = client.post("/reconstruct?format=json", files={"image": data})
        np.testing.assert_allclose(latents(answer), means(client, data), atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"latent": coded(LATENT[:-1])},
        {"latent": coded([*LATENT, 0])},
        {"latent": coded([])},
        {"latent": coded([np.nan] * DIM)},
        {"latent": coded([np.inf] * DIM)},
        {"latent": coded([1e7] * DIM)},  # no operand may be as large
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
def test_what_it_carries_is_checked(client: Client, changes: dict[str, Any]) -> None:
    ours = client.get("/models/tiny").json()["id"]
    data = with_chunk(PLAIN, chunk(ours, changes))
    answer = client.post("/reconstruct?format=json", files={"image": data})
    np.testing.assert_allclose(latents(answer), means(client, data), atol=1e-4)


@pytest.mark.parametrize(
    "nonsense", ["", "{", "[]", "null", "3", '"x"', "{}", "[" * 100_000, '{"pixels": NaN}', "\xff"]
)
def test_nonsense_is_ignored(client: Client, nonsense: str) -> None:
    ok(client.post("/reconstruct", files={"image": with_chunk(PLAIN, nonsense)}))


def test_a_large_chunk_is_refused_and_costs_nothing(client: Client) -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text(KEYWORD, "0" * 100_000_000, zip=True)
    data = file(picture(5), pnginfo=note)
    assert len(data) < 200_000
    answer = client.post("/reconstruct", files={"image": data})
    assert answer.status_code == 400
