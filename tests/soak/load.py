"""A load that costs little itself: HTTP/1.1 by hand, over connections that are kept."""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

BROKEN = 0  # the status of a request whose connection ended first
PATIENCE = 60.0  # seconds for one answer
IDLE = 3.0  # seconds after which a connection is not used again; the server closes it after 5


@dataclass(frozen=True)
class Answer:
    """What one request came to; times are those of ``time.monotonic``."""

    status: int
    sent: float
    came: float
    body: bytes = b""
    retry_after: int | None = None

    @property
    def seconds(self) -> float:
        return self.came - self.sent


class Caller:
    """One connection, opened when there is something to ask."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def ask(self, path: str, body: object = None) -> Answer:
        """Ask once: a GET without a body, a POST of JSON with one."""
        sent = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                status, headers, answer = await self._exchange(path, body)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise
            return Answer(BROKEN, sent, time.monotonic())
        if headers.get("connection") == "close":
            self.close()
        retry_after = int(headers["retry-after"]) if "retry-after" in headers else None
        return Answer(status, sent, time.monotonic(), answer, retry_after)

    async def send(self, path: str, body: object = None) -> None:
        """Ask and do not wait for the answer."""
        if time.monotonic() - self._used > IDLE:
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: here\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        self._streams[1].write(head.encode() + data)
        await self._streams[1].drain()

    async def _exchange(self, path: str, body: object) -> tuple[int, dict[str, str], bytes]:
        await self.send(path, body)
        assert self._streams is not None
        reader = self._streams[0]
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines if line)
        headers = {name.lower(): value for name, _, value in pairs}
        answer = await reader.readexactly(int(headers["content-length"]))
        self._used = time.monotonic()
        return int(first.split()[1]), headers, answer

    def close(self) -> None:
        """Hang up, whatever is still to come."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def ask(port: int, path: str, body: object = None) -> Answer:
    """Ask once, over a connection of its own."""
    caller = Caller(port)
    try:
        return await caller.ask(path, body)
    finally:
        caller.close()


class Crowd:
    """Clients that ask for a sample, wait for it, and ask again, until the crowd is left."""

    def __init__(self, port: int, clients: int, rest: float) -> None:
        self.answers: list[Answer] = []
        self._last: list[Answer | None] = [None] * clients
        self._port, self._rest = port, rest
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Crowd":
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._client(i)) for i in range(len(self._last))]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def served(self) -> None:
        """Wait until each client has asked anew and been given what it asked for."""
        since = time.monotonic()
        while not all(a and a.status == 200 and a.sent >= since for a in self._last):
            for task in self._tasks:
                if task.done():
                    task.result()
            assert time.monotonic() < since + PATIENCE, "the crowd is not served any more"
            await asyncio.sleep(0.01)

    async def _client(self, number: int) -> None:
        caller = Caller(self._port)
        try:
            while True:
                answer = await caller.ask("/sample", {"seed": number})
                self.answers.append(answer)
                self._last[number] = answer
                await asyncio.sleep(self._rest if answer.status == 200 else 0.05)
        finally:
            caller.close()


async def arrivals(port: int, rate: float, seconds: float) -> list[Answer]:
    """Requests that come at a steady rate, whether or not those before are answered."""
    idle: deque[Caller] = deque()
    answers: list[Answer] = []
    started = time.monotonic()

    async def one(number: int) -> None:
        caller = idle.pop() if idle else Caller(port)
        answers.append(await caller.ask("/sample", {"seed": number}))
        idle.append(caller)

    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            group.create_task(one(number))
    for caller in idle:
        caller.close()
    return answers


def statuses(answers: Sequence[Answer]) -> dict[str, int]:
    """How many answers had each status."""
    counted = Counter("broken" if a.status == BROKEN else str(a.status) for a in answers)
    return dict(sorted(counted.items()))
