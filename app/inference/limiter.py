"""How many model calls run at the same time, and how the cores are shared among them."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class CapacityLimiter:
    """The places for calls of the models that run at the same time.

    A batch is made up when there is a place for it and not before. What is queued is shared out
    among the free places; where it is less than an item for each, one call has all of them.

    Args:
        places: how many there are.
    """

    def __init__(self, places: int = 1) -> None:
        self.places = places
        self.whole = False  # whether one call has all of several places
        self.free = places
        self.on_free: list[Callable[[], None]] = []  # told of every place that becomes free
        self._handed = 0  # places whose entrants have not been told yet
        self._waiters: deque[asyncio.Future[None]] = deque()  # only where no place is free

    @asynccontextmanager
    async def call(self, waiting: Callable[[], int]) -> AsyncIterator[int]:
        """Wait for a place, in the order of coming, and hold it.

        Args:
            waiting: the items in the queue; asked when there is a place.

        Yields:
            how many of them the call is to take.
        """
        if self.free:
            self.free -= 1
        else:
            entrant = asyncio.get_running_loop().create_future()
            self._waiters.append(entrant)
            await entrant  # and was handed a place
            self._handed -= 1
        count, held = waiting(), 1
        share = math.ceil(count / (1 + self.free + self._handed))
        if self.free == self.places - 1 and count < self.places:
            share, held = count, self.places
            self.free, self.whole = 0, True
        try:
            yield share
        finally:
            self.whole = False
            for _ in range(held):
                self._release()

    def _release(self) -> None:
        while self._waiters:
            entrant = self._waiters.popleft()
            if not entrant.done():
                entrant.set_result(None)
                self._handed += 1
                return
        self.free += 1
        for watcher in self.on_free:
            watcher()
