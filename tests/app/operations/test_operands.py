"""Images, latents and seeds as operands, through HTTP."""

import numpy as np
from httpx import Client

from tests.app.conftest import (
    DIM,
    file,
    latents,
    random_image,
)

A, B, C = (file(random_image(seed)) for seed in (1, 2, 3))


def test_operands_may_be_images_latents_and_seeds(client: Client) -> None:
    latent = [0.1] * DIM
    seeded = latents(client.post("/sample?format=json", json={"seed": 7}))[0]
    body = {"start": {"latent": latent}, "end": {"seed": 7}, "steps": 2}
    by_json = latents(client.post("/interpolate?format=json", json=body))
    np.testing.assert_allclose(by_json, [latent, seeded], atol=1e-6)
    form = {"end": '{"seed": 7}', "steps": "2"}
    by_form = client.post("/interpolate?format=json", files={"start": A}, data=form)
    assert np.array_equal(latents(by_form)[1], seeded)
