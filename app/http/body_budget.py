"""What holds a request: its time, its client, and its share of the memory for bodies."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlineError(Exception):
    """The answer did not come in time."""


class ClientDisconnectedError(Exception):
    """The client hung up before its answer."""


class BodyBudgetExceededError(Exception):
    """The bodies of the requests in hand take all the memory that there is for them."""


class BodyBudget:
    """The memory for request bodies, shared by all requests in hand.

    Args:
        limit: bytes that they may take together.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    def share(self) -> "Reservation":
        """The share of a new request; nothing yet."""
        return Reservation(self)


class Reservation:
    """What one request holds of the memory for bodies."""

    def __init__(self, bodies: BodyBudget) -> None:
        self._bodies = bodies
        self._taken = 0

    def take(self, count: int) -> None:
        """Take ``count`` more bytes.

        Raises:
            BodiesFullError: if there are not so many.
        """
        if self._bodies.taken + count > self._bodies.limit:
            raise BodyBudgetExceededError(
                f"the requests in hand hold {self._bodies.taken} bytes; {self._bodies.limit} is "
                "the limit"
            )
        self._bodies.taken += count
        self._taken += count

    def give_back(self) -> None:
        """Give all of it back."""
        self._bodies.taken -= self._taken
        self._taken = 0


async def held(
    work: Coroutine[Any, Any, T], departure: Coroutine[Any, Any, None], seconds: float
) -> T:
    """Run ``work`` for as long as its answer is wanted.

    Args:
        work: what to do; cancelled if its answer is no longer wanted.
        departure: ends when the client has gone.
        seconds: most time to take.

    Raises:
        DeadlineError: if the time is up.
        DepartedError: if the client has gone.
    """
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(departure)
    try:
        await asyncio.wait({task, watch}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if watch.done():
            watch.result()
            raise ClientDisconnectedError("the client has gone")
        raise DeadlineError(f"not answered within {seconds:g} seconds")
    finally:
        watch.cancel()
        if task.cancel():  # which it is given the time to do
            await asyncio.wait({task})
