"""A real process whose model hangs, runs out of memory or fails, and what its clients get."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from tests.app.conftest import DIM, decoded, ok, problem
from tests.app.faulty import BROKEN_VALUE
from tests.app.processes import running
from vae.latent import seeded_noise

ROUNDS = 3


def faulty(
    models: Path, faults: Path, inference_timeout_seconds: str = "30", **settings: str
) -> AbstractContextManager[tuple[Popen[str], httpx.Client]]:
    module = ("tests.app.faulty", str(faults))
    settings = {
        "MODELS": str(models / "tiny"),
        "INFERENCE_TIMEOUT_SECONDS": inference_timeout_seconds,
        "MODEL_THREADS": "2",  # two concurrent calls, on any machine
        **settings,
    }
    return running(*module, **settings)


def test_a_model_that_hangs_fails_its_requests_and_recovers(models: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    with faulty(models, tmp_path, "1") as (process, client), ThreadPoolExecutor(4) as clients:
        expected = ok(client.post("/sample", json={"seed": 1})).content
        for _ in range(ROUNDS):
            (tmp_path / "hang").touch()
            time.sleep(rng.random() * 0.2)
            requests = [clients.submit(client.post, "/sample", json={"seed": i}) for i in range(4)]
            responses = [request.result() for request in requests]
            failed = [response for response in responses if response.status_code == 503]
            for response in failed:
                assert int(response.headers["retry-after"]) > 0
            assert "did not respond within 1 s" in failed[0].json()["detail"]
            (tmp_path / "hang").unlink()
            assert ok(client.post("/sample", json={"seed": 1})).content == expected
            ok(client.get("/health/ready"))
            assert process.poll() is None


def test_a_model_that_keeps_hanging_ends_the_process(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path, "1") as (process, client):
        (tmp_path / "hang").touch()
        for _ in range(4):
            problem(client.post("/sample"), 503, "did not respond")
        assert process.wait(30) == 1


def test_a_lost_device_ends_the_process_at_once(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path) as (process, client):
        (tmp_path / "lost").touch()
        problem(client.post("/sample", json={"n": 3}), 503, "the device is lost")
        assert process.wait(30) == 1


def test_a_second_signal_ends_the_process_at_once(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path) as (process, client):
        (tmp_path / "hang").touch()
        with ThreadPoolExecutor(1) as clients:
            request = clients.submit(client.post, "/sample")
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert process.poll() is None  # it waits for the request that it accepted
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 128 + signal.SIGTERM
            with pytest.raises(httpx.TransportError):
                request.result()


def test_a_call_that_hangs_does_not_delay_the_end(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path, GRACEFUL_SHUTDOWN_SECONDS="1") as (process, client):
        (tmp_path / "hang").touch()
        with ThreadPoolExecutor(1) as clients:
            request = clients.submit(client.post, "/sample")
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            problem(request.result(), 503, "the service is stopping")


def test_a_broken_item_does_not_fail_its_batch_neighbours(models: Path, tmp_path: Path) -> None:
    broken = [float(BROKEN_VALUE), *[0.0] * (DIM - 1)]
    with faulty(models, tmp_path) as (_, client), ThreadPoolExecutor(9) as clients:
        [expected] = decoded(client, seeded_noise([0], DIM)[0])
        (tmp_path / "hang").touch()
        first = clients.submit(client.post, "/decode", json={"latents": [[0.5] * DIM]})
        time.sleep(0.1)
        (tmp_path / "broken").touch()
        neighbours = [clients.submit(decoded, client, seeded_noise([0], DIM)[0]) for _ in range(7)]
        bad = clients.submit(client.post, "/decode", json={"latents": [broken]})
        time.sleep(0.1)
        (tmp_path / "hang").unlink()
        ok(first.result())
        problem(bad.result(), 500)
        for neighbour in neighbours:
            assert np.abs(neighbour.result()[0].astype(int) - expected.astype(int)).max() <= 1


def test_a_batch_that_exceeds_memory_is_run_in_parts(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path) as (_, client):
        latents = seeded_noise(range(7), DIM)
        expected = decoded(client, *latents)
        (tmp_path / "memory").touch()
        before = batches(client)
        for image, whole in zip(decoded(client, *latents), expected, strict=True):
            assert np.abs(image.astype(int) - whole.astype(int)).max() <= 1
        count, images = batches(client) - before
        assert (count, images) == (2, 7)  # not seven that were repeated one by one
        (tmp_path / "memory").write_text("0")
        response = client.post("/decode", json={"latents": [[0.5] * DIM]})
        problem(response, 503, "memory")
        assert int(response.headers["retry-after"]) > 0
        (tmp_path / "memory").unlink()
        decoded(client, *latents)


def batches(client: httpx.Client) -> npt.NDArray[np.float64]:
    """The number of batches that were decoded, and of their images."""
    text = ok(client.get("/metrics")).text
    values = [
        float(line.rpartition(" ")[2])
        for name in ("count", "sum")
        for line in text.splitlines()
        if line.startswith(f"lorgnette_batch_size_{name}{{") and 'operation="decode"' in line
    ]
    return np.array(values)
