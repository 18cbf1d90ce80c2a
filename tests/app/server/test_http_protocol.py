"""What proxies and clients do on a connection, byte by byte."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from app.application import create_app
from app.server.run import server_config
from app.settings import Settings
from tests.app.conftest import ok

Address = tuple[str, int]
Build = Callable[..., Settings]

BODY = b'{"n":4,"seed":3}'
HEAD = b"POST /sample?format=json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
REQUEST = HEAD + LENGTH + b"\r\n" + BODY


@contextmanager
def listening(app: FastAPI, settings: Settings) -> Iterator[Address]:
    """The application behind the server that ``python -m app`` runs, on a thread."""
    server = uvicorn.Server(server_config(app, settings))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def app(settings: Build) -> FastAPI:
    return create_app(published(settings))


def published(settings: Build) -> Settings:
    """Behind a proxy."""
    return settings(
        port=0, keep_alive_seconds=30, root_path="/faces", trusted_proxies=("127.0.0.0/8",)
    )


@pytest.fixture(scope="module")
def address(app: FastAPI, settings: Build) -> Iterator[Address]:
    with listening(app, published(settings)) as address:
        yield address


def said(address: Address, *pieces: bytes, half_close: bool = False) -> bytes:
    """All that the server sends to these pieces until it closes the connection."""
    with socket.create_connection(address, timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def statuses(said: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d+) ", said)


def seeds(said: bytes) -> Any:
    """Of the first response."""
    body = said.partition(b"\r\n\r\n")[2]
    return json.JSONDecoder().raw_decode(body.decode("latin-1"))[0]["seeds"]


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + LENGTH + UPGRADE + b"\r\n" + BODY + LAST,),
        (HEAD + LENGTH + UPGRADE + b"\r\n", BODY, LAST),
        (HEAD + LENGTH + UPGRADE + b"\r\n" + BODY[:5], BODY[5:] + LAST),
        (HEAD + LENGTH + UPGRADE[:30], UPGRADE[30:] + b"\r\n" + BODY + LAST),
        (
            HEAD + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + BODY + b"\r\n",
            b"0\r\n\r\n" + LAST,
        ),
    ],
)
def test_an_upgrade_is_ignored_and_the_body_counts(
    address: Address, pieces: tuple[bytes, ...]
) -> None:
    response = said(address, *pieces)
    assert statuses(response) == [b"200", b"200"]
    assert seeds(response) == [3, 4, 5, 6]


def test_a_websocket_is_served_as_what_it_asks_for_besides(address: Address) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    get = b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + upgrade
    assert statuses(said(address, get + LAST)) == [b"200", b"200"]


def test_headers_of_an_upgrade_have_their_limit(address: Address) -> None:
    long = b"A: " + b"b" * 70_000 + b"\r\n\r\n"
    assert statuses(said(address, HEAD + UPGRADE + long)) == [b"431"]


def test_a_half_closed_connection_gets_its_response(address: Address) -> None:
    response = said(address, REQUEST, half_close=True)
    assert statuses(response) == [b"200"]
    assert seeds(response) == [3, 4, 5, 6]
    pipelined = LAST.replace(b"close", b"keep-alive") * 3
    assert statuses(said(address, pipelined, half_close=True)) == [b"200"] * 3


def test_a_request_that_is_cut_off_gets_none(address: Address) -> None:
    assert said(address, REQUEST[:-1], half_close=True) == b""
    assert said(address, HEAD, half_close=True) == b""


def slow(app: FastAPI, monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[str]:
    """Let readiness take long; what became of each request."""
    ends: list[str] = []

    async def check_ready() -> None:
        try:
            await asyncio.sleep(seconds)
            ends.append("done")
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    monkeypatch.setattr(app.state.service.models, "check_ready", check_ready)
    return ends


READY = b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_half_closed_connection_waits_for_a_slow_response(
    app: FastAPI, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = slow(app, monkeypatch, 1.5)
    assert statuses(said(address, READY, half_close=True)) == [b"102", b"200"]
    assert ends == ["done"]


def test_the_work_of_a_client_that_is_gone_is_dropped(
    app: FastAPI, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = slow(app, monkeypatch, 25)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(READY)
        time.sleep(0.1)
    for _ in range(1000):
        if ends:
            break
        time.sleep(0.02)
    assert ends == ["cancelled"]


def test_an_idle_connection_is_kept_as_long_as_is_set(app: FastAPI, settings: Build) -> None:
    assert server_config(app, published(settings)).timeout_keep_alive == 30


def test_the_document_names_the_path_of_the_proxy(address: Address) -> None:
    with httpx.Client(base_url="http://{}:{}".format(*address)) as client:
        assert ok(client.get("/openapi.json")).json()["servers"] == [{"url": "/faces"}]
        ok(client.post("/sample"))
        assert client.get("/nothing").status_code == 404


@pytest.mark.parametrize(
    ("proxies", "client", "scheme"),
    [
        (("127.0.0.0/8",), "203.0.113.7", "https"),
        (("10.0.0.1",), "127.0.0.1", "http"),
        ((), "127.0.0.1", "http"),
    ],
)
def test_forwarded_headers_are_believed_of_named_proxies_alone(
    settings: Build, proxies: tuple[str, ...], client: str, scheme: str
) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("not supported")
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    bare: Any = app
    with listening(bare, settings(port=0, trusted_proxies=proxies)) as address:
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        ok(httpx.get("http://{}:{}".format(*address), headers=headers))
    assert (scopes[0]["client"][0], scopes[0]["scheme"]) == (client, scheme)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trusted_proxies", "example.org"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "*"),
        ("root_path", "faces"),
        ("root_path", "/faces/"),
        ("keep_alive_seconds", "0"),
    ],
)
def test_a_setting_of_a_proxy_is_checked(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.model_validate({name: value})
