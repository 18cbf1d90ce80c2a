"""Ends work that nobody waits for any more: its time is up, or its client has gone."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlineError(Exception):
    """The answer did not come in time."""


class DepartedError(Exception):
    """The client hung up before its answer."""


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
            raise DepartedError("the client has gone")
        raise DeadlineError(f"not answered within {seconds:g} seconds")
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.wait({task, watch})
