"""A real server under overload, and with clients that do not wait."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from PIL import Image

from app.images import decoding
from app.inference import readiness
from app.inference.engine import DecoderInput, Engine
from app.settings import Settings
from tests.app.conftest import Pixels, file, ok, problem, random_image, serving, text
from vae.preprocessing import Fit, to_square

Build = Callable[..., Settings]
JSON = {"Content-Type": "application/json"}


class SlowEngine:
    """Decodes as usual, but only while ``open`` is set; records the size of each batch."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        self.sizes: list[int] = []
        self.pace = 0.0  # seconds for each batch
        decode_many = Engine.decode_many

        def slow(engine: Engine, inputs: list[DecoderInput]) -> list[Pixels]:
            self.sizes.append(len(inputs))
            assert self.open.wait(20)
            time.sleep(self.pace)
            return decode_many(engine, inputs)

        patch.setattr(Engine, "decode_many", slow)


@contextmanager
def slow_server(
    patch: pytest.MonkeyPatch, settings: Settings
) -> Iterator[tuple[httpx.Client, SlowEngine]]:
    engine = SlowEngine(patch)
    with serving(settings) as client:
        engine.open.clear()
        engine.sizes.clear()
        try:
            yield client, engine
        finally:
            engine.open.set()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_request_that_exceeds_its_deadline_leaves_the_queue(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_server(monkeypatch, settings(request_timeout_seconds=0.3)) as (client, engine):
        with ThreadPoolExecutor(2) as clients:
            first = clients.submit(client.post, "/sample", json={"n": 1})
            until(lambda: engine.sizes == [1])
            late = clients.submit(client.post, "/sample", json={"n": 5})
            problem(late.result(), 504, "no response within 0.3 seconds")
            problem(first.result(), 504)
        engine.open.set()
        ok(client.post("/sample", json={"n": 2}))
        assert engine.sizes == [1, 2]  # the five were never run


def test_the_request_of_a_client_that_disconnects_leaves_the_queue(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_server(monkeypatch, settings()) as (client, engine):
        with ThreadPoolExecutor(2) as clients:
            first = clients.submit(client.post, "/sample", json={"n": 1})
            until(lambda: engine.sizes == [1])
            with pytest.raises(httpx.ReadTimeout):
                client.post("/sample", json={"n": 5}, timeout=0.3)
            time.sleep(0.1)
            engine.open.set()
            ok(first.result())
        ok(client.post("/sample", json={"n": 2}))
        assert engine.sizes == [1, 2]


def test_a_body_that_does_not_arrive_times_out(settings: Build) -> None:
    with serving(settings(request_timeout_seconds=0.3)) as client:
        address = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(address, timeout=10) as connection:
            head = "POST /sample HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            response = connection.recv(65536).decode()
        assert response.startswith("HTTP/1.1 408")
        assert "the body was not received within 0.3 seconds" in response
        ok(client.post("/sample"))


def test_a_server_with_a_full_queue_is_ready(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = settings(max_batch=1, max_queue=64)
    with slow_server(monkeypatch, full) as (client, engine):
        with ThreadPoolExecutor(2) as clients:
            first = clients.submit(client.post, "/sample", json={"n": 1})
            until(lambda: engine.sizes == [1])
            waiting = clients.submit(client.post, "/sample", json={"n": 64})
            depth = 'lorgnette_queue_depth{model="tiny",operation="decode"} 64.0'
            until(lambda: depth in client.get("/metrics").text)
            problem(client.post("/sample"), 503, "64 images are waiting")
            ok(client.get("/health/ready"))
            engine.open.set()
            ok(first.result())
            ok(waiting.result())
        assert engine.sizes == [1] * 65  # none of them for readiness


def test_a_model_that_does_not_respond_is_not_ready(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "MAX_SUCCESS_AGE_SECONDS", 0.2)
    monkeypatch.setattr(readiness, "CANARY_TIMEOUT_SECONDS", 0.2)
    with slow_server(monkeypatch, settings()) as (client, engine):
        time.sleep(0.3)
        problem(client.get("/health/ready"), 503, "no test image was decoded within 0.2 seconds")
        engine.open.set()
        until(lambda: client.get("/health/ready").status_code == 200)


def test_uploads_of_one_request_do_not_delay_small_responses(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    decodes: list[int] = []

    def slow(image: Image.Image, size: int, channels: int, fit: Fit = "crop") -> Pixels:
        decodes.append(size)
        time.sleep(0.02)
        return to_square(image, size, channels, fit)

    monkeypatch.setattr(decoding, "to_square", slow)
    images = [text(file(random_image(0)))] * 64
    with serving(settings(image_threads=1)) as client, ThreadPoolExecutor(1) as clients:
        ok(client.post("/sample"))
        upload = clients.submit(client.post, "/encode", json={"image": images})
        until(lambda: len(decodes) > 0)
        for seed in range(3):
            ok(client.post("/sample", json={"seed": seed}))
        assert len(decodes) < 32
        ok(upload.result())
        assert len(decodes) == 64


def test_the_memory_of_bodies_is_limited(settings: Build) -> None:
    with serving(settings(max_total_body_bytes=4096)) as client:
        address = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(address, timeout=10) as connection:
            head = "POST /sample HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 4000\r\n\r\n".encode() + b" " * 3000)

            def refused() -> bool:
                response = client.post("/sample", content=b" " * 2000 + b"{}", headers=JSON)
                if response.status_code == 503:
                    problem(response, 503, "the limit is 4096")
                    assert response.headers["retry-after"] == "1"
                return response.status_code == 503

            until(refused)
            ok(client.post("/sample"))
        until(lambda: not refused())


def test_a_large_request_does_not_delay_small_ones(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_server(monkeypatch, settings(max_batch=1)) as (client, engine):
        engine.pace = 0.02
        with ThreadPoolExecutor(3) as clients:
            large = clients.submit(client.post, "/sample", json={"n": 64})
            until(lambda: engine.sizes == [1])
            small = [clients.submit(client.post, "/sample", json={"seed": i}) for i in range(2)]
            time.sleep(0.2)
            engine.open.set()
            ran = [(ok(s.result()), len(engine.sizes))[1] for s in small]
            ok(large.result())
        assert max(ran) < 60
