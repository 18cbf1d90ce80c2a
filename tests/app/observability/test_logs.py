"""What a real process logs of its requests, and how lines are written in the background."""

import hashlib
import io
import json
import logging
import logging.config
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.observability import logs
from app.observability.logs import BackgroundHandler, JsonFormatter, log_response
from tests.app.conftest import ok
from tests.app.processes import ROOT, running


def lines(models: Path, form: str) -> list[str]:
    more = {"LOG_FORMAT": form, "API_KEYS": f"shop:{hashlib.sha256(b'key').hexdigest()}"}
    with running(MODELS=str(models / "tiny"), **more) as (process, client):
        key = {"Authorization": "Bearer key"}
        ok(client.post("/sample?model=tiny", headers={"X-Request-ID": "mine-1", **key}))
        client.get("/no%0Asuch%0D%0Aplace", headers={"X-Request-ID": "mine-2"})
        for number in range(3, 200):
            ok(client.get("/health/live", headers={"X-Request-ID": f"mine-{number}"}))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout is not None
        return process.stdout.read().splitlines()


def test_text_is_a_line_a_response_in_order(models: Path) -> None:
    found = [line for line in lines(models, "text") if "mine-" in line]
    assert [line.rsplit(" ", 1)[1] for line in found] == [f"mine-{n}" for n in range(1, 200)]
    assert " INFO POST /sample 200 " in found[0]
    assert re.search(r" ms 127\.0\.0\.1 shop tiny@[0-9a-f]{12} mine-1$", found[0])
    assert "model=tiny" not in found[0]
    assert r" INFO GET /no\nsuch\r\nplace 404 " in found[1]
    assert found[1].endswith(" ms 127.0.0.1 - - mine-2")


def test_json_is_an_object_a_line(models: Path) -> None:
    found = [json.loads(line) for line in lines(models, "json")]
    [line] = [line for line in found if line.get("request_id") == "mine-1"]
    assert list(line) == [
        *("time", "level", "logger", "message"),
        *("method", "path", "status", "milliseconds", "client", "key", "model", "request_id"),
    ]
    assert (line["client"], line["key"]) == ("127.0.0.1", "shop")
    assert line["model"].startswith("tiny@")
    [other] = [line for line in found if line.get("request_id") == "mine-3"]
    assert other.keys() & {"client", "key", "model"} == {"client"}
    assert (line["method"], line["path"], line["status"]) == ("POST", "/sample", 200)
    assert line["milliseconds"] > 0
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in found)
    assert [line["level"] for line in found] == ["info"] * len(found)


def test_an_exception_is_a_field(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise KeyError("mine")
    except KeyError:
        with caplog.at_level(logging.ERROR, "lorgnette"):
            logging.getLogger("lorgnette").exception("it failed")
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert line["level"] == "error"
    assert "KeyError: 'mine'" in line["exception"]


def test_a_response_is_one_record(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lorgnette.access"):
        log_response("GET", "/a\nb", 200, 0.0123, "id")
    assert caplog.messages == [r"GET /a\nb 200 12.3 ms - - - id"]


@pytest.mark.parametrize("client", ["203.0.113.9 shop", "a\nb", "x" * 65, "\u00e9", ""])
def test_what_a_proxy_forwards_is_no_field_unless_it_is_plain(
    caplog: pytest.LogCaptureFixture, client: str
) -> None:
    with caplog.at_level(logging.INFO, "lorgnette.access"):
        log_response("GET", "/", 200, 0.0123, "id", client=client)
    assert caplog.messages == ["GET / 200 12.3 ms - - - id"]


class BlockingStream(io.StringIO):
    """A stream whose reader does not read until ``open`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def write(self, text: str) -> int:
        self.open.wait(30)
        return super().write(text)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingStream]:
    stream = BlockingStream()
    monkeypatch.setattr(sys, "stderr", stream)
    yield stream
    stream.open.set()


@pytest.fixture
def handler(stream: BlockingStream) -> Iterator[BackgroundHandler]:
    handler = BackgroundHandler()
    yield handler
    stream.open.set()
    handler.close()


def record(number: int) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "line %d", "args": (number,)})


def test_a_line_does_not_wait_for_its_reader(
    handler: BackgroundHandler, stream: BlockingStream
) -> None:
    for number in range(100):
        handler.handle(record(number))  # a call that waited would never return
    assert stream.getvalue() == ""
    assert not handler.flush_within(0.05)
    stream.open.set()
    assert handler.flush_within(30)
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_lines_beyond_the_queue_are_dropped_and_counted(
    handler: BackgroundHandler, stream: BlockingStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_QUEUED_RECORDS", 10)
    handler.handle(record(0))
    wait_until(lambda: handler._records.empty())  # the thread has taken it, and waits
    for number in range(1, 31):
        handler.handle(record(number))
    stream.open.set()
    assert handler.flush_within(30)
    handler.handle(record(31))
    assert handler.flush_within(30)
    *before, dropped, last = stream.getvalue().splitlines()
    assert before == [f"line {number}" for number in range(11)]
    assert dropped.startswith("20 log lines before this one were dropped")
    assert last == "line 31"


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_lines_are_written_before_the_process_exits_at_once() -> None:
    """``os._exit`` ends a process whose model thread hangs; its last lines say why."""
    source = (
        "import logging.config, os; from app.observability import logs;"
        "logging.config.dictConfig(logs.config('text', 'info'));"
        "[logging.getLogger('lorgnette').info('line %d', n) for n in range(1000)];"
        "assert logs.flush(); os._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True)
    written = [line.rpartition(" INFO ")[2] for line in done.stderr.splitlines()]
    assert written == [f"line {number}" for number in range(1000)]


def test_the_second_signal_ends_the_process_with_its_lines(models: Path) -> None:
    with (
        running(MODELS=str(models / "tiny")) as (process, client),
        socket.create_connection((client.base_url.host, client.base_url.port or 0)) as waiting,
    ):
        waiting.sendall(
            b"POST /sample HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
            b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        assert waiting.recv(1000).startswith(b"HTTP/1.1 100 ")  # it waits for the body
        ok(client.get("/health/live", headers={"X-Request-ID": "the-last"}))
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: not connects(client))
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 128 + signal.SIGTERM
        assert any(line.endswith(" the-last") for line in output.splitlines())


def connects(client: httpx.Client) -> bool:
    try:
        httpx.get(f"{client.base_url}/health/live")
    except httpx.TransportError:
        return False
    return True


def test_a_log_that_is_not_read_stops_no_request(models: Path) -> None:
    """A pipe takes 64 KiB; a server that writes more than that to it itself would wait."""
    with running(MODELS=str(models / "tiny")) as (process, client):
        for _ in range(1200):
            ok(client.get("/health/live", headers={"X-Request-ID": "x" * 128}))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
