"""What a real server does when it is asked for too much, and by clients that do not wait."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from torch import Tensor

from app.inference.engine import Engine
from app.settings import Settings
from tests.app.conftest import Pixels, ok, problem, serving

Build = Callable[..., Settings]
JSON = {"Content-Type": "application/json"}


class SlowEngine:
    """Decodes as ever, but only once ``open`` is set; notes how many latents each batch had."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        self.sizes: list[int] = []
        self.pace = 0.0  # seconds
        decode_many = Engine.decode_many

        def slow(engine: Engine, latents: list[Tensor]) -> list[Pixels]:
            self.sizes.append(len(latents))
            assert self.open.wait(20)
            time.sleep(self.pace)
            return decode_many(engine, latents)

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


def test_a_request_out_of_time_is_given_up_and_leaves_the_queue(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_server(monkeypatch, settings(request_timeout_seconds=0.3)) as (client, engine):
        with ThreadPoolExecutor(2) as crowd:
            first = crowd.submit(client.post, "/sample", json={"n": 1})
            until(lambda: engine.sizes == [1])
            late = crowd.submit(client.post, "/sample", json={"n": 5})
            problem(late.result(), 504, "not answered within 0.3 seconds")
            problem(first.result(), 504)
        engine.open.set()
        ok(client.post("/sample", json={"n": 2}))
        assert engine.sizes == [1, 2]  # the five were never run


def test_a_client_that_hangs_up_costs_no_batch(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_server(monkeypatch, settings()) as (client, engine):
        with ThreadPoolExecutor(2) as crowd:
            first = crowd.submit(client.post, "/sample", json={"n": 1})
            until(lambda: engine.sizes == [1])
            with pytest.raises(httpx.ReadTimeout):
                client.post("/sample", json={"n": 5}, timeout=0.3)
            time.sleep(0.1)
            engine.open.set()
            ok(first.result())
        ok(client.post("/sample", json={"n": 2}))
        assert engine.sizes == [1, 2]


def test_a_body_that_does_not_come_is_not_waited_for(settings: Build) -> None:
    with serving(settings(request_timeout_seconds=0.3)) as client:
        address = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(address, timeout=10) as connection:
            head = "POST /sample HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            answer = connection.recv(65536).decode()
        assert answer.startswith("HTTP/1.1 408")
        assert "no whole body within 0.3 seconds" in answer
        ok(client.post("/sample"))


def test_all_who_ask_for_readiness_wait_for_one_picture(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_server(monkeypatch, settings()) as (client, engine):
        with ThreadPoolExecutor(20) as crowd:
            asked = [crowd.submit(client.get, "/health/ready") for _ in range(20)]
            until(lambda: engine.sizes == [1])
            time.sleep(0.2)
            engine.open.set()
            for answer in asked:
                ok(answer.result())
        assert len(engine.sizes) < 5


def test_bodies_have_so_much_memory_and_no_more(settings: Build) -> None:
    with serving(settings(max_total_body_bytes=4096)) as client:
        address = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(address, timeout=10) as connection:
            head = "POST /sample HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 4000\r\n\r\n".encode() + b" " * 3000)

            def refused() -> bool:
                answer = client.post("/sample", content=b" " * 2000 + b"{}", headers=JSON)
                if answer.status_code == 503:
                    problem(answer, 503, "4096 is the limit")
                    assert answer.headers["retry-after"] == "1"
                return answer.status_code == 503

            until(refused)
            ok(client.post("/sample"))
        until(lambda: not refused())


def test_one_large_request_does_not_hold_up_small_ones(
    settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_server(monkeypatch, settings(max_batch=1)) as (client, engine):
        engine.pace = 0.02
        with ThreadPoolExecutor(3) as crowd:
            large = crowd.submit(client.post, "/sample", json={"n": 64})
            until(lambda: engine.sizes == [1])
            small = [crowd.submit(client.post, "/sample", json={"seed": i}) for i in range(2)]
            time.sleep(0.2)
            engine.open.set()
            ran = [(ok(s.result()), len(engine.sizes))[1] for s in small]
            ok(large.result())
        assert max(ran) < 60
