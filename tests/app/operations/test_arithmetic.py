"""Latent arithmetic, through HTTP."""

from typing import Any

import numpy as np
import pytest
from httpx import Client, Response

from tests.app.conftest import (
    apart,
    decoded,
    file,
    images,
    latents,
    means,
    problem,
    random_image,
    tiny_checkpoint,
)

A, B, C = (file(random_image(seed)) for seed in (1, 2, 3))

TINY = tiny_checkpoint(0)


def arithmetic(client: Client, expression: str, **options: Any) -> Response:
    data = {"expression": expression, **options.pop("data", {})}
    return client.post("/arithmetic?format=json", data=data, **options)


def test_a_minus_a_plus_b_is_b(client: Client) -> None:
    response = arithmetic(client, "a - a + b", files={"a": A, "b": B})
    [copy] = images(client.post("/reconstruct?format=json", files={"image": B}))
    assert apart(images(response)[0], copy) <= 1


def test_several_images_are_the_mean_of_their_encoded_means(client: Client) -> None:
    response = arithmetic(client, "men", files=[("men", data) for data in (A, B, C)])
    expected = means(client, A, B, C).mean(0)
    np.testing.assert_allclose(latents(response)[0], expected, atol=1e-4)
    assert apart(images(response)[0], decoded(client, expected)[0]) <= 1
    again = arithmetic(client, "men", files=[("men", data) for data in (A, B, C)])
    assert response.content == again.content  # nothing is random


def test_a_weighted_sum_of_names(client: Client) -> None:
    files = [("men", A), ("men", B), ("women", C), ("her", B)]
    a, b, c = means(client, A, B, C)
    for text, expected in {
        "men - 0.5*women + her": (a + b) / 2 - 0.5 * c + b,
        "-2*her + women - men": -2 * b + c - (a + b) / 2,
        "men + her + women - women - her": (a + b) / 2,
    }.items():
        found = latents(arithmetic(client, text, files=files))[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_named_direction_is_added(client: Client) -> None:
    glasses, smile = (d.vector.double().numpy() for d in TINY.directions.values())
    [b] = means(client, B)
    found = latents(arithmetic(client, "b + 1.5*glasses - smile", files={"b": B}))[0]
    np.testing.assert_allclose(found, b + 1.5 * glasses - smile, atol=1e-4)
    alone = client.post("/arithmetic?format=json", json={"expression": "smile"})
    np.testing.assert_allclose(latents(alone)[0], smile, atol=1e-6)


def test_a_direction_that_is_subtracted_removes_its_within_label_subspace(client: Client) -> None:
    direction = TINY.directions["glasses"]
    assert direction.within_label is not None
    [b] = means(client, B)
    step = direction.vector.double().numpy()
    rows, centre = (
        t.double().numpy() for t in (direction.within_label.rows, direction.within_label.centre)
    )
    for weight in (0.5, 1.0, 2.0):
        found = latents(arithmetic(client, f"b - {weight}*glasses", files={"b": B}))[0]
        expected = b - weight * step - min(weight, 1) * (rows @ b - centre) @ rows
        np.testing.assert_allclose(found, expected, atol=1e-4)
    named = {d["name"]: d["kinds"] for d in client.get("/directions").json()["directions"]}
    assert named == {"glasses": 2, "smile": 0}


def test_an_operand_goes_before_a_direction_of_its_name(client: Client) -> None:
    response = arithmetic(client, "me + glasses", files={"me": A, "glasses": B})
    np.testing.assert_allclose(latents(response)[0], means(client, A, B).sum(0), atol=1e-4)


@pytest.mark.parametrize("digits", [10, 50, 400])
def test_a_sum_too_large_for_a_latent_is_refused(client: Client, digits: int) -> None:
    json = {"expression": "9" * digits + "*glasses"}
    body = problem(client.post("/arithmetic", json=json), 422, "1000000")
    assert body["errors"][0]["pointer"] == "#/expression"
