"""A process does not depend on the collector of its traces."""

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.app.conftest import ok
from tests.app.observability.traces import traced


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending goes on for longer than a client, or the end of a process, is waited for here."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "120")


def test_a_collector_that_does_not_answer_disturbs_nothing(models: Path, tmp_path: Path) -> None:
    with socket.socket() as silent:  # takes connections, and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with traced(models, tmp_path, address) as (process, client):
            for seed in range(20):
                ok(client.post("/sample", json={"seed": seed}))
            time.sleep(0.3)  # the first of them are on their way
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def test_a_collector_that_is_not_there_disturbs_nothing(models: Path, tmp_path: Path) -> None:
    with traced(models, tmp_path, "http://127.0.0.1:9") as (process, client):
        ok(client.post("/sample"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
