"""Requests that wait together run together: ``list[T] -> list[U]`` behind a bounded queue."""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.inference.limiter import CapacityLimiter
from app.observability.timing import Batch, Span, Timing

T = TypeVar("T")
U = TypeVar("U")


class QueueFullError(Exception):
    """There is no room for the items; try again after ``retry_after`` seconds."""

    def __init__(self, waiting: int, limit: int, retry_after: int) -> None:
        super().__init__(f"{waiting} pictures are waiting and the queue takes {limit}")
        self.retry_after = retry_after


class InferenceTimeoutError(Exception):
    """A call did not come back, whatever its items were."""


class DeviceLostError(InferenceTimeoutError):
    """No call will come back any more in this process: the device answers none."""


class ShuttingDownError(Exception):
    """The service is stopping and takes no more work."""


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
        gate: CapacityLimiter,
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
        self._model_info = about or {}
        self._queue: list[_Job[T, U]] = []  # a heap
        self._numbers = itertools.count()
        self._batches = itertools.count(1)
        self._served = 0  # items so far
        self._workers: set[asyncio.Task[None] | None] = set()
        self._entering = 0  # workers that have no place yet
        self._closed = False
        self._seconds_per_item = 0.02  # until measured
        gate.on_free.append(self._spawn_workers)  # what others leave free

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
            raise ShuttingDownError("the service is stopping")
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
        self._spawn_workers()
        try:
            outcomes = await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
        except asyncio.CancelledError:
            self._queue = [job for job in self._queue if not job.future.done()]
            heapq.heapify(self._queue)
            raise
        finally:  # also where nobody waits any more
            if timing is not None and jobs:
                self._record_timing(timing, jobs)
        results: list[U] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            results.append(outcome)
        return results

    def _record_timing(self, timing: Timing, jobs: Sequence[_Job[T, U]]) -> None:
        """Where the time of these jobs went, as far as they have come."""
        now = time.perf_counter()
        queued, waited = jobs[0].queued_at, max(job.started_at or now for job in jobs)
        timing.queue += waited - queued
        timing.spans.append(Span("queue", queued, waited, {**self._model_info, "items": len(jobs)}))
        batches: dict[tuple[int, int], list[_Job[T, U]]] = {}
        for job in jobs:
            if job.batch[0]:
                batches.setdefault(job.batch, []).append(job)
        for (number, size), ours in batches.items():
            ended = max(job.ended_at or now for job in ours)
            attributes = {"batch.number": number, "batch.size": size, "items": len(ours)}
            timing.spans.append(
                Span("batch", ours[0].started_at, ended, {**self._model_info, **attributes})
            )
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

    def _spawn_workers(self) -> None:
        """Start a worker for each free place that has something to do, or one to wait for a place.

        No more than that: who waits is handed a place of a call that had all of them.
        """
        wanted = min(len(self._queue), self._gate.free) - self._entering
        if self._queue and not self._workers:
            wanted = max(1, wanted)
        for _ in range(wanted):
            self._entering += 1
            self._workers.add(asyncio.get_running_loop().create_task(self._worker_loop()))

    async def _worker_loop(self) -> None:
        try:
            while True:
                async with self._gate.call(lambda: len(self._queue)) as share:
                    self._entering -= 1
                    batch = self._take(min(share, self._max_batch))
                    self._spawn_workers()
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
            if len(batch) == 1 or isinstance(error, InferenceTimeoutError):
                for job in batch:
                    _resolve(job, error)
                return
            for job in batch:  # one broken item must not fail its neighbours
                await self._run_batch([job])
            return
        for job, result in zip(batch, results, strict=True):
            _resolve(job, result)

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


def _resolve(job: _Job[T, U], outcome: U | Exception) -> None:
    job.ended_at = time.perf_counter()
    if job.future.done():
        return
    if isinstance(outcome, Exception):
        job.future.set_exception(outcome)
    else:
        job.future.set_result(outcome)
