"""A bounded queue that is fair to requests of any size."""

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from app.inference.errors import QueueFullError

T = TypeVar("T")

INITIAL_SECONDS_PER_ITEM = 0.02  # until the first measurement
SMOOTHING = 0.1  # weight of a new measurement


class FairQueue(Generic[T]):
    """The items of requests, ordered by virtual finish (fair queueing).

    Virtual time is the number of items served so far. The virtual finish of a request is the time
    at which it arrives plus the number of its items. So requests of equal size are served in the
    order of arrival, a small request overtakes a large one, and a request of n items is overtaken
    only by requests that arrive before n more items were served.

    A simplified form of Demers, Keshav and Shenker, "Analysis and Simulation of a Fair Queueing
    Algorithm", SIGCOMM 1989: every request is a flow of its own, and an item is the unit of work.

    Not thread-safe.

    Attributes:
        served: number of items that were taken out to be served.
        seconds_per_item: moving average, for ``QueueFullError.retry_after``.
    """

    def __init__(self) -> None:
        self.served = 0
        self.seconds_per_item = INITIAL_SECONDS_PER_ITEM
        self._heap: list[tuple[int, int, T]] = []  # virtual finish, arrival number, item
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, items: Sequence[T], limit: int) -> None:
        """Add all items of one request, or none of them.

        Raises:
            QueueFullError: if more than ``limit`` items would wait.
        """
        waiting = len(self._heap)
        if waiting + len(items) > limit:
            retry_after = max(1, math.ceil(waiting * self.seconds_per_item))
            raise QueueFullError(waiting, limit, retry_after)
        virtual_finish = self.served + len(items)
        for item in items:
            heapq.heappush(self._heap, (virtual_finish, next(self._numbers), item))

    def pop(self) -> T:
        """Take out the item with the lowest virtual finish; the queue must not be empty."""
        self.served += 1
        return heapq.heappop(self._heap)[2]

    def remove(self, unwanted: Callable[[T], bool]) -> None:
        """Remove the items of which ``unwanted`` is true; they do not count as served."""
        self._heap = [entry for entry in self._heap if not unwanted(entry[2])]
        heapq.heapify(self._heap)

    def record_seconds_per_item(self, seconds: float) -> None:
        """Update the moving average with a measurement."""
        self.seconds_per_item += SMOOTHING * (seconds - self.seconds_per_item)
