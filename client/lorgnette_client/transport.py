"""Sending of calls, with retries: the only part in which the two clients differ."""

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import httpx

from lorgnette_client.call import Call
from lorgnette_client.connection import Connection
from lorgnette_client.retries import Retries

P = ParamSpec("P")
T = TypeVar("T")


class Transport:
    """Sends calls, one after the other on each thread.

    Args:
        connection: to the service.
        timeout: seconds that the service may be silent.
        retries: of requests.
    """

    def __init__(self, connection: Connection, timeout: float, retries: Retries) -> None:
        self._retries = retries
        self._client = httpx.Client(
            base_url=connection.base_url, headers=connection.headers, timeout=timeout
        )

    def send(self, build: Callable[P, Call[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the call that ``build`` makes of the arguments."""
        call = build(*args, **kwargs)
        started = time.monotonic()
        for attempt in itertools.count(1):
            outcome = self._outcome(call)
            delay = self._retries.delay(call, outcome, attempt, time.monotonic() - started)
            if delay is None:
                break
            time.sleep(delay)
        return call.result(outcome)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _outcome(self, call: Call[T]) -> httpx.Response | httpx.TransportError:
        try:
            return self._client.send(call.request(self._client))
        except httpx.TransportError as error:
            return error


class AsyncTransport:
    """Sends calls, also several at a time; their files and images are processed on threads.

    Args:
        connection: to the service.
        timeout: seconds that the service may be silent.
        retries: of requests.
    """

    def __init__(self, connection: Connection, timeout: float, retries: Retries) -> None:
        self._retries = retries
        self._client = httpx.AsyncClient(
            base_url=connection.base_url, headers=connection.headers, timeout=timeout
        )

    async def send(self, build: Callable[P, Call[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the call that ``build`` makes of the arguments."""
        call = await asyncio.to_thread(build, *args, **kwargs)
        started = time.monotonic()
        for attempt in itertools.count(1):
            outcome = await self._outcome(call)
            delay = self._retries.delay(call, outcome, attempt, time.monotonic() - started)
            if delay is None:
                break
            await asyncio.sleep(delay)
        return await asyncio.to_thread(call.result, outcome)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _outcome(self, call: Call[T]) -> httpx.Response | httpx.TransportError:
        try:
            return await self._client.send(call.request(self._client))
        except httpx.TransportError as error:
            return error
