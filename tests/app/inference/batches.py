"""A batcher in an event loop, and work that records its batches."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from app.inference.batcher import Batcher
from app.inference.limiter import CapacityLimiter

Work = Callable[[list[int]], list[int]]


class BlockingDouble:
    """Doubles numbers, records the batches, and waits for ``open`` before it returns."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        assert self.open.wait(10)
        if -1 in items:
            raise ValueError("minus one")
        return [2 * item for item in items]


def threaded(work: Work, executor: Executor) -> Callable[[list[int]], Awaitable[list[int]]]:
    async def on_thread(items: list[int]) -> list[int]:
        return await asyncio.get_running_loop().run_in_executor(executor, work, items)

    return on_thread


def with_batcher(
    work: Work,
    scenario: Callable[[Batcher[int, int]], Awaitable[None]],
    max_batch: int = 4,
    max_queue: int = 8,
) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            on_thread = threaded(work, executor)
            await scenario(Batcher(on_thread, CapacityLimiter(), max_batch, max_queue))

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)
