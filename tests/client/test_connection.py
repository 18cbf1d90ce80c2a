"""Address and key of a client; responses that are not of Lorgnette."""

from typing import Any

import pytest

from lorgnette_client import Client, LorgnetteError, __version__
from lorgnette_client.connection import connection
from tests.client.conftest import Caller
from tests.client.stub_server import Reply, stub_server

MODELS = Reply(200, body=b'{"models": []}')


def test_the_environment_is_the_default(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with stub_server(MODELS) as server:
        monkeypatch.setenv("LORGNETTE_URL", server.url)
        monkeypatch.setenv("LORGNETTE_API_KEY", "secret")
        empty: Any = None
        caller(empty, "models")
    [(_, _, headers, _)] = server.received
    assert headers["Authorization"] == "Bearer secret"
    assert headers["User-Agent"] == f"lorgnette-client/{__version__}"


def test_arguments_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORGNETTE_URL", "http://elsewhere")
    monkeypatch.setenv("LORGNETTE_API_KEY", "other")
    found = connection("https://here/lorgnette", "mine")
    assert str(found.base_url) == "https://here/lorgnette"
    assert found.headers["Authorization"] == "Bearer mine"


def test_without_either_the_service_is_on_this_machine_and_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LORGNETTE_URL", "LORGNETTE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    found = connection(None, None)
    assert str(found.base_url) == "http://127.0.0.1:8000"
    assert "Authorization" not in found.headers


def test_a_service_below_a_path(caller: Caller) -> None:
    with stub_server(MODELS, MODELS) as server:
        caller(f"{server.url}/lorgnette", "models")
        caller(f"{server.url}/lorgnette/", "models")
    assert [path for _, path, _, _ in server.received] == ["/lorgnette/models"] * 2


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://here", "http://", "http://here:port", "here"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        Client(url)


def test_a_key_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="API key"):
        Client("http://here", api_key="a\nb")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {"Content-Type": "text/html"}, b"<html>"),
        Reply(200, body=b"[]"),
        Reply(200, body=b'{"models": [{}]}'),
    ],
)
def test_a_response_of_something_else_is_an_error(caller: Caller, reply: Reply) -> None:
    with stub_server(reply) as server, pytest.raises(LorgnetteError) as caught:
        caller(server.url, "models")
    assert caught.value.status == 200
    assert "not one of Lorgnette's" in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"type": "a", "detail": "b", "errors": 3}']
)
def test_an_error_of_something_else_is_named_by_its_status(caller: Caller, body: bytes) -> None:
    reply = Reply(502, {"Content-Type": "application/problem+json"}, body)
    with stub_server(reply) as server, pytest.raises(LorgnetteError) as caught:
        caller(server.url, "models")
    assert str(caught.value) == f"{server.url}/models: 502 Bad Gateway"
