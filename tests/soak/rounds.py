"""Rounds of harm: each does something bad to a server under load, and says what must still hold."""

import asyncio
import base64
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.app.conftest import DIM, SIZE, apart, picture, pixels, text
from tests.app.conftest import file as as_file
from tests.soak.load import BROKEN, Answer, Caller, Crowd, ask, statuses
from tests.soak.server import Server

GRACE = 10  # seconds that the server gives accepted requests when it is told to stop
HANG = 3  # seconds that it gives a model call
SETTINGS = {"HANG_SECONDS": str(HANG), "SHUTDOWN_SECONDS": str(GRACE)}
UNLUCKY = [13.0, *[0.0] * (DIM - 1)]
LUCKY = [0.5] * DIM
COUNT = 8  # pictures that each of those asks for who hang up
IN_HAND = 4  # such requests that the two hanging batches may hold, each of at most 16 pictures
PHOTO = text(as_file(picture(size=(SIZE, SIZE))))


@dataclass
class Scene:
    """A server, those who use it meanwhile, and chance."""

    server: Server
    crowd: Crowd
    chance: random.Random

    async def pause(self, least: float = 0.0, most: float = 0.4) -> None:
        await asyncio.sleep(self.chance.uniform(least, most))

    async def ask(self, path: str, body: object = None) -> Answer:
        return await ask(self.server.port, path, body)

    async def decoded(self) -> Any:
        """What the service makes of a latent that no fault is about."""
        answer = await self.ask("/decode?format=json", {"latents": [LUCKY]})
        assert answer.status == 200, answer
        return shown(answer)


def shown(answer: Answer) -> Any:
    """The first picture of a JSON answer."""
    encoded = answer.body.split(b'"images": ["', 1)[1].split(b'"', 1)[0]
    return pixels(base64.b64decode(encoded))


async def killed(scene: Scene) -> None:
    """A process that is killed is as before once it is started again."""
    scene.server.tell(signal.SIGKILL)
    assert await scene.server.ended(10) == -signal.SIGKILL
    await scene.server.start()


async def stopped(scene: Scene) -> None:
    """What was accepted is finished, then the process ends well."""
    server = scene.server
    server.begin("hang")
    held = [
        asyncio.create_task(scene.ask("/encode", {"image": [PHOTO]}))
        for _ in range(scene.chance.randint(1, 12))
    ]
    deadline = time.monotonic() + 30
    while await server.waiting("encode") + sum(task.done() for task in held) < len(held):
        assert time.monotonic() < deadline, "the requests are not accepted"
    server.tell(signal.SIGTERM)
    await scene.pause()
    server.end("hang")
    answers = await asyncio.gather(*held)
    assert {answer.status for answer in answers} == {200}, statuses(answers)
    assert await server.ended(GRACE + 5) == 0
    await server.start()


async def stopped_twice(scene: Scene) -> None:
    """The second signal does not wait for anybody."""
    server = scene.server
    server.begin("hang")
    held = asyncio.create_task(scene.ask("/sample", {}))
    await scene.pause(0.2)
    server.tell(signal.SIGTERM)
    await scene.pause(0.2)
    assert server.lives, "it did not wait for what it had accepted"
    started = time.monotonic()
    server.tell(signal.SIGTERM)
    assert await server.ended(5) == 128 + signal.SIGTERM
    assert time.monotonic() - started < 2
    assert (await held).status == BROKEN
    server.end("hang")
    await server.start()


async def hung(scene: Scene) -> None:
    """Who waits for a call that does not come back is told so in time."""
    scene.server.begin("hang")
    answer = await scene.ask("/sample", {})
    scene.server.end("hang")
    assert answer.status == 503, answer
    assert b"did not answer within" in answer.body
    assert (answer.retry_after or 0) > 0
    assert answer.seconds < 3 * HANG + 1


async def thread_lost(scene: Scene) -> None:
    """A model thread that has died is replaced."""
    server, before = scene.server, scene.server.consecutive_timeouts
    for _ in range(5):  # one that is met within a call fails that call and lives
        server.begin("die")
        deadline = time.monotonic() + 30
        while server.has("die"):
            assert time.monotonic() < deadline, "nothing is decoded any more"
            await asyncio.sleep(0.02)
        deadline = time.monotonic() + HANG + 2
        while time.monotonic() < deadline:
            if server.consecutive_timeouts > before:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the thread does not die")


async def no_memory(scene: Scene) -> None:
    """A batch that memory does not hold is run in parts."""
    scene.server.begin("memory")
    await scene.pause()
    answers = await asyncio.gather(*(scene.ask("/sample", {"n": 7}) for _ in range(3)))
    scene.server.end("memory")
    assert {answer.status for answer in answers} == {200}, statuses(answers)


async def bad_item(scene: Scene) -> None:
    """A broken item does not fail its neighbours, nor change what they get."""
    expected = await scene.decoded()
    scene.server.begin("broken")
    good = [asyncio.create_task(scene.decoded()) for _ in range(6)]
    bad = await scene.ask("/decode", {"latents": [UNLUCKY]})
    neighbours = await asyncio.gather(*good)
    scene.server.end("broken")
    assert bad.status == 500, bad
    assert b"an error of ours" in bad.body
    assert max(apart(found, expected) for found in neighbours) <= 1


async def hung_up(scene: Scene) -> None:
    """Clients that hang up have left the queue before the model could take what they asked for."""
    server = scene.server
    server.begin("hang")
    callers = [Caller(server.port) for _ in range(scene.chance.randint(6, 20))]
    for caller in callers:
        await caller.send("/sample", {"n": COUNT})
    await _until(lambda depth: depth >= COUNT * (len(callers) - IN_HAND), server)
    await scene.pause()
    for caller in callers:
        caller.close()
    await _until(lambda depth: depth < COUNT, server)
    server.end("hang")


async def _until(enough: Callable[[float], bool], server: Server) -> None:
    deadline = time.monotonic() + 2 * HANG
    while not enough(depth := await server.waiting("decode")):
        assert time.monotonic() < deadline, f"{depth} pictures wait"
        await asyncio.sleep(0.05)


Play = Callable[[Scene], Awaitable[None]]

# What the rest of the load may be answered meanwhile, beside 200.
ROUNDS: dict[str, tuple[Play, set[int]]] = {
    "kill -9": (killed, {BROKEN}),
    "SIGTERM": (stopped, {BROKEN, 503}),
    "second signal": (stopped_twice, {BROKEN, 503}),
    "hung call": (hung, {503}),
    "dead thread": (thread_lost, {500, 503}),
    "no memory": (no_memory, set()),
    "bad item": (bad_item, set()),
    "clients gone": (hung_up, {503}),
}
