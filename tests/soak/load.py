"""A load generator that costs little: HTTP/1.1 over persistent connections."""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

DISCONNECTED = 0  # the status of a request whose connection ended first
TIMEOUT_SECONDS = 60.0  # for one response
MAX_IDLE_SECONDS = 3.0  # of a connection that is used again; the server closes it after 5


@dataclass(frozen=True)
class Response:
    """The outcome of one request; times are those of ``time.monotonic``."""

    status: int
    sent: float
    received: float
    body: bytes = b""
    retry_after: int | None = None

    @property
    def seconds(self) -> float:
        return self.received - self.sent


class Connection:
    """One connection, opened by the first request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def ask(self, path: str, body: object = None) -> Response:
        """Send one request: a GET without a body, a POST of JSON with one."""
        sent = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, headers, response = await self._exchange(path, body)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise
            return Response(DISCONNECTED, sent, time.monotonic())
        if headers.get("connection") == "close":
            self.close()
        retry_after = int(headers["retry-after"]) if "retry-after" in headers else None
        return Response(status, sent, time.monotonic(), response, retry_after)

    async def send(self, path: str, body: object = None) -> None:
        """Send a request and do not wait for the response."""
        if time.monotonic() - self._used > MAX_IDLE_SECONDS:
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
        response = await reader.readexactly(int(headers["content-length"]))
        self._used = time.monotonic()
        return int(first.split()[1]), headers, response

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def ask(port: int, path: str, body: object = None) -> Response:
    """Send one request over a connection of its own."""
    connection = Connection(port)
    try:
        return await connection.ask(path, body)
    finally:
        connection.close()


class Clients:
    """Clients that request a sample, wait for it, and repeat, until the context ends."""

    def __init__(self, port: int, clients: int, pause_seconds: float) -> None:
        self.responses: list[Response] = []
        self._last: list[Response | None] = [None] * clients
        self._port, self._pause_seconds = port, pause_seconds
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Clients":
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
        """Wait until each client has sent another request and got its result."""
        since = time.monotonic()
        while not all(a and a.status == 200 and a.sent >= since for a in self._last):
            for task in self._tasks:
                if task.done():
                    task.result()
            assert time.monotonic() < since + TIMEOUT_SECONDS, "the clients are not served"
            await asyncio.sleep(0.01)

    async def _client(self, number: int) -> None:
        connection = Connection(self._port)
        try:
            while True:
                response = await connection.ask("/sample", {"seed": number})
                self.responses.append(response)
                self._last[number] = response
                await asyncio.sleep(self._pause_seconds if response.status == 200 else 0.05)
        finally:
            connection.close()


async def open_loop(port: int, rate: float, seconds: float) -> list[Response]:
    """Requests at a steady rate, whether or not earlier ones have their responses."""
    idle: deque[Connection] = deque()
    responses: list[Response] = []
    started = time.monotonic()

    async def one(number: int) -> None:
        connection = idle.pop() if idle else Connection(port)
        responses.append(await connection.ask("/sample", {"seed": number}))
        idle.append(connection)

    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            group.create_task(one(number))
    for connection in idle:
        connection.close()
    return responses


def statuses(responses: Sequence[Response]) -> dict[str, int]:
    """The number of responses of each status."""
    counted = Counter(
        "disconnected" if a.status == DISCONNECTED else str(a.status) for a in responses
    )
    return dict(sorted(counted.items()))
