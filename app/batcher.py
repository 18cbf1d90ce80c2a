"""Requests that wait together run together: ``list[T] -> list[U]`` behind a bounded queue."""

import asyncio
import heapq
import itertools
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class QueueFullError(Exception):
    """There is no room for the items; try again after ``retry_after`` seconds."""

    def __init__(self, waiting: int, limit: int, retry_after: int) -> None:
        super().__init__(f"{waiting} pictures are waiting and the queue takes {limit}")
        self.retry_after = retry_after


class LostError(Exception):
    """A call did not come back, whatever its items were."""


class DeviceLostError(LostError):
    """No call will come back any more in this process: the device answers none."""


class ClosedError(Exception):
    """The service is stopping and takes no more work."""


@dataclass(frozen=True)
class Step:
    """A part of one request: its begin and end by ``time.perf_counter``, and facts about it."""

    name: str
    started: float
    ended: float
    facts: Mapping[str, int | str]


@dataclass
class Timing:
    """Where the time of one request went, in seconds; filled in as it happens."""

    queue: float = 0.0
    model: float = 0.0
    png: float = 0.0
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """A batch that ran: how long each of its items had waited, and how long it took, in seconds."""

    waited: Sequence[float]
    seconds: float


@dataclass(order=True)
class _Job(Generic[T, U]):
    due: int  # the count of served items that orders requests, see ``Batcher``
    number: int  # of all jobs, in the order of their coming
    item: T = field(compare=False)
    future: asyncio.Future[U] = field(compare=False)
    queued_at: float = field(default_factory=time.perf_counter, compare=False)
    started_at: float = field(default=0.0, compare=False)
    ended_at: float = field(default=0.0, compare=False)
    batch: tuple[int, int] = field(default=(0, 0), compare=False)  # number and size


class Gate:
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
        self.watchers: list[Callable[[], None]] = []  # told of every place that becomes free
        self._handed = 0  # places whose entrants have not been told yet
        self._entrants: deque[asyncio.Future[None]] = deque()  # only where no place is free

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
            self._entrants.append(entrant)
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
                self._leave()

    def _leave(self) -> None:
        while self._entrants:
            entrant = self._entrants.popleft()
            if not entrant.done():
                entrant.set_result(None)
                self._handed += 1
                return
        self.free += 1
        for watcher in self.watchers:
            watcher()


