"""Several worker processes behind one port, on real processes."""

import hashlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from uvicorn.config import STARTUP_FAILURE

from app.server import supervisor as supervisor_module
from app.server.supervisor import Supervisor, _worker_envs
from app.settings import Settings
from tests.app.processes import running, start


def children(process: subprocess.Popen[str]) -> list[int]:
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask(url: str, times: int = 1) -> None:
    """Ask on a new connection each time, so that every worker gets some."""
    for seed in range(times):
        httpx.post(f"{url}/sample", json={"seed": seed}, timeout=60).raise_for_status()


def listens(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.ConnectError:
        return False


def counted(url: str) -> float:
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    samples = {s.name: s for f in families for s in f.samples if s.labels.get("path") == "/sample"}
    return samples["lorgnette_http_requests_total"].value


def measured(url: str) -> set[str]:
    """The processes whose memory is in the metrics."""
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    return {
        sample.labels["pid"]
        for family in families
        for sample in family.samples
        if sample.name == "process_resident_memory_bytes" and sample.value > 2**20
    }


def test_workers_share_a_port_and_their_metrics(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), WORKERS="2") as (process, client):
        url = str(client.base_url)
        assert len(children(process)) == 2
        ask(url, times=12)
        assert {counted(url) for _ in range(6)} == {12}
        assert measured(url) == {str(pid) for pid in children(process)}
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_rate_limit_holds_over_all_workers(models: Path) -> None:
    limits = {"API_KEYS": hashlib.sha256(b"key").hexdigest(), "REQUESTS_PER_MINUTE": "5"}
    with running(MODELS=str(models / "tiny"), WORKERS="2", **limits) as (process, client):
        assert len(children(process)) == 2
        responses = [  # each on a new connection, so that both workers get some
            httpx.get(f"{client.base_url}/models", headers={"Authorization": "Bearer key"})
            for _ in range(20)
        ]
        assert [response.status_code for response in responses] == [200] * 5 + [429] * 15


def test_a_worker_that_dies_is_restarted(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), WORKERS="2") as (process, client):
        url = str(client.base_url)
        first, second = children(process)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(set(children(process)) - {first, second}) == 1)
        wait_until(lambda: listens(url))  # the second may still be loading its model
        wait_until(lambda: measured(url) == set(map(str, children(process))))
        ask(url, times=4)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_workers_end_with_their_parent(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), WORKERS="2") as (process, client):
        workers = children(process)
        process.kill()
        process.wait()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        with pytest.raises(httpx.ConnectError):
            client.get("/health/live")


def test_a_worker_that_cannot_start_stops_them_all(tmp_path: Path) -> None:
    process = start(MODELS=str(tmp_path / "none"), WORKERS="2", PORT="0")
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 3
    assert "none" in output
    assert "could not start" in output


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Supervisor:
    """Three workers, numbered from 1, that are no processes."""
    numbers = itertools.count(1)

    class Worker:
        def __init__(self, *_: object, **__: object) -> None:
            self.pid = next(numbers)

    monkeypatch.setattr(subprocess, "Popen", Worker)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    supervisor = Supervisor([{}, {}, {}], tmp_path)
    for slot in range(3):
        supervisor._start(slot)
    return supervisor


def test_a_worker_that_cannot_restart_is_tried_again_later(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "RESTART_BACKOFF_SECONDS", 0.3)
    began = time.monotonic()
    assert supervisor._on_exit(1, 1) == 0
    assert supervisor._on_exit(4, STARTUP_FAILURE) == 0
    assert sorted(supervisor._workers) == [2, 3]
    monkeypatch.setattr(os, "waitpid", lambda *_: (5, 0) if 5 in supervisor._workers else (0, 0))
    monkeypatch.setattr(os, "wait", lambda: (5, 0))
    assert supervisor._wait() == (5, 0)
    assert time.monotonic() - began > 0.3
    assert supervisor._workers[5][0] == 0
    assert not supervisor._stopping


def test_the_first_worker_of_a_slot_must_start(supervisor: Supervisor) -> None:
    assert supervisor._on_exit(1, 1) == 0
    assert supervisor._on_exit(2, STARTUP_FAILURE) == STARTUP_FAILURE
    assert supervisor._stopping


def test_without_a_serving_worker_there_is_no_backoff(supervisor: Supervisor) -> None:
    for first in (1, 2, 3):
        assert supervisor._on_exit(first, 1) == 0
    assert supervisor._on_exit(4, STARTUP_FAILURE) == 0
    supervisor._restarts.clear()  # as if a minute had passed
    assert supervisor._on_exit(5, STARTUP_FAILURE) == 0
    assert supervisor._on_exit(6, STARTUP_FAILURE) == 1
    assert supervisor._stopping
    assert not supervisor._backoff


def test_workers_differ_in_their_gpu_or_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(workers=3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [env["CUDA_VISIBLE_DEVICES"] for env in _worker_envs(settings, 2)] == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert [env["CUDA_VISIBLE_DEVICES"] for env in _worker_envs(settings, 2)] == ["5", "7", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7,-1,9")  # CUDA reads it as far as the -1
    assert [env["CUDA_VISIBLE_DEVICES"] for env in _worker_envs(settings, 2)] == ["5", "7", "5"]
    assert {env["LORGNETTE_DEVICE"] for env in _worker_envs(settings, 2)} == {"cuda"}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert [env["LORGNETTE_MODEL_THREADS"] for env in _worker_envs(settings, 0)] == ["2", "2", "2"]
    four = Settings(workers=3, model_threads=4)
    assert _worker_envs(four, 0)[0] == {"LORGNETTE_MODEL_THREADS": "4"}
