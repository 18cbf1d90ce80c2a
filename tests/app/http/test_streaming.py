"""Responses that leave while their images are still being decoded."""

import asyncio
import io
import socket
import zipfile
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.types import Message

from app.http.context import SCOPE_KEY, RequestContext
from app.http.streaming import StreamedResponse
from app.inference.engine import DecoderInput, Engine
from app.inference.errors import OutOfMemoryError
from app.observability.metrics import Metrics
from app.settings import Settings
from tests.app import asgi
from tests.app.conftest import DIM, Pixels, ok, problem, serving
from tests.app.inference.batches import until

Build = Callable[..., Settings]
JSON = "application/json"
NO_MEMORY, UNLUCKY = 13, 14  # first values of latents at which a decode fails
ERRORS = {NO_MEMORY: OutOfMemoryError("no memory"), UNLUCKY: ValueError("unlucky")}


def decoded_count(app: FastAPI) -> float:
    """How many latents were decoded."""
    labels = '{model="tiny",operation="decode"}'
    for line in app.state.metrics.text().decode().splitlines():
        if line.startswith(f"lorgnette_batch_size_sum{labels}"):
            return float(line.split()[-1])
    return 0


async def check_order_of_events(app: FastAPI, name: str, first: int) -> None:
    """The first bytes leave before the last image is decoded.

    As long as nobody takes them, two groups are decoded: the first, and one of two images.
    """
    before = decoded_count(app)
    counts: list[float] = []

    async def on_part(_: asgi.Reply) -> None:
        if not counts:
            await until(lambda: decoded_count(app) - before == first + 2)
        counts.append(decoded_count(app) - before)

    reply = await asgi.Client(app).post(f"/sample?format={name}", b'{"n": 8}', JSON, on_part)
    assert (reply.status, reply.complete) == (200, True)
    assert counts[0] == first + 2
    assert counts[-1] == 8


async def check_disconnect(app: FastAPI) -> None:
    """What a client does not wait for is not decoded."""
    before, client = decoded_count(app), asgi.Client(app)

    async def on_part(_: asgi.Reply) -> None:
        client.gone.set()
        await asyncio.Event().wait()

    reply = await client.post("/sample?format=zip", b'{"n": 64}', JSON, on_part)
    assert (reply.status, reply.complete) == (200, False)
    assert app.state.service.models.get("tiny").decoder.waiting == 0
    assert decoded_count(app) - before <= 3


def test_images_are_decoded_while_the_response_leaves(settings: Build, models: Path) -> None:
    async def scenario() -> None:
        async with asgi.started(settings(models=(str(models / "tiny"),))) as app:
            for name, first in (("zip", 1), ("apng", 1), ("gif", 4)):
                await check_order_of_events(app, name, first)
            await check_disconnect(app)
            reply = await asgi.Client(app).post("/sample?format=zip", b"", JSON)
            assert reply.complete

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def broken_client(settings: Build, models: Path) -> Iterator[httpx.Client]:
    """Of a server whose decoder fails at some latents."""
    decode_many = Engine.decode_many

    def broken(engine: Engine, inputs: list[DecoderInput]) -> list[Pixels]:
        for item in inputs:
            if (value := int(item.latent[0])) in ERRORS:
                raise ERRORS[value]
        return decode_many(engine, inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "decode_many", broken)
        with serving(settings(models=(str(models / "tiny"),))) as client:
            yield client


def latents(*values: int) -> dict[str, list[list[int]]]:
    return {"latents": [[value] + (DIM - 1) * [0] for value in values]}


def read_all(response: httpx.Response, received: list[bytes]) -> None:
    received.extend(response.iter_bytes())


@pytest.mark.parametrize("name", ["zip", "gif", "apng"])
@pytest.mark.parametrize("value", [NO_MEMORY, UNLUCKY])
def test_an_error_in_the_middle_cuts_the_response_off(
    broken_client: httpx.Client, caplog: pytest.LogCaptureFixture, name: str, value: int
) -> None:
    url, headers = f"/decode?format={name}", {"X-Request-ID": "cut"}
    body = latents(1, 2, 3, 4, 5, value, 6)
    received: list[bytes] = []
    with broken_client.stream("POST", url, json=body, headers=headers) as response:
        assert response.status_code == 200
        assert "content-length" not in response.headers
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            read_all(response, received)
    assert received
    assert "request cut" in caplog.text
    was_expected = "was cut off: out-of-memory: no memory" in caplog.text
    assert was_expected == (value == NO_MEMORY)
    if was_expected:
        counted = 'lorgnette_http_errors_total{type="out-of-memory"}'
        assert counted in broken_client.get("/metrics").text


@pytest.mark.parametrize(("value", "status"), [(NO_MEMORY, 503), (UNLUCKY, 500)])
def test_an_error_at_the_first_image_is_a_problem(
    broken_client: httpx.Client, value: int, status: int
) -> None:
    problem(broken_client.post("/decode?format=zip", json=latents(value, 1)), status)
    ok(broken_client.post("/decode?format=zip", json=latents(1, 2)))


def test_http_1_0_gets_the_whole_response_with_its_length(client: httpx.Client) -> None:
    address = urlsplit(str(client.base_url))
    head = b"POST /sample?format=zip HTTP/1.0\r\nContent-Type: application/json\r\n"
    body = b'{"n": 3, "seed": 1}'
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        with connection.makefile("rb") as stream:
            headers, _, received = stream.read().partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(received) in headers.lower()
    assert b"transfer-encoding" not in headers.lower()
    with zipfile.ZipFile(io.BytesIO(received)) as archive:
        assert len(archive.namelist()) == 3
        Image.open(io.BytesIO(archive.read("001.png"))).load()


def test_a_streamed_response_has_the_headers_of_others(client: httpx.Client) -> None:
    headers = {"X-Request-ID": "mine"}
    with client.stream("POST", "/sample?format=zip", json={"seed": 7}, headers=headers) as response:
        assert response.headers["transfer-encoding"] == "chunked"
        assert response.headers["x-request-id"] == "mine"
        assert response.headers["lorgnette-seed"] == "7"
        assert response.headers["lorgnette-model"].startswith("tiny@")
        assert response.headers["vary"] == "Accept"
        assert "model;dur=" in response.headers["server-timing"]
        assert response.headers["x-content-type-options"] == "nosniff"


async def sent_by(response: StreamedResponse, app: FastAPI) -> list[Message]:
    """What a response sends to a client that stays."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("the client stays")

    scope = {"type": "http", "app": app, SCOPE_KEY: RequestContext("cut")}
    await response(scope, receive, send)
    return messages


def test_a_response_that_is_late_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[bool] = []

    async def parts() -> AsyncGenerator[bytes, None]:
        try:
            yield b"2"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    app = FastAPI()
    app.state.metrics = Metrics()
    response = StreamedResponse(b"1", parts(), 0.01, {}, "image/gif")
    messages = asyncio.run(sent_by(response, app))
    assert [message.get("body") for message in messages] == [None, b"1", b"2"]
    assert messages[-1]["more_body"]
    assert closed == [True]
    assert "request cut was cut off: deadline" in caplog.text
    assert 'lorgnette_http_errors_total{type="deadline"} 1.0' in app.state.metrics.text().decode()
