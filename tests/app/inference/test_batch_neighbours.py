"""A result does not depend on its batch neighbours."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import torch

from app.inference.engine import DecoderInput, Engine
from app.settings import Settings
from tests.app.conftest import Pixels, apart, file, images, ok, random_image, serving, text
from vae.latent import seeded_noise, seeded_noise_and_uniform
from vae.prior import GaussianMixture, LatentStatistics

REQUESTS = 64
A, B = file(random_image(1)), file(random_image(2))


@contextmanager
def recording_server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server, and the sizes of the batches that it decodes and the threads that do it."""
    sizes: list[tuple[int, int]] = []
    decode_many = Engine.decode_many

    def recording(self: Engine, inputs: list[DecoderInput]) -> list[Pixels]:
        sizes.append((len(inputs), torch.get_num_threads()))
        return decode_many(self, inputs)

    monkeypatch.setattr(Engine, "decode_many", recording)
    with serving(settings) as client:
        sizes.clear()
        yield client, sizes
    torch.use_deterministic_algorithms(False)


def post(client: httpx.Client, number: int) -> httpx.Response:
    """One of four requests, the same for the same number."""
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/sample", {"n": 1 + number % 5, "seed": 1000 * number}),
        ("/interpolate", {"start": {"image": text(A)}, "end": {"seed": number}, "steps": 3}),
        ("/arithmetic", {"expression": "a + 2*smile", "operands": {"a": {"seed": number}}}),
        ("/reconstruct", {"image": [text(A), text(B)]}),
    ]
    path, body = requests[number % 4]
    return ok(client.post(f"{path}?format=json", json=body))


@pytest.mark.parametrize(("deterministic", "threads"), [(False, 1), (False, 2), (True, 2)])
def test_a_request_gets_the_same_alone_and_among_others(
    settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    deterministic: bool,
    threads: int,
) -> None:
    calls = 1 if deterministic else threads  # concurrent
    used = settings(deterministic=deterministic, model_threads=threads)
    with recording_server(used, monkeypatch) as (client, sizes):
        alone = [post(client, number) for number in range(REQUESTS)]
        assert max(sizes)[0] == math.ceil(5 / calls)  # each of one request
        assert (1, threads) in sizes  # a single image runs exclusively
        assert {has for size, has in sizes if size > 1} == {threads // calls}
        sizes.clear()
        with ThreadPoolExecutor(REQUESTS) as clients:
            together = list(clients.map(lambda number: post(client, number), range(REQUESTS)))
        assert 5 < max(sizes)[0] <= 16
        third = ok(client.post("/sample?format=json", json={"seed": 4002}))
    for before, after in zip(alone, together, strict=True):
        if deterministic:
            assert before.content == after.content
        for alone_image, image in zip(images(before), images(after), strict=True):
            assert apart(alone_image, image) <= 1
    if deterministic:
        assert alone[4].json()["images"][2] == third.json()["images"][0]
    assert apart(images(alone[4])[2], images(third)[0]) <= 1


@pytest.mark.parametrize("dim", [5, 64, 128])
def test_a_sample_is_the_same_to_the_last_bit_alone_and_among_others(dim: int) -> None:
    factor = seeded_noise(range(dim), dim)
    gaussian = LatentStatistics(torch.ones(dim), factor @ factor.T)
    halves = torch.tensor([0.5, 0.5])
    mixture = GaussianMixture(halves, factor[:2], torch.stack([factor, 2 * factor]))
    together = range(40)
    samples = gaussian.sample(seeded_noise(together, dim))
    mixed = mixture.sample(*seeded_noise_and_uniform(together, dim))
    for seed in together:
        assert torch.equal(gaussian.sample(seeded_noise([seed], dim))[0], samples[seed])
        assert torch.equal(mixture.sample(*seeded_noise_and_uniform([seed], dim))[0], mixed[seed])
