"""Every method against the real service, with both clients."""

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
import pytest
from PIL import Image

from lorgnette_client import (
    AsyncClient,
    Client,
    Edit,
    Images,
    LorgnetteError,
    Posteriors,
    Seed,
)
from tests.app.conftest import DIM, SIZE, apart, file, random_image
from tests.photographs import FACE_CENTRE, astronaut

Call = Callable[..., Any]
KINDS = {"png": "PNG", "webp": "WEBP", "jpeg": "JPEG", "gif": "GIF", "apng": "PNG"}


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_encode(call: Call) -> None:
    found = call("encode", [random_image(0), random_image(1)])
    assert found.mean.shape == found.logvar.shape == (2, DIM)
    assert found.mean.dtype == found.logvar.dtype == np.float32
    assert found.model.startswith("tiny@")
    alone = np.load(io.BytesIO(call("encode", random_image(0), format="npy")))
    assert alone == pytest.approx(found.mean[:1], abs=1e-4)
    assert opened(call("encode", random_image(0), format="png", size=64)).size == (64, 64)


def test_decode(call: Call) -> None:
    latents = np.random.default_rng(0).normal(size=(2, DIM)).astype(np.float32)
    both, one = call("decode", latents), call("decode", latents[1])
    assert np.array_equal(both.latents, latents)
    assert [image.size for image in both.images] == [(SIZE, SIZE)] * 2
    assert apart(np.asarray(both.images[1]), np.asarray(one.images[0])) <= 1
    assert call("decode", latents, size=64).images[0].size == (64, 64)


def test_reconstruct(call: Call) -> None:
    found = call("reconstruct", random_image(0), compare=True)
    assert len(found.images) == 2
    original, copy = (np.asarray(image) for image in found.images)
    assert np.array_equal(original, np.asarray(random_image(0)))
    assert not np.array_equal(original, copy)


def test_a_file_of_the_service_is_not_encoded_anew(call: Call) -> None:
    made = call("sample", seed=7)
    assert np.array_equal(call("reconstruct", made.files[0]).latents, made.latents)
    again = call("reconstruct", made.files[0], embedded=False)
    assert not np.array_equal(again.latents, made.latents)


def test_sample(call: Call) -> None:
    found = call("sample", n=3, seed=7, temperature=0.5, prior="standard")
    assert found.seeds == (7, 8, 9)
    assert found.latents.shape == (3, DIM)
    assert found.latents.dtype == np.float32
    assert (found.model.partition("@")[0], found.detail) == ("tiny", 0.0)
    assert len(found.images) == len(found.files) == 3
    assert np.array_equal(np.asarray(found.images[0]), np.asarray(opened(found.files[0])))
    assert call("sample", model="grey").latents.shape == (1, 5)


def test_interpolate(call: Call) -> None:
    middle = np.full(DIM, 0.25, np.float32)
    found = call(
        "interpolate",
        Seed(1),
        random_image(0),
        via=[middle],
        steps=5,
        method="lerp",
        easing="ease-in-out",
    )
    assert found.latents.shape == (5, DIM)
    assert found.latents[2] == pytest.approx(middle)
    assert found.latents[0] == pytest.approx(call("sample", seed=1).latents[0])
    assert found.latents[4] == pytest.approx(call("encode", random_image(0)).mean[0], abs=1e-4)


def test_traverse(call: Call) -> None:
    row = call("traverse", Seed(1), "glasses", low=0.0, high=1.0, steps=3)
    grid = call("traverse", Seed(1), 1, across=2, steps=3, rows=2)
    assert len(row.images) == 3
    assert len(grid.images) == 6
    assert row.latents[0] == pytest.approx(call("sample", seed=1).latents[0])


def test_arithmetic(call: Call) -> None:
    latents = np.random.default_rng(1).normal(size=(3, DIM)).astype(np.float32)
    found = call("arithmetic", "0.5*two + one", {"two": latents[:2], "one": latents[2]})
    assert found.latent == pytest.approx(0.5 * latents[:2].mean(0) + latents[2], abs=1e-5)
    assert (found.strength, found.mask) == (None, None)
    assert found.image.size == opened(found.file).size == (SIZE, SIZE)
    plain = call("arithmetic", "smile")
    assert plain.latent.shape == (DIM,)


def test_arithmetic_gives_the_mask(call: Call) -> None:
    found = call("arithmetic", "me + smile", {"me": random_image(0)}, mask=True, strength=0.5)
    assert (found.mask.mode, found.mask.size) == ("L", (SIZE, SIZE))
    assert opened(call("arithmetic", "smile", format="webp", quality=50)).format == "WEBP"


