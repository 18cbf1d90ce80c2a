import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from app.server.run import main
from tests.app.processes import running, start


def test_sigterm_finishes_accepted_requests_and_exits_with_0(models: Path) -> None:
    body = b'{"n": 3, "seed": 1}'
    with (
        running(MODELS=str(models / "tiny"), DRAIN_SECONDS="0.3") as (process, client),
        socket.create_connection((client.base_url.host, client.base_url.port or 0)) as accepted,
    ):
        accepted.settimeout(30)
        headers = "POST /sample HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        headers += f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        accepted.sendall(headers.encode())
        assert accepted.recv(1000).startswith(b"HTTP/1.1 100 ")  # the server waits for the body
        process.send_signal(signal.SIGTERM)
        until_refused(str(client.base_url))
        accepted.sendall(body)
        response = b"".join(iter(lambda: accepted.recv(65536), b""))
        assert response.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nlorgnette-seed: 1\r\n" in response.lower()
        assert process.wait(30) == 0


def test_it_is_not_ready_before_it_refuses_connections(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), DRAIN_SECONDS="600") as (process, client):
        process.send_signal(signal.SIGTERM)
        url = str(client.base_url)
        until_status(f"{url}/health/ready", 503)
        response = httpx.get(f"{url}/health/ready")  # on a new connection
        assert "draining" in response.json()["detail"]
        assert int(response.headers["retry-after"]) > 0
        assert httpx.get(f"{url}/health/live").status_code == 200
        assert httpx.get(f"{url}/sample?seed=1", timeout=60).status_code == 200
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)  # the second one ends it at once
        assert process.wait(30) == 128 + signal.SIGTERM


def until_status(url: str, status: int) -> None:
    deadline = time.monotonic() + 30
    while httpx.get(url).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sigint_is_no_failure(models: Path) -> None:
    # Only SIGTERM, which a supervisor sends, is followed by a time to drain.
    with running(MODELS=str(models / "tiny"), DRAIN_SECONDS="600") as (process, _):
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in output


def until_refused(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/health/live")
        except httpx.ConnectError:
            return
        except (httpx.RemoteProtocolError, httpx.ReadError):
            pass  # it had connected just before, and was closed before its request was read
        time.sleep(0.01)
    pytest.fail("new connections are still accepted")


def test_a_process_of_a_test_runs_on_the_cpu_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def device(_: object, env: dict[str, str], **__: object) -> str:
        return env["LORGNETTE_DEVICE"]

    monkeypatch.setattr("subprocess.Popen", device)
    monkeypatch.setenv("LORGNETTE_DEVICE", "auto")
    devices: list[object] = [start(), start(DEVICE="cuda")]
    assert devices == ["cpu", "cuda"]


def test_a_checkpoint_that_cannot_be_used_is_named_in_one_line(
    models: Path, tmp_path: Path
) -> None:
    data = (models / "tiny/model.safetensors").read_bytes()
    half = tmp_path / "half.safetensors"
    half.write_bytes(data[: len(data) // 2])
    output, _ = (process := start(MODELS=str(half), PORT="0")).communicate(timeout=60)
    assert process.returncode not in (0, None)
    [line] = [line for line in output.splitlines() if "half" in line]
    assert f"{half}: truncated" in line
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"MODELS": ""}, "LORGNETTE_MODELS: "),
        ({"PORT": "abc"}, "LORGNETTE_PORT: "),
        ({"PORT": "65536"}, "LORGNETTE_PORT: "),
        ({"DEVICE": "gpu"}, "LORGNETTE_DEVICE: "),
        ({"DETERMINISTIC": "perhaps"}, "LORGNETTE_DETERMINISTIC: "),
        ({"CORS_ORIGINS": "shop.example"}, "LORGNETTE_CORS_ORIGINS: each origin is written as"),
        ({"METRICS_KEYS": "secret"}, "LORGNETTE_METRICS_KEYS: each key is given by its SHA-256"),
        ({"DRAIN_SECONDS": "-1"}, "LORGNETTE_DRAIN_SECONDS: "),
        ({"MAX_QUEUE": "1"}, "settings: max_queue (1) must hold"),
        ({"HEAD_SECONDS": "9"}, "LORGNETTE_HEAD_SECONDS is now LORGNETTE_HEADER_TIMEOUT_SECONDS"),
    ],
)
def test_a_bad_setting_is_named_in_one_line(
    settings: dict[str, str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"LORGNETTE_{name}", value)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(reason)


def test_two_bad_settings_are_both_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LORGNETTE_PORT", "abc")
    monkeypatch.setenv("LORGNETTE_MAX_BATCH", "0")
    with pytest.raises(SystemExit):
        main()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["LORGNETTE_PORT", "LORGNETTE_MAX_BATCH"]
