"""What ``preserve`` keeps of an image, through HTTP."""

from typing import Any

import numpy as np
import pytest
from httpx import Client, Response

from tests.app.conftest import (
    DIM,
    SIZE,
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


@pytest.mark.parametrize("fraction", [0.25, 1.0])
def test_preserve_adds_what_the_model_cannot_reconstruct(client: Client, fraction: float) -> None:
    data = {"preserve": str(fraction)}
    response = arithmetic(client, "me + 0.5*glasses", files={"me": A}, data=data)
    edited, plain = (
        image.astype(float) for image in decoded(client, latents(response)[0], *means(client, A))
    )
    expected = (edited + fraction * (pixels(A) - plain)).round().clip(0, 255).astype(np.uint8)
    assert apart(expected, edited.astype(np.uint8)) > 10
    assert apart(images(response)[0], expected) <= 1


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
