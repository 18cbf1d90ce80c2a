"""Requests that are sent again: by the policy alone, and against a server that is busy at first."""

import json
from typing import Any

import httpx
import pytest

from lorgnette_client import Client, LorgnetteError, Retries, calls
from lorgnette_client.retries import retry_after
from tests.app.processes import free_port
from tests.client.conftest import Caller
from tests.client.stub_server import Reply, stub_server

NOW = 1_700_000_000.0
MODELS = Reply(200, body=b'{"models": []}')
BUSY = Reply(
    503,
    {"Content-Type": "application/problem+json", "Retry-After": "0"},
    json.dumps(
        {"type": "urn:lorgnette:queue-full", "detail": "full", "instance": "a1", "status": 503}
    ).encode(),
)
RATE = Reply(429, {"Retry-After": "0"})
CLOSED = Reply(0)


def response(status: int, wait: str | None = None) -> httpx.Response:
    return httpx.Response(status, headers={} if wait is None else {"Retry-After": wait})


@pytest.mark.parametrize("first", [[BUSY], [RATE], [BUSY, RATE, BUSY]])
def test_a_busy_service_is_called_again(caller: Caller, first: list[Reply]) -> None:
    with stub_server(*first, MODELS) as server:
        assert caller(server.url, "models") == ()
        assert len(server.received) == len(first) + 1


def test_a_request_is_sent_again_as_it_was(caller: Caller) -> None:
    with stub_server(BUSY, Reply(200, body=b'{"images": []}')) as server:
        caller(server.url, "faces", b"an image")
    (method, path, _, first), (*again, _, second) = server.received
    assert [method, path] == again == ["POST", "/faces?format=json"]
    parts = [body.split(b"\r\n", 1)[1].rsplit(b"\r\n--", 1)[0] for body in (first, second)]
    assert parts[0] == parts[1]
    assert b"an image" in parts[0]


def test_the_last_error_is_raised(caller: Caller) -> None:
    with stub_server(*[BUSY] * 5) as server:
        with pytest.raises(LorgnetteError, match="full") as caught:
            caller(server.url, "models")
        assert len(server.received) == 5
    assert (caught.value.status, caught.value.request_id) == (503, "a1")


def test_a_wait_beyond_the_total_time_is_the_error_at_once(caller: Caller) -> None:
    with stub_server(Reply(503, {"Retry-After": "3600"})) as server:
        with pytest.raises(LorgnetteError):
            caller(server.url, "models")
        assert len(server.received) == 1


def test_other_errors_are_not_sent_again(caller: Caller) -> None:
    with stub_server(Reply(500)) as server, pytest.raises(LorgnetteError) as caught:
        caller(server.url, "models")
    assert (caught.value.status, caught.value.type) == (500, "about:blank")


def test_a_service_that_is_not_ready_is_no_error(caller: Caller) -> None:
    with stub_server(BUSY) as server:
        assert caller(server.url, "ready") is False


@pytest.mark.parametrize("at_most", [1, 3])
def test_the_attempts_can_be_limited(at_most: int) -> None:
    with stub_server(*[BUSY] * 3) as server:
        client = Client(server.url, retries=Retries(attempts=at_most))
        with client, pytest.raises(LorgnetteError):
            client.models()
        assert len(server.received) == at_most


def test_a_broken_connection_is_made_again(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorgnette_client.retries.FIRST_DELAY", 0.0)
    with stub_server(CLOSED, MODELS) as server:
        assert caller(server.url, "models") == ()


def test_but_not_where_a_second_request_has_another_result(caller: Caller) -> None:
    with stub_server(CLOSED) as server:
        with pytest.raises(httpx.TransportError):
            caller(server.url, "delete_direction", "mine")
        assert len(server.received) == 1


def test_a_service_that_is_not_there_is_named(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lorgnette_client.retries.FIRST_DELAY", 0.0)
    with pytest.raises(httpx.ConnectError):
        caller(f"http://127.0.0.1:{free_port()}", "models")


@pytest.mark.parametrize(
    ("outcome", "attempt", "elapsed", "expected"),
    [
        (response(503, "7"), 1, 0.0, 7.0),
        (response(503), 1, 0.0, 0.5),
        (response(503), 3, 0.0, 2.0),
        (response(429, "7"), 4, 0.0, 7.0),
        (response(429, "7"), 5, 0.0, None),
        (response(503, "7"), 1, 54.0, None),
        (response(504, "7"), 1, 0.0, None),
        (httpx.ConnectTimeout(""), 2, 0.0, 1.0),
        (httpx.ReadError(""), 1, 0.0, 0.5),
        (httpx.ReadTimeout(""), 1, 0.0, None),
        (httpx.UnsupportedProtocol(""), 1, 0.0, None),
    ],
)
def test_the_delay(outcome: Any, attempt: int, elapsed: float, expected: float | None) -> None:
    assert Retries().delay(calls.models(), outcome, attempt, elapsed) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    assert retry_after(response(503, value), NOW) == expected


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"seconds": -1.0}])
def test_a_policy_without_an_attempt_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="attempts must be 1 or more"):
        Retries(**wrong)
