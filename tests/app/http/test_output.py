"""The forms in which images come out, through HTTP."""

import base64
import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from httpx import Client
from PIL import Image

from app.settings import Settings
from tests.app.conftest import (
    DIM,
    SIZE,
    Pixels,
    decoded,
    file,
    images,
    latents,
    means,
    ok,
    pixels,
    problem,
    random_image,
    serving,
)

A, B = (file(random_image(seed)) for seed in (1, 2))
ROWS = np.random.default_rng(0).normal(size=(3, DIM)).tolist()
REQUESTS: dict[str, dict[str, Any]] = {
    "/encode": {"files": [("image", A), ("image", B)]},
    "/reconstruct": {"files": [("image", A), ("image", B)]},
    "/decode": {"json": {"latents": ROWS}},
    "/sample": {"json": {"seed": 1, "n": 3}},
    "/interpolate": {"json": {"start": {"seed": 1}, "end": {"seed": 2}, "steps": 3}},
    "/arithmetic": {"json": {"expression": "glasses"}},
}
SEQUENCES = [path for path in REQUESTS if path != "/arithmetic"]
MEDIA_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "apng": "image/apng",
    "zip": "application/zip",
    "json": "application/json",
    "npy": "application/x-npy",
}


@pytest.fixture(scope="module")
def client(settings: Callable[..., Settings]) -> Iterator[Client]:
    """Whose images do not depend on their batch neighbours, to the last bit."""
    with serving(settings(deterministic=True)) as client:
        yield client


def asked(client: Client, path: str, name: str, **query: Any) -> httpx.Response:
    return client.post(path, params={"format": name, **query}, **REQUESTS[path])


def opened(response: httpx.Response) -> Image.Image:
    image = Image.open(io.BytesIO(ok(response).content))
    image.load()
    return image


