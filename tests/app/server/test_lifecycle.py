import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from app.server.run import main
from tests.app.processes import running, start


def test_sigterm_finishes_what_was_accepted_and_exits_0(models: Path) -> None:
    body = b'{"n": 3, "seed": 1}'
    with (
        running(MODELS=str(models / "tiny")) as (process, client),
        socket.create_connection((client.base_url.host, client.base_url.port or 0)) as accepted,
    ):
        accepted.settimeout(30)
        head = "POST /sample HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        accepted.sendall(head.encode())
        assert accepted.recv(1000).startswith(b"HTTP/1.1 100 ")  # it waits for the body
        process.send_signal(signal.SIGTERM)
        until_refused(str(client.base_url))
        accepted.sendall(body)
        answer = b"".join(iter(lambda: accepted.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nlorgnette-seed: 1\r\n" in answer.lower()
        assert process.wait(30) == 0


def test_a_signal_from_the_keyboard_is_no_failure(models: Path) -> None:
    with running(MODELS=str(models / "tiny")) as (process, _):
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
    pytest.fail("new requests are still taken")


def test_a_process_of_a_test_runs_on_the_cpu_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def device(_: object, env: dict[str, str], **__: object) -> str:
        return env["LORGNETTE_DEVICE"]

    monkeypatch.setattr("subprocess.Popen", device)
    monkeypatch.setenv("LORGNETTE_DEVICE", "auto")
    found: list[object] = [start(), start(DEVICE="cuda")]
    assert found == ["cpu", "cuda"]


def test_a_checkpoint_that_cannot_be_used_is_named_in_one_line(
    models: Path, tmp_path: Path
) -> None:
    whole = (models / "tiny/model.safetensors").read_bytes()
    half = tmp_path / "half.safetensors"
    half.write_bytes(whole[: len(whole) // 2])
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
        ({"MAX_QUEUE": "1"}, "settings: max_queue (1) must hold"),
        ({"HANG_SECONDS": "9"}, "LORGNETTE_HANG_SECONDS is now LORGNETTE_INFERENCE_TIMEOUT_SECONDS"),
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
