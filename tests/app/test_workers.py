"""Several worker processes behind one port, on real processes."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from app.workers import _places
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
    return samples["lorgnette_requests_total"].value


def test_workers_share_a_port_and_their_counts(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), WORKERS="2") as (process, client):
        url = str(client.base_url)
        assert len(children(process)) == 2
        ask(url, times=12)
        assert {counted(url) for _ in range(6)} == {12}
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_worker_that_dies_is_started_anew(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), WORKERS="2") as (process, client):
        url = str(client.base_url)
        first, second = children(process)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(set(children(process)) - {first, second}) == 1)
        wait_until(lambda: listens(url))  # the second may still be loading its model
        ask(url, times=4)


def test_workers_end_with_their_parent(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), WORKERS="2") as (process, client):
        workers = children(process)
        process.kill()
        process.wait()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        with pytest.raises(httpx.ConnectError):
            client.get("/health/live")


def test_a_worker_that_cannot_start_ends_them_all(tmp_path: Path) -> None:
    process = start(MODELS=str(tmp_path / "none"), WORKERS="2", PORT="0")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "none" in output
    assert "could not start" in output


def test_what_sets_workers_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(workers=3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [place["CUDA_VISIBLE_DEVICES"] for place in _places(settings, 2)] == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert [place["CUDA_VISIBLE_DEVICES"] for place in _places(settings, 2)] == ["5", "7", "5"]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert [place["LORGNETTE_MODEL_THREADS"] for place in _places(settings, 0)] == ["2", "2", "2"]
    four = Settings(workers=3, model_threads=4)
    assert _places(four, 0)[0] == {"LORGNETTE_MODEL_THREADS": "4"}
