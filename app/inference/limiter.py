"""How many model calls run at the same time, and how the cores are divided among them."""

import asyncio
import math
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

MAX_CONCURRENT_CALLS = 4  # of models on a CPU: docs/decisions/0018
MIN_CORE_USE = 0.8  # fraction of the cores that concurrent calls use at least


class CapacityLimiter:
    """Slots for model calls that run at the same time.

    A batch is formed when a slot is free and not before. Waiting items are divided among the free
    slots. If there are fewer items than slots, one call takes all slots: it is exclusive.

    Args:
        slots: how many calls may run at the same time.
        allow_exclusive: whether a call may be exclusive; else each takes one slot.

    Attributes:
        free: slots that no call holds.
        exclusive: whether one call holds all of several slots.
    """

    def __init__(self, slots: int = 1, allow_exclusive: bool = True) -> None:
        self.slots = slots
        self._allow_exclusive = allow_exclusive
        self.free = slots
        self.exclusive = False
        self._on_free: list[weakref.WeakMethod[Callable[[], None]]] = []
        self._assigned = 0  # slots given to waiters that have not run yet
        self._waiters: deque[asyncio.Future[None]] = deque()  # empty while a slot is free

    def call_when_free(self, callback: Callable[[], None]) -> None:
        """Call a method whenever a slot becomes free, for as long as its object is used elsewhere.

        Args:
            callback: a bound method.
        """
        self._on_free = [method for method in self._on_free if method() is not None]
        self._on_free.append(weakref.WeakMethod(callback))

    @asynccontextmanager
    async def call(self, count_waiting: Callable[[], int]) -> AsyncIterator[int]:
        """Wait for a slot, first come first served, and hold it.

        Args:
            count_waiting: the number of queued items; called once there is a slot.

        Yields:
            how many of the items this call is to process.
        """
        if self.free:
            self.free -= 1
        else:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
            self._assigned -= 1
        waiting, held = count_waiting(), 1
        batch_size = math.ceil(waiting / (1 + self.free + self._assigned))
        if self._allow_exclusive and self.free == self.slots - 1 and waiting < self.slots:
            batch_size, held = waiting, self.slots
            self.free, self.exclusive = 0, True
        try:
            yield batch_size
        finally:
            self.exclusive = False
            for _ in range(held):
                self._release()

    def _release(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._assigned += 1
                return
        self.free += 1
        for method in self._on_free:
            if (callback := method()) is not None:
                callback()


def concurrent_calls(cores: int) -> int:
    """The largest number of concurrent calls that leaves few cores unused."""
    counts = range(1, MAX_CONCURRENT_CALLS + 1)
    return max(n for n in counts if cores // n * n >= MIN_CORE_USE * cores)