def test_inpaint(call: Call) -> None:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[:, : SIZE // 2] = 255
    found = call("inpaint", random_image(0), mask, n=2, seed=3)
    assert found.seeds == (3, 4)
    original = np.asarray(random_image(0))
    for image in found.images:
        assert np.array_equal(np.asarray(image)[mask == 0], original[mask == 0])
    sheet = opened(call("inpaint", random_image(0), mask, n=2, seed=3, format="webp", size=64))
    assert (sheet.format, sheet.size) == ("WEBP", (128, 64))


def test_score(call: Call) -> None:
    found = call("score", [random_image(0), random_image(1)], model="grey")
    assert (found.model[:5], len(found.scores)) == ("grey@", 2)
    for score in found.scores:
        assert score.elbo_nats == pytest.approx(-score.distortion_nats - score.kl_nats)
        assert 0 <= score.percentile <= 100
        assert score.mse > 0
    assert call("score", random_image(0)).scores[0].percentile is None


def test_faces(call: Call) -> None:
    [found] = call("faces", random_image(0, (40, 30)))
    assert (found.width, found.height, found.faces) == (40, 30, ())

    [found] = call("faces", astronaut())
    [face] = found.faces
    left, top, right, bottom = face.box
    assert left < FACE_CENTRE[0] < right
    assert top < FACE_CENTRE[1] < bottom
    assert face.landmarks.left_eye[0] < face.landmarks.right_eye[0]
    assert 0.5 < face.score <= 1


def test_directions_from_first_to_last(call: Call) -> None:
    made = call(
        "put_direction",
        "mine",
        np.ones((2, DIM)),
        [Seed(1), random_image(0)],
        hold=["smile"],
        meaning="ours",
    )
    assert (made.name, made.saved, made.meaning, made.count) == ("mine", True, "ours", 4)
    assert call("direction", "mine") == made
    assert call("put_direction", "mine", Seed(1), label="glasses").count == 1
    listed = call("directions")
    assert [(d.name, d.saved) for d in listed.directions][-1] == ("mine", True)
    assert listed.complete
    assert len(call("preview_direction", "mine", steps=3, seed=2).images) == 3
    assert call("delete_direction", "mine") is None
    with pytest.raises(LorgnetteError) as caught:
        call("direction", "mine")
    assert (caught.value.status, caught.value.type) == (404, "urn:lorgnette:unknown-direction")


def test_a_type_checker_knows_the_results(url: str) -> None:
    """Mypy checks ``assert_type``, which does nothing when it runs."""
    with Client(url) as client:
        made, data = client.sample(seed=1), client.sample(seed=1, format="png")
        edited = client.arithmetic("me", {"me": assert_type(made, Images).files[0]})
    assert assert_type(data, bytes) == made.files[0]
    assert np.array_equal(assert_type(edited, Edit).latent, made.latents[0])


async def in_order(client: AsyncClient) -> None:
    async with client:
        found = await client.encode(random_image(0))
        data = await client.encode(random_image(0), format="npy")
    assert assert_type(found, Posteriors).mean.shape == (1, DIM)
    assert np.load(io.BytesIO(assert_type(data, bytes))).shape == (1, DIM)


def test_a_type_checker_knows_those_of_the_asynchronous_client(url: str) -> None:
    asyncio.run(in_order(AsyncClient(url)))


def test_an_asynchronous_client_sends_several_at_a_time(url: str) -> None:
    async def samples() -> list[Images]:
        async with AsyncClient(url) as client:
            return await asyncio.gather(*(client.sample(seed=seed) for seed in range(4)))

    assert [images.seeds for images in asyncio.run(samples())] == [(0,), (1,), (2,), (3,)]


@pytest.mark.parametrize("form", [*KINDS, "zip", "json", "npy"])
def test_a_format_gives_the_bytes(url: str, form: Any) -> None:
    with Client(url) as client:
        data = client.sample(n=2, seed=3, format=form)
    if form in KINDS:
        assert opened(data).format == KINDS[form]
    elif form == "zip":
        assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["001.png", "002.png"]
    elif form == "json":
        assert json.loads(data)["seeds"] == [3, 4]
    else:
        assert np.load(io.BytesIO(data)).shape == (2, DIM)


def test_an_error_says_what_the_service_says(call: Call) -> None:
    with pytest.raises(LorgnetteError) as caught:
        call("encode", [file(random_image(0)), b"no image"])
    error = caught.value
    assert (error.status, error.type) == (415, "urn:lorgnette:unknown-picture-format")
    assert [field.pointer for field in error.errors] == ["#/image/1"]
    assert error.request_id
    assert str(error).startswith("#/image/1: ")


def test_an_option_that_the_service_lacks_is_its_error(call: Call) -> None:
    with pytest.raises(LorgnetteError, match="#/sed"):
        call("sample", sed=3)