def archived(response: httpx.Response) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(ok(response).content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == [f"{i:03d}.png" for i in range(1, len(names) + 1)]
        return [archive.read(name) for name in names]


@pytest.mark.parametrize("name", MEDIA_TYPES)
@pytest.mark.parametrize("path", SEQUENCES)
def test_every_endpoint_with_several_images_has_every_form(
    client: Client, path: str, name: str
) -> None:
    response = asked(client, path, name)
    assert ok(response).headers["content-type"] == MEDIA_TYPES[name]
    by_accept = client.post(path, headers={"Accept": MEDIA_TYPES[name]}, **REQUESTS[path])
    assert by_accept.headers["content-type"] == MEDIA_TYPES[name]
    assert by_accept.content == response.content
    assert response.headers["lorgnette-model"].startswith("tiny@")
    assert "encode;dur=" in response.headers["server-timing"]
    assert response.headers["x-request-id"]
    assert ("lorgnette-seed" in response.headers) == (path == "/sample")


@pytest.mark.parametrize("name", ["gif", "apng", "zip"])
def test_an_edit_is_one_image(client: Client, name: str) -> None:
    offered = "image/png, image/jpeg, image/webp, application/json"
    headers = {"Accept": MEDIA_TYPES[name]}
    problem(client.post("/arithmetic", headers=headers, **REQUESTS["/arithmetic"]), 406, offered)
    problem(asked(client, "/arithmetic", name), 406, "choose from png, jpeg, webp, json")


@pytest.mark.parametrize("name", ["webp", "jpeg"])
def test_several_images_are_one_sheet_in_lossy_formats_too(client: Client, name: str) -> None:
    expected = np.asarray(opened(asked(client, "/decode", "png"))).astype(int)
    fine, coarse = (opened(asked(client, "/decode", name, quality=q)) for q in (95, 5))
    assert fine.format == name.upper()
    apart = [np.abs(np.asarray(image.convert("RGB")) - expected).mean() for image in (fine, coarse)]
    assert apart[0] < apart[1]


def test_an_interpolation_is_one_row_in_lossy_formats_too(client: Client) -> None:
    for name in ("png", "webp", "jpeg"):
        assert opened(asked(client, "/interpolate", name)).size == (3 * SIZE, SIZE)


def test_npy_has_the_latents_of_the_images(client: Client) -> None:
    for path in SEQUENCES:
        array = np.load(io.BytesIO(ok(asked(client, path, "npy")).content))
        assert array.dtype == np.float32
        if path == "/encode":
            assert np.array_equal(array, means(client, A, B))
        else:
            assert np.array_equal(array, latents(asked(client, path, "json")))


def test_an_archive_has_each_image_with_its_latent(client: Client) -> None:
    in_json = asked(client, "/sample", "json").json()
    files = archived(asked(client, "/sample", "zip"))
    assert files == [base64.b64decode(image) for image in in_json["images"]]
    back = client.post("/reconstruct?format=json", files=[("image", f) for f in files])
    assert np.array_equal(latents(back), in_json["latents"])
    assert archived(asked(client, "/sample", "zip")) == files


def test_an_archive_of_a_comparison_has_the_originals_too(client: Client) -> None:
    files = archived(asked(client, "/reconstruct", "zip", compare=True))
    copies = images(asked(client, "/reconstruct", "json"))
    expected = [pixels(A), copies[0], pixels(B), copies[1]]
    assert np.array_equal([pixels(f) for f in files], expected)


def enlarged(image: Pixels, size: int) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def test_every_image_is_resized_before_it_is_put_together(client: Client) -> None:
    size = 48
    row = [enlarged(image, size) for image in images(asked(client, "/interpolate", "json"))]
    found = np.asarray(opened(asked(client, "/interpolate", "png", size=size)))
    assert np.array_equal(found, np.hstack(row))
    assert np.array_equal(images(asked(client, "/interpolate", "json", size=size)), row)
    files = archived(asked(client, "/interpolate", "zip", size=size))
    assert np.array_equal([pixels(f) for f in files], row)
    for name in ("webp", "jpeg"):
        assert opened(asked(client, "/interpolate", name, size=size)).size == (3 * size, size)
    for name in ("gif", "apng"):
        animation = opened(asked(client, "/interpolate", name, size=size))
        assert (animation.size, animation.n_frames) == ((size, size), 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", REQUESTS)
def test_size_goes_with_every_endpoint_that_makes_images(client: Client, path: str) -> None:
    factors = {"/sample": (2, 2), "/decode": (2, 2), "/interpolate": (3, 1)}
    columns, rows = factors.get(path, (1 if path == "/arithmetic" else 2, 1))
    for size in (32, 100):
        found = opened(asked(client, path, "png", size=size))
        assert found.size == (columns * size, rows * size)


def test_only_an_image_of_the_models_size_carries_its_latent(client: Client) -> None:
    own, resized = (
        ok(client.post("/sample", json={"seed": 1, "size": size})).content for size in (SIZE, 64)
    )
    assert own == ok(client.post("/sample", json={"seed": 1})).content
    assert "lorgnette" in Image.open(io.BytesIO(own)).info
    assert Image.open(io.BytesIO(resized)).info == {}
    back = client.post("/reconstruct?format=json", files={"image": resized})
    assert np.array_equal(latents(back), means(client, resized))  # it is encoded


def test_the_mask_of_an_edit_is_resized_with_it(client: Client) -> None:
    data = {"expression": "me + glasses", "mask": "true", "size": "64"}
    mask = client.post("/arithmetic", files={"me": A}, data=data)
    assert opened(mask).size == (64, 64)
    in_json = ok(client.post("/arithmetic?format=json", files={"me": A}, data=data)).json()
    assert base64.b64decode(in_json["mask"]) == mask.content
    assert pixels(base64.b64decode(in_json["images"][0])).shape == (64, 64, 3)


def test_a_photograph_keeps_its_full_size(client: Client) -> None:
    data = {"expression": "me + glasses", "paste": "true", "size": "64"}
    response = client.post("/arithmetic", files={"me": A}, data=data)
    body = problem(response, 422, "leave out size or paste")
    assert [error["pointer"] for error in body["errors"]] == ["#/size"]


def test_a_grey_model_has_every_form(client: Client) -> None:
    def asked_grey(name: str) -> httpx.Response:
        return client.post(f"/sample?model=grey&format={name}", json={"seed": 1, "size": 40})

    for name in ("png", "webp", "jpeg", "gif", "apng"):
        assert opened(asked_grey(name)).size == (40, 40)
    [image] = archived(asked_grey("zip"))
    assert pixels(image).shape == (40, 40)
    assert np.array_equal(
        np.asarray(opened(asked_grey("gif")).convert("L")), pixels(asked_grey("png").content)
    )


def test_reconstructions_of_encode_are_those_of_reconstruct(client: Client) -> None:
    for name in ("gif", "zip", "webp"):
        encoded, reconstructed = (
            ok(asked(client, path, name)).content for path in ("/encode", "/reconstruct")
        )
        assert encoded == reconstructed
    assert np.array_equal(
        decoded(client, *means(client, A)), images(asked(client, "/reconstruct", "json"))[:1]
    )
