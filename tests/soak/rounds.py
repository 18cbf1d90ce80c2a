"""Fault injection: each round injects a fault into a server under load and asserts the outcome."""

import asyncio
import base64
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.app.conftest import DIM, SIZE, apart, pixels, random_image, text
from tests.app.conftest import file as as_file
from tests.app.faulty import BROKEN_VALUE
from tests.soak.load import DISCONNECTED, Clients, Connection, Response, ask, statuses
from tests.soak.server import Server

GRACEFUL_SHUTDOWN_SECONDS = 10
INFERENCE_TIMEOUT_SECONDS = 3
SETTINGS = {
    "INFERENCE_TIMEOUT_SECONDS": str(INFERENCE_TIMEOUT_SECONDS),
    "GRACEFUL_SHUTDOWN_SECONDS": str(GRACEFUL_SHUTDOWN_SECONDS),
}
BROKEN_LATENT = [float(BROKEN_VALUE), *[0.0] * (DIM - 1)]
LATENT = [0.5] * DIM
IMAGES_PER_REQUEST = 8  # of the clients that disconnect
MAX_RUNNING_REQUESTS = 4  # such requests in the two hanging batches of at most 16 images
IMAGE = text(as_file(random_image(size=(SIZE, SIZE))))


@dataclass
class Context:
    """A server, the clients that load it, and a random generator."""

    server: Server
    clients: Clients
    rng: random.Random

    async def pause(self, least: float = 0.0, most: float = 0.4) -> None:
        await asyncio.sleep(self.rng.uniform(least, most))

    async def ask(self, path: str, body: object = None) -> Response:
        return await ask(self.server.port, path, body)

    async def decoded(self) -> Any:
        """The image of a latent that no fault affects."""
        response = await self.ask("/decode?format=json", {"latents": [LATENT]})
        assert response.status == 200, response
        return first_image(response)


def first_image(response: Response) -> Any:
    """The first image of a JSON response."""
    encoded = response.body.split(b'"images": ["', 1)[1].split(b'"', 1)[0]
    return pixels(base64.b64decode(encoded))


async def killed(context: Context) -> None:
    """A process that was killed serves again once it is restarted."""
    context.server.send_signal(signal.SIGKILL)
    assert await context.server.ended(10) == -signal.SIGKILL
    await context.server.start()


async def stopped(context: Context) -> None:
    """On SIGTERM accepted requests are finished, then the process exits with status 0."""
    server = context.server
    server.begin("hang")
    requests = [
        asyncio.create_task(context.ask("/encode", {"image": [IMAGE]}))
        for _ in range(context.rng.randint(1, 12))
    ]
    deadline = time.monotonic() + 30
    while await server.waiting("encode") + sum(task.done() for task in requests) < len(requests):
        assert time.monotonic() < deadline, "the requests are not accepted"
    server.send_signal(signal.SIGTERM)
    await context.pause()
    server.end("hang")
    responses = await asyncio.gather(*requests)
    assert {response.status for response in responses} == {200}, statuses(responses)
    assert await server.ended(GRACEFUL_SHUTDOWN_SECONDS + 5) == 0
    await server.start()


async def stopped_twice(context: Context) -> None:
    """A second SIGTERM ends the process at once."""
    server = context.server
    server.begin("hang")
    request = asyncio.create_task(context.ask("/sample", {}))
    await context.pause(0.2)
    server.send_signal(signal.SIGTERM)
    await context.pause(0.2)
    assert server.is_running, "it did not wait for the accepted request"
    started = time.monotonic()
    server.send_signal(signal.SIGTERM)
    assert await server.ended(5) == 128 + signal.SIGTERM
    assert time.monotonic() - started < 2
    assert (await request).status == DISCONNECTED
    server.end("hang")
    await server.start()


async def hung(context: Context) -> None:
    """A request whose model call hangs gets 503 in time."""
    context.server.begin("hang")
    response = await context.ask("/sample", {})
    context.server.end("hang")
    assert response.status == 503, response
    assert b"did not respond within" in response.body
    assert (response.retry_after or 0) > 0
    assert response.seconds < 3 * INFERENCE_TIMEOUT_SECONDS + 1


async def thread_lost(context: Context) -> None:
    """A model thread that died is replaced."""
    server, before = context.server, context.server.timeouts
    for _ in range(5):  # a thread that is in a call fails that call and lives on
        server.begin("die")
        deadline = time.monotonic() + 30
        while server.has("die"):
            assert time.monotonic() < deadline, "nothing is decoded"
            await asyncio.sleep(0.02)
        deadline = time.monotonic() + INFERENCE_TIMEOUT_SECONDS + 2
        while time.monotonic() < deadline:
            if server.timeouts > before:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the thread does not end")


async def no_memory(context: Context) -> None:
    """A batch that exceeds memory is run in parts."""
    context.server.begin("memory")
    await context.pause()
    responses = await asyncio.gather(*(context.ask("/sample", {"n": 7}) for _ in range(3)))
    context.server.end("memory")
    assert {response.status for response in responses} == {200}, statuses(responses)


async def bad_item(context: Context) -> None:
    """A broken item neither fails nor changes its batch neighbours."""
    expected = await context.decoded()
    context.server.begin("broken")
    good = [asyncio.create_task(context.decoded()) for _ in range(6)]
    bad = await context.ask("/decode", {"latents": [BROKEN_LATENT]})
    neighbours = await asyncio.gather(*good)
    context.server.end("broken")
    assert bad.status == 500, bad
    assert b"urn:lorgnette:internal" in bad.body
    assert max(apart(found, expected) for found in neighbours) <= 1


async def disconnected(context: Context) -> None:
    """Requests of clients that disconnect leave the queue before the model can run them."""
    server = context.server
    server.begin("hang")
    connections = [Connection(server.port) for _ in range(context.rng.randint(6, 20))]
    for connection in connections:
        await connection.send("/sample", {"n": IMAGES_PER_REQUEST})
    await _until(
        lambda depth: depth >= IMAGES_PER_REQUEST * (len(connections) - MAX_RUNNING_REQUESTS),
        server,
    )
    await context.pause()
    for connection in connections:
        connection.close()
    await _until(lambda depth: depth < IMAGES_PER_REQUEST, server)
    server.end("hang")


async def _until(enough: Callable[[float], bool], server: Server) -> None:
    deadline = time.monotonic() + 2 * INFERENCE_TIMEOUT_SECONDS
    while not enough(depth := await server.waiting("decode")):
        assert time.monotonic() < deadline, f"{depth} images wait"
        await asyncio.sleep(0.05)


Play = Callable[[Context], Awaitable[None]]

# What to play, and the statuses besides 200 that other clients may get meanwhile.
ROUNDS: dict[str, tuple[Play, set[int]]] = {
    "kill -9": (killed, {DISCONNECTED}),
    "SIGTERM": (stopped, {DISCONNECTED, 503}),
    "second signal": (stopped_twice, {DISCONNECTED, 503}),
    "hung call": (hung, {503}),
    "dead thread": (thread_lost, {500, 503}),
    "no memory": (no_memory, set()),
    "bad item": (bad_item, set()),
    "clients gone": (disconnected, {503}),
}
