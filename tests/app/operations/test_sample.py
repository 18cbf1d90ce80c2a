"""Samples, through HTTP."""

from typing import Any

import numpy as np
import torch
from httpx import Client, Response

from tests.app.conftest import (
    DIM,
    Latents,
    apart,
    decoded,
    images,
    latents,
    tiny_checkpoint,
    two_clumps,
)

TINY = tiny_checkpoint(0)


def noise(seed: int, dim: int = DIM) -> Latents:
    return torch.randn(dim, generator=torch.Generator().manual_seed(seed)).double().numpy()


def sampled(client: Client, model: str = "tiny", **body: Any) -> Response:
    return client.post(f"/sample?format=json&model={model}", json=body)


def test_a_sample_is_the_decode_of_its_latent(client: Client) -> None:
    for body in ({"n": 1}, {"n": 5}, {"n": 2, "temperature": 0.5}, {"n": 3, "prior": "standard"}):
        response = sampled(client, seed=3, **body)
        assert np.array_equal(images(response), decoded(client, *latents(response)))


def test_a_latent_is_drawn_from_the_fitted_gaussian(client: Client) -> None:
    variances, axes = np.linalg.eigh(TINY.statistics.covariance.double().numpy())
    factor = axes * np.sqrt(variances) @ axes.T
    mean = TINY.statistics.mean.double().numpy()
    for temperature in (0, 0.7, 2):
        found = latents(sampled(client, n=2, seed=5, temperature=temperature))
        expected = [mean + temperature * factor @ noise(seed) for seed in (5, 6)]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_or_from_the_standard_one(client: Client) -> None:
    found = latents(sampled(client, n=2, seed=5, temperature=0.7, prior="standard"))
    np.testing.assert_allclose(found, [0.7 * noise(5), 0.7 * noise(6)], atol=1e-6)


def test_or_from_the_mixture_of_a_model_that_has_one(client: Client) -> None:
    mixture = two_clumps(5)
    still = latents(sampled(client, "grey", n=40, temperature=0, seed=0))
    assert {row[0] for row in still} == {-2.0, 2.0}  # the mean of one component each
    assert 0.5 < (still[:, 0] == 2.0).mean() < 0.9
    moved = latents(sampled(client, "grey", n=40, seed=0))
    for seed, (before, after) in enumerate(zip(still, moved, strict=True)):
        scale = mixture.factors[int(before[0] > 0)][0, 0].item()
        np.testing.assert_allclose(after - before, scale * noise(seed, 5), atol=1e-5)


def test_temperature_0_is_the_mean_image(client: Client) -> None:
    [mean_image] = decoded(client, TINY.statistics.mean)
    for image in images(sampled(client, n=3, temperature=0)):
        assert apart(image, mean_image) <= 1


def test_image_i_has_seed_plus_i(client: Client) -> None:
    six = sampled(client, n=6, seed=1)
    assert six.json()["seeds"] == [1, 2, 3, 4, 5, 6]
    one = sampled(client, n=1, seed=3)
    assert one.headers["lorgnette-seed"] == "3"
    assert np.array_equal(latents(six)[2], latents(one)[0])
    assert apart(images(six)[2], images(one)[0]) <= 1
    assert apart(images(six)[1], images(one)[0]) > 10
    last = sampled(client, n=2, seed=2**53 - 2)
    assert last.json()["seeds"] == [2**53 - 2, 2**53 - 1]


def test_samples_without_a_seed_differ(client: Client) -> None:
    first, second = (sampled(client, n=1) for _ in range(2))
    assert first.headers["lorgnette-seed"] != second.headers["lorgnette-seed"]
    assert apart(images(first)[0], images(second)[0]) > 0
    again = sampled(client, seed=int(first.headers["lorgnette-seed"]))
    assert np.array_equal(images(again), images(first))
