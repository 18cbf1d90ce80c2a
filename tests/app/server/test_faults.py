"""A real process whose model hangs, runs out of memory or fails, and what its clients see."""

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
from tests.app.processes import running
from vae.latent import seeded_noise

ROUNDS = 3


def faulty(
    models: Path, faults: Path, inference_timeout_seconds: str = "30", **settings: str
) -> AbstractContextManager[tuple[Popen[str], httpx.Client]]:
    module = ("tests.app.faulty", str(faults))
    more = {
        "HANG_SECONDS": inference_timeout_seconds,
        "MODEL_THREADS": "2",
    }  # two calls, on any machine
    return running(*module, MODELS=str(models / "tiny"), **more, **settings)


def test_a_model_that_hangs_fails_its_callers_and_comes_back(models: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    with faulty(models, tmp_path, "1") as (process, client), ThreadPoolExecutor(4) as crowd:
        expected = ok(client.post("/sample", json={"seed": 1})).content
        for _ in range(ROUNDS):
            (tmp_path / "hang").touch()
            time.sleep(rng.random() * 0.2)
            asked = [crowd.submit(client.post, "/sample", json={"seed": i}) for i in range(4)]
            answers = [answer.result() for answer in asked]
            lost = [answer for answer in answers if answer.status_code == 503]
            for answer in lost:
                assert int(answer.headers["retry-after"]) > 0
            assert "did not answer within 1 seconds" in lost[0].json()["detail"]
            (tmp_path / "hang").unlink()
            assert ok(client.post("/sample", json={"seed": 1})).content == expected
            ok(client.get("/health/ready"))
            assert process.poll() is None


def test_a_model_that_keeps_hanging_ends_the_process(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path, "1") as (process, client):
        (tmp_path / "hang").touch()
        for _ in range(4):
            problem(client.post("/sample"), 503, "did not answer")
        assert process.wait(30) == 1


def test_a_lost_device_ends_the_process_at_once(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path) as (process, client):
        (tmp_path / "lost").touch()
        problem(client.post("/sample", json={"n": 3}), 503, "the device is lost")
        assert process.wait(30) == 1


def test_a_second_signal_ends_the_process_at_once(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path) as (process, client):
        (tmp_path / "hang").touch()
        with ThreadPoolExecutor(1) as crowd:
            asked = crowd.submit(client.post, "/sample")
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert process.poll() is None  # it waits for what it accepted
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 128 + signal.SIGTERM
            with pytest.raises(httpx.TransportError):
                asked.result()


def test_a_call_that_hangs_does_not_hold_up_the_end(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path, SHUTDOWN_SECONDS="1") as (process, client):
        (tmp_path / "hang").touch()
        with ThreadPoolExecutor(1) as crowd:
            asked = crowd.submit(client.post, "/sample")
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            problem(asked.result(), 503, "the service is stopping")


def test_a_broken_item_does_not_fail_its_neighbours(models: Path, tmp_path: Path) -> None:
    unlucky = [13.0, *[0.0] * (DIM - 1)]
    with faulty(models, tmp_path) as (_, client), ThreadPoolExecutor(9) as crowd:
        [expected] = decoded(client, seeded_noise([0], DIM)[0])
        (tmp_path / "hang").touch()
        first = crowd.submit(client.post, "/decode", json={"latents": [[0.5] * DIM]})
        time.sleep(0.1)
        (tmp_path / "broken").touch()
        asked = [crowd.submit(decoded, client, seeded_noise([0], DIM)[0]) for _ in range(7)]
        bad = crowd.submit(client.post, "/decode", json={"latents": [unlucky]})
        time.sleep(0.1)
        (tmp_path / "hang").unlink()
        ok(first.result())
        problem(bad.result(), 500, "an error of ours")
        for neighbour in asked:
            assert np.abs(neighbour.result()[0].astype(int) - expected.astype(int)).max() <= 1


def test_a_batch_that_memory_does_not_hold_is_run_in_parts(models: Path, tmp_path: Path) -> None:
    with faulty(models, tmp_path) as (_, client):
        latents = seeded_noise(range(7), DIM)
        expected = decoded(client, *latents)
        (tmp_path / "memory").touch()
        before = batches(client)
        for ours, theirs in zip(decoded(client, *latents), expected, strict=True):
            assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1
        count, pictures = batches(client) - before
        assert (count, pictures) == (2, 7)  # not seven that were tried again one by one
        (tmp_path / "memory").write_text("0")
        answer = client.post("/decode", json={"latents": [[0.5] * DIM]})
        problem(answer, 503, "memory")
        assert int(answer.headers["retry-after"]) > 0
        (tmp_path / "memory").unlink()
        decoded(client, *latents)


def batches(client: httpx.Client) -> npt.NDArray[np.float64]:
    """How many batches of the decoder have run, and of how many pictures."""
    text = ok(client.get("/metrics")).text
    found = [
        float(line.rpartition(" ")[2])
        for name in ("count", "sum")
        for line in text.splitlines()
        if line.startswith(f"lorgnette_batch_size_{name}{{") and 'operation="decode"' in line
    ]
    return np.array(found)
