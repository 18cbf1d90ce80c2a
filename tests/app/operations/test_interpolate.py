"""Interpolations, through HTTP."""

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
