"""The memory that the bodies of all current requests may take together."""

import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, ParamSpec, TypeVar

from app.operations.context import ImageRunner

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class BodyBudgetExceededError(Exception):
    """The bodies of the current requests take all the memory that they may."""


class BodyBudget:
    """Counts the bytes of the bodies of all current requests.

    Args:
        limit: bytes that they may take together.

    Attributes:
        limit: as given.
        reserved: bytes that they take now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reserved = 0
        # Threads release too, and a thread may do so by garbage collection while it holds the lock.
        self._lock = threading.RLock()

    def reserve(self) -> "Reservation":
        """The reservation of a new request: no bytes yet."""
        return Reservation(self)

    def add(self, count: int) -> None:
        """Count ``count`` more bytes, or fewer where it is negative.

        Raises:
            BodyBudgetExceededError: if they would be over the limit; then they are not counted.
        """
        with self._lock:
            if count > 0 and self.reserved + count > self.limit:
                raise BodyBudgetExceededError(
                    f"the bodies of the current requests take {self.reserved} bytes; the limit is "
                    f"{self.limit}"
                )
            self.reserved += count


class Reservation:
    """The bytes of one request's body.

    They are released when the request has ended and no thread has work that holds them: a thread
    does not stop when its request is cancelled.
    """

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._lock = threading.RLock()
        self._bytes = 0
        self._holders = 1  # the request itself, and work on threads

    def acquire(self, count: int) -> None:
        """Reserve ``count`` more bytes.

        Raises:
            BodyBudgetExceededError: if there are not so many left.
        """
        self._budget.add(count)
        self._bytes += count

    def release(self) -> None:
        """Say that one holder of the bytes is done; the last one gives them back."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                # Work may be held once more after that, to end without a client.
                count, self._bytes = self._bytes, 0
                self._budget.add(-count)

    def hold(self, work: Callable[P, R]) -> "HeldWork[P, R]":
        """The same work, which holds the bytes for as long as anybody has it."""
        with self._lock:
            self._holders += 1
        return HeldWork(self, work)


class HeldWork(Generic[P, R]):
    """Work that needs the body of a request.

    It releases the reservation when it is garbage: after a thread has run it, or when it was
    dropped from a queue.
    """

    def __init__(self, reservation: Reservation, work: Callable[P, R]) -> None:
        self._reservation, self._work = reservation, work

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do the work."""
        return self._work(*args, **kwargs)

    def __del__(self) -> None:
        self._reservation.release()


class ReservedImagePool:
    """The image threads, for work that needs the body of one request."""

    def __init__(self, pool: ImageRunner, reservation: Reservation) -> None:
        self._pool, self._reservation = pool, reservation

    def run(self, work: Callable[[], R]) -> Awaitable[R]:
        """As ``ImagePool.run``."""
        return self._pool.run(self._reservation.hold(work))

    def map(
        self, work: Callable[[T], R], items: Sequence[T], *, serial: bool = False
    ) -> Awaitable[list[R]]:
        """As ``ImagePool.map``."""
        return self._pool.map(self._reservation.hold(work), items, serial=serial)
