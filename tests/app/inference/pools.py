"""An image pool in an event loop."""

import asyncio
from collections.abc import Awaitable, Callable

from app.inference.image_pool import ImagePool

MAX_QUEUE = 8


def with_pool(scenario: Callable[[ImagePool], Awaitable[None]], threads: int = 1) -> None:
    async def run() -> None:
        pool = ImagePool(threads, MAX_QUEUE)
        try:
            await scenario(pool)
        finally:
            await asyncio.to_thread(pool.close)

    asyncio.run(run())