class Batcher(Generic[T, U]):
    """Runs ``work`` on whatever is queued whenever the model is free.

    There is no timer: the first item of an idle moment runs alone and at once, and what arrives in
    the meantime makes up the next batch.

    Who waits is served in the order of the count at which it would be done if it had the model to
    itself from its coming: the items served until then, plus its own. So requests of one size are
    served in the order of their coming, a small one passes a large one, and the large one has its
    turn once as many items as it has itself have been served.

    Args:
        work: maps a list of items to as many results.
        gate: entered while ``work`` runs; batchers that share a device share its gate.
        max_batch: most items in one call of ``work``.
        max_queue: most items waiting.
        observe: told of every batch that ran.
        about: facts for the steps of every request.
    """

    def __init__(
        self,
        work: Callable[[list[T]], Awaitable[list[U]]],
        gate: Gate,
        max_batch: int,
        max_queue: int,
        observe: Callable[[Batch], None] = lambda _: None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self._work = work
        self._gate = gate
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._observe = observe
        self._about = about or {}
        self._queue: list[_Job[T, U]] = []  # a heap
        self._numbers = itertools.count()
        self._batches = itertools.count(1)
        self._served = 0  # items so far
        self._workers: set[asyncio.Task[None] | None] = set()
        self._entering = 0  # workers that have no place yet
        self._closed = False
        self._seconds_per_item = 0.02  # until measured
        gate.watchers.append(self._staff)  # what others leave free

    async def run(self, items: Sequence[T], timing: Timing | None = None) -> list[U]:
        """Queue the items, wait for all of them, and answer in their order.

        A caller that is cancelled takes its waiting items out of the queue.

        Raises:
            QueueFullError: if they do not all fit; then none is queued.
            ClosedError: after ``close``.
            LostError: if ``work`` raised it for the batch of one of these items.
            Exception: what ``work`` raised for one of these items by itself.
        """
        if self._closed:
            raise ClosedError("the service is stopping")
        waiting = self.waiting
        if waiting + len(items) > self._max_queue:
            retry_after = max(1, math.ceil(waiting * self._seconds_per_item))
            raise QueueFullError(waiting, self._max_queue, retry_after)
        loop = asyncio.get_running_loop()
        due = self._served + len(items)
        jobs: list[_Job[T, U]] = [
            _Job(due, next(self._numbers), item, loop.create_future()) for item in items
        ]
        for job in jobs:
            heapq.heappush(self._queue, job)
        self._staff()
        try:
            outcomes = await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
        except asyncio.CancelledError:
            self._queue = [job for job in self._queue if not job.future.done()]
            heapq.heapify(self._queue)
            raise
        finally:  # also where nobody waits any more
            if timing is not None and jobs:
                self._note(timing, jobs)
        results: list[U] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            results.append(outcome)
        return results

    def _note(self, timing: Timing, jobs: Sequence[_Job[T, U]]) -> None:
        """Where the time of these jobs went, as far as they have come."""
        now = time.perf_counter()
        queued, waited = jobs[0].queued_at, max(job.started_at or now for job in jobs)
        timing.queue += waited - queued
        timing.steps.append(Step("queue", queued, waited, {**self._about, "items": len(jobs)}))
        batches: dict[tuple[int, int], list[_Job[T, U]]] = {}
        for job in jobs:
            if job.batch[0]:
                batches.setdefault(job.batch, []).append(job)
        for (number, size), ours in batches.items():
            ended = max(job.ended_at or now for job in ours)
            facts = {"batch.number": number, "batch.size": size, "items": len(ours)}
            timing.steps.append(Step("batch", ours[0].started_at, ended, {**self._about, **facts}))
        if all(job.ended_at for job in jobs):
            timing.model += max(job.ended_at for job in jobs) - waited

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._queue)

    async def close(self) -> None:
        """Take no more items and wait for those already queued."""
        self._closed = True
        while workers := [worker for worker in self._workers if worker]:
            await asyncio.wait(workers)

    def _staff(self) -> None:
        """Start a worker for each free place that has something to do, or one to wait for a place.

        No more than that: who waits is handed a place of a call that had all of them.
        """
        wanted = min(len(self._queue), self._gate.free) - self._entering
        if self._queue and not self._workers:
            wanted = max(1, wanted)
        for _ in range(wanted):
            self._entering += 1
            self._workers.add(asyncio.get_running_loop().create_task(self._drain()))

    async def _drain(self) -> None:
        try:
            while True:
                async with self._gate.call(lambda: len(self._queue)) as share:
                    self._entering -= 1
                    batch = self._take(min(share, self._max_batch))
                    self._staff()
                    if batch:
                        await self._run_batch(batch)
                    again = bool(self._queue)
                    self._entering += again  # before others are told that the place is free
                if not again:
                    return
        finally:  # at once, so that whoever comes next starts another
            self._workers.discard(asyncio.current_task())

    def _take(self, most: int) -> list[_Job[T, U]]:
        """The next batch, without the items whose callers have gone."""
        batch: list[_Job[T, U]] = []
        while self._queue and len(batch) < most:
            job = heapq.heappop(self._queue)
            if not job.future.done():
                self._served += 1
                job.started_at = time.perf_counter()
                batch.append(job)
        return batch

    async def _run_batch(self, batch: list[_Job[T, U]]) -> None:
        try:
            results = await self._call(batch)
        except Exception as error:
            if len(batch) == 1 or isinstance(error, LostError):
                for job in batch:
                    _settle(job, error)
                return
            for job in batch:  # one broken item must not fail its neighbours
                await self._run_batch([job])
            return
        for job, result in zip(batch, results, strict=True):
            _settle(job, result)

    async def _call(self, batch: list[_Job[T, U]]) -> list[U]:
        number, started = next(self._batches), time.perf_counter()
        at_once = 1 if self._gate.whole else self._gate.places
        for job in batch:
            job.batch = number, len(batch)
        results = await self._work([job.item for job in batch])
        seconds = time.perf_counter() - started
        self._seconds_per_item += 0.1 * (seconds / len(batch) / at_once - self._seconds_per_item)
        self._observe(Batch([job.started_at - job.queued_at for job in batch], seconds))
        if len(results) != len(batch):
            raise RuntimeError(f"{len(batch)} items gave {len(results)} results")
        return results


def _settle(job: _Job[T, U], outcome: U | Exception) -> None:
    job.ended_at = time.perf_counter()
    if job.future.done():
        return
    if isinstance(outcome, Exception):
        job.future.set_exception(outcome)
    else:
        job.future.set_result(outcome)
