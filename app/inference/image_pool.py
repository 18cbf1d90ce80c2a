"""Threads that decode and encode images, away from the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.images import memory

R = TypeVar("R")


class ImagePool:
    """Runs image work on threads; large images one at a time.

    Args:
        threads: how many.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="image")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="large")

    async def run(self, work: Callable[[], R], large: bool = False) -> R:
        """The result of ``work``, made on a thread of the pool."""

        def trim_after() -> R:
            try:
                return work()
            finally:
                memory.trim_heap()

        loop = asyncio.get_running_loop()
        if large:
            return await loop.run_in_executor(self._large, trim_after)
        return await loop.run_in_executor(self._threads, work)

    def close(self) -> None:
        """Wait for running work and end the threads."""
        self._threads.shutdown()
        self._large.shutdown()
