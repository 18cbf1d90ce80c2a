import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent.parent


def start(**settings: str) -> subprocess.Popen[str]:
    environment = os.environ | {f"LORGNETTE_{k}": v for k, v in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(**settings: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(PORT=str(port), **settings)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None
                assert time.monotonic() < deadline
                try:
                    client.get("/health/ready").raise_for_status()
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield process, client
    finally:
        process.kill()
        process.communicate()


def test_sigterm_finishes_what_was_accepted_and_exits_0(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), MAX_BATCH="1") as (process, client):
        with ThreadPoolExecutor(8) as crowd:
            body = {"n": 64, "seed": 1}
            calls = [crowd.submit(client.post, "/sample", json=body) for _ in range(8)]
            time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            answers = []
            for call in calls:
                try:
                    answers.append(call.result())
                except httpx.TransportError:  # came after the doors were closed
                    continue
        assert process.wait(30) == 0
        assert answers
        assert all(answer.status_code in (200, 503) for answer in answers)
        assert any(answer.status_code == 200 for answer in answers)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"MODELS": "no/such/model"}, "no/such/model/model.safetensors: no such checkpoint"),
        ({"MODELS": "README.md"}, "no such checkpoint"),
        ({"MODELS": ""}, "LORGNETTE_MODELS"),
        ({"PORT": "abc"}, "LORGNETTE_PORT"),
        ({"DEVICE": "gpu"}, "LORGNETTE_DEVICE"),
        ({"MAX_QUEUE": "1"}, "max_queue (1) must hold"),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_a_line(
    settings: dict[str, str], reason: str
) -> None:
    process = start(**settings)
    output, _ = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert reason in output
    assert "Traceback" not in output


def test_a_broken_checkpoint_is_named(models: Path, tmp_path: Path) -> None:
    whole = (models / "tiny/model.safetensors").read_bytes()
    half = tmp_path / "half.safetensors"
    half.write_bytes(whole[: len(whole) // 2])
    output, _ = (process := start(MODELS=str(half), PORT="0")).communicate(timeout=60)
    assert process.returncode != 0
    assert f"{half}: truncated" in output
    assert "Traceback" not in output
