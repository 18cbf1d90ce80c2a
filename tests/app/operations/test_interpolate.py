"""Interpolations, through HTTP."""

import json
from typing import Any

import numpy as np
import pytest
from httpx import Client

from tests.app.conftest import (
    DIM,
    decoded,
    file,
    images,
    latents,
    means,
    problem,
    random_image,
)

A, B, C = (file(random_image(seed)) for seed in (1, 2, 3))


@pytest.mark.parametrize("method", ["slerp", "lerp"])
@pytest.mark.parametrize("steps", [2, 5, 64])
def test_a_path_has_both_ends_exactly(client: Client, method: str, steps: int) -> None:
    data = {"steps": str(steps), "method": method}
    response = client.post("/interpolate?format=json", files={"start": A, "end": B}, data=data)
    path = latents(response)
    assert path.shape == (steps, DIM)
    assert np.array_equal(path[[0, -1]], means(client, A, B))
    assert np.array_equal(images(response), decoded(client, *path))


def test_what_lies_between(client: Client) -> None:
    start, end = [3.0] + [0.0] * 7, [0.0] * 7 + [4.0]
    body: dict[str, Any] = {"start": {"latent": start}, "end": {"latent": end}, "steps": 3}
    row = latents(client.post("/interpolate?format=json", json=body))
    np.testing.assert_allclose(row[1], (np.array(start) + end) * np.sin(np.pi / 4), atol=1e-6)
    row = latents(client.post("/interpolate?format=json", json={**body, "method": "lerp"}))
    np.testing.assert_allclose(row[1], (np.array(start) + end) / 2, atol=1e-6)


def test_a_path_goes_through_its_operands(client: Client) -> None:
    files = [("start", A), ("via", B), ("via", C), ("end", A)]
    response = client.post("/interpolate?format=json", files=files, data={"steps": "7"})
    path = latents(response)
    for i, file_ in zip((0, 2, 4, 6), (A, B, C, A), strict=True):
        np.testing.assert_allclose(path[i], means(client, file_)[0], atol=1e-4)


def test_an_end_may_be_the_mean_of_several_operands(client: Client) -> None:
    latent = [1.0] * DIM
    files: Any = [("start", A), ("start", B), ("end", (None, json.dumps({"latent": latent})))]
    path = latents(client.post("/interpolate?format=json", files=files, data={"steps": "2"}))
    np.testing.assert_allclose(path[0], means(client, A, B).mean(0), atol=1e-4)
    body = {"start": {"latent": [0] * DIM}, "end": [{"latent": latent}, {"latent": [3] * DIM}]}
    path = latents(client.post("/interpolate?format=json", json={**body, "steps": 2}))
    assert path.tolist() == [[0.0] * DIM, [2.0] * DIM]


@pytest.mark.parametrize(
    ("easing", "middle"),
    [("linear", 0.5), ("ease-in", 0.25), ("ease-out", 0.75), ("ease-in-out", 0.5)],
)
def test_easing_changes_where_the_images_are(client: Client, easing: str, middle: float) -> None:
    body = {"start": {"latent": [0] * DIM}, "end": {"latent": [1] * DIM}, "steps": 3}
    options = {"method": "lerp", "easing": easing}
    path = latents(client.post("/interpolate?format=json", json={**body, **options}))
    np.testing.assert_allclose(path[:, 0], [0, middle, 1])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"via": [{"latent": [1] * (DIM - 1)}]}, "#/via/0/latent"),
        ({"via": [{"seed": 1}, {}]}, "#/via/1"),
        ({"end": [{"seed": 1}, {"latent": [1]}]}, "#/end/1/latent"),
        ({"start": []}, "#/start"),
        ({"easing": "bounce"}, "#/easing"),
    ],
)
def test_an_error_points_at_its_operand(
    client: Client, change: dict[str, Any], pointer: str
) -> None:
    body = {"start": {"seed": 1}, "end": {"seed": 2}, **change}
    errors = problem(client.post("/interpolate", json=body), 422)["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


def test_too_many_operands_are_refused(client: Client) -> None:
    body = {"start": {"seed": 1}, "end": {"seed": 2}, "via": [{"seed": 3}] * 63}
    problem(client.post("/interpolate", json=body), 413, "65 images or latents")
