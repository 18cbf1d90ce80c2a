import asyncio
import re
import socket
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from httpx import Client

from app.application import create_app
from app.settings import Settings
from tests.app.conftest import ok, problem, serving

NEW_ID = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("given", ["mine-1", "~!{}<>", "x" * 128])
def test_an_answer_has_the_id_of_its_request(client: Client, given: str) -> None:
    for method, path in (("GET", "/health/live"), ("POST", "/sample"), ("GET", "/nowhere")):
        response = client.request(method, path, headers={"X-Request-ID": given})
        assert response.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "x" * 129, "é"])
def test_an_id_that_is_not_plain_is_replaced(client: Client, given: str) -> None:
    headers = {b"X-Request-ID": given.encode()}
    response = ok(client.get("/health/live", headers=headers))
    assert NEW_ID.fullmatch(response.headers["x-request-id"])
    body = problem(client.get("/nowhere", headers=headers), 404)
    assert NEW_ID.fullmatch(body["instance"])


def test_an_id_adds_no_header(client: Client) -> None:
    """Each byte that could end a line, by a socket, since an honest client would not send it."""
    for hostile in (b"a\r\n b", b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a\0b", b"a\x7fb"):
        with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as raw:
            raw.settimeout(30)
            raw.sendall(
                b"GET /health/live HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
                b"X-Request-ID: " + hostile + b"\r\n\r\n"
            )
            response = b"".join(iter(lambda raw=raw: raw.recv(65536), b""))  # type: ignore[misc]
        assert response.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
        assert b"evil" not in response.lower()


def test_new_ids_differ(client: Client) -> None:
    ids = {client.get("/health/live").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


def startup(settings: Settings) -> list[MutableMapping[str, Any]]:
    """What the application says to a server that starts it and stops it again."""
    messages: list[MutableMapping[str, Any]] = []
    events = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> MutableMapping[str, Any]:
        return next(events)

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    async def run() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        await create_app(settings)(scope, receive, send)

    with suppress(Exception):  # which it raises again after it has sent the message
        asyncio.run(run())
    return messages


def test_it_starts_and_stops(settings: Callable[..., Settings]) -> None:
    types = [message["type"] for message in startup(settings())]
    assert types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def failure(settings: Settings) -> str:
    [message] = startup(settings)
    assert message["type"] == "lifespan.startup.failed"
    reason: str = message["message"]
    assert len(reason.splitlines()) == 1
    return reason


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none", "none/model.safetensors: no such checkpoint"),
        ("none.safetensors", "none.safetensors: no such checkpoint"),
        ("empty.safetensors", "truncated, or not a safetensors file"),
        ("pickle.safetensors", "pickle"),
    ],
)
def test_the_reason_why_a_model_cannot_load_is_reported(
    tmp_path: Path, path: str, reason: str
) -> None:
    (tmp_path / "empty.safetensors").touch()
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x02}q\x00.")
    message = failure(Settings(models=(str(tmp_path / path),), device="cpu"))
    assert str(tmp_path / path) in message
    assert reason in message


def test_a_classifier_that_cannot_be_read_is_named(models: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes((models / "tiny/model.safetensors").read_bytes())
    file = tmp_path / "auxiliary_classifier.safetensors"
    file.write_bytes(b"no safetensors")
    message = failure(Settings(models=(str(tmp_path),), device="cpu"))
    assert f"{file}: no classifier can be read from it (truncated" in message


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_named(settings: Callable[..., Settings]) -> None:
    assert "cuda" in failure(settings(device="cuda"))


def test_a_model_is_named_after_its_folder_or_file(
    models: Path, tmp_path: Path, settings: Callable[..., Settings]
) -> None:
    data = (models / "tiny/model.safetensors").read_bytes()
    for path in ("v1.5/model.safetensors", "v1.6.safetensors", "a b/model.safetensors"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    paths = tuple(str(tmp_path / name) for name in ("v1.5/", "v1.6.safetensors", "a b"))
    with serving(settings(models=paths)) as client:
        listed = ok(client.get("/models")).json()["models"]
        assert [model["name"] for model in listed] == ["v1.5", "v1.6", "a b"]
        for model in listed:
            response = ok(client.post("/sample", params={"model": model["name"]}))
            assert response.headers["lorgnette-model"] == model["id"]


def test_two_models_of_one_name_are_refused(
    models: Path, tmp_path: Path, settings: Callable[..., Settings]
) -> None:
    other = tmp_path / "tiny.safetensors"
    other.write_bytes((models / "tiny/model.safetensors").read_bytes())
    message = failure(settings(models=(str(models / "tiny"), str(other))))
    assert f"{other}: another model is named 'tiny'" in message


@pytest.mark.parametrize("name", ["brüllen", "眼鏡"])
def test_a_name_that_fits_no_header_is_refused(
    models: Path, tmp_path: Path, settings: Callable[..., Settings], name: str
) -> None:
    other = tmp_path / f"{name}.safetensors"
    other.write_bytes((models / "tiny/model.safetensors").read_bytes())
    assert name in failure(settings(models=(str(other),)))
