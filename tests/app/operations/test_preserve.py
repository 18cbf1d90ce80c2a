"""What ``preserve`` keeps of an image, through HTTP."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from httpx import Client, Response
from PIL import Image

from tests.app.conftest import DIM, SIZE, apart, file, images, ok, pixels, problem, random_image

A, B, C = (file(random_image(seed)) for seed in (1, 2, 3))


def arithmetic(client: Client, expression: str, **options: Any) -> Response:
    data = {"expression": expression, **options.pop("data", {})}
    return client.post("/arithmetic?format=json", data=data, **options)


def test_preserve_1_without_an_edit_is_the_original(client: Client) -> None:
    response = arithmetic(client, "her", files={"her": A}, data={"preserve": "1"})
    assert np.array_equal(images(response)[0], pixels(A))
    files = [("men", B), ("men", C), ("her", A)]
    response = arithmetic(client, "men - men + her", files=files, data={"preserve": "1"})
    assert apart(images(response)[0], pixels(A)) <= 1


def edited(client: Client, **fields: str) -> Response:
    """``me + 2*glasses`` of A."""
    return ok(arithmetic(client, "me + 2*glasses", files={"me": A}, data=fields))


def test_preserve_changes_pixels_only_within_the_mask(client: Client) -> None:
    response = edited(client, preserve="1", mask="true")
    mask = pixels(base64.b64decode(response.json()["mask"]))
    changed = (images(response)[0] != pixels(A)).any(2)
    assert changed.any()
    assert not changed[mask == 0].any()


def test_preserve_below_1_blends_with_the_decode(client: Client) -> None:
    plain, kept = (images(edited(client, preserve=value))[0].astype(float) for value in "01")
    half = images(edited(client, preserve="0.5"))[0]
    assert np.abs(plain - kept).max() > 10
    assert np.abs((plain + kept) / 2 - half).max() <= 1


def test_mask_is_the_response_of_image_media_types(client: Client) -> None:
    expected = pixels(base64.b64decode(edited(client, mask="true").json()["mask"]))
    form = {"expression": "me + 2*glasses", "mask": "true"}
    for name, tolerance in (("png", 0), ("webp", 40)):
        response = ok(client.post(f"/arithmetic?format={name}", data=form, files={"me": A}))
        assert response.headers["content-type"] == f"image/{name}"
        found = np.array(Image.open(io.BytesIO(response.content)).convert("L"))
        assert apart(found, expected) <= tolerance


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"preserve": "0"}, "preserve above 0"), ({"paste": "true"}, "leave out paste")],
)
def test_mask_needs_what_it_is_of(client: Client, fields: dict[str, str], words: str) -> None:
    response = arithmetic(client, "me", files={"me": A}, data={"mask": "true", **fields})
    body = problem(response, 422, words)
    assert body["errors"][0]["pointer"] == "#/mask"


def test_preserve_keeps_the_first_single_image_that_is_added(client: Client) -> None:
    files = [("off", B), ("men", B), ("men", C), ("her", A), ("him", C)]
    data = {"preserve": "1"}
    response = arithmetic(
        client, "-off + off + men - men + her - him + him", files=files, data=data
    )
    left = apart(images(response)[0], pixels(A))
    assert images(response)[0].shape == (SIZE, SIZE, 3)
    assert left > 1  # "off" comes first where it is added
    response = arithmetic(client, "men - men + her", files=files[1:4], data=data)
    assert apart(images(response)[0], pixels(A)) <= 1


@pytest.mark.parametrize(
    ("text", "operands"),
    [
        ("glasses", {}),
        ("a", {"a": {"seed": 1}}),
        ("a", {"a": {"latent": [0.0] * DIM}}),
    ],
)
def test_preserve_needs_an_image(client: Client, text: str, operands: dict[str, Any]) -> None:
    body = {"expression": text, "operands": operands, "preserve": 0.5}
    found = problem(client.post("/arithmetic", json=body), 422, "one image")
    assert found["errors"][0]["pointer"] == "#/preserve"
    ok(client.post("/arithmetic", json={**body, "preserve": 0}))


@pytest.mark.parametrize(("text", "files"), [("-a", [A]), ("0*a", [A]), ("a", [A, B])])
def test_preserve_needs_one_that_is_added(client: Client, text: str, files: list[bytes]) -> None:
    parts = [("a", data) for data in files]
    problem(arithmetic(client, text, files=parts, data={"preserve": "1"}), 422, "one image")
