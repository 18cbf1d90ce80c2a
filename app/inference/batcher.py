"""Requests that wait at the same time run together: ``list[T] -> list[U]`` behind a queue."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from app.inference.errors import InferenceTimeoutError, ShuttingDownError
from app.inference.fair_queue import FairQueue
from app.inference.job import Job, fail, record_timing
from app.inference.limiter import CapacityLimiter
from app.observability.timing import Batch, Timing

T = TypeVar("T")
U = TypeVar("U")

MAX_GROUP = 8  # items of a stream that are queued at the same time


class Batcher(Generic[T, U]):
    """Runs ``work`` on whatever is queued whenever a slot for a model call is free.

    There is no timer: while the model is idle an item runs alone and at once, and what arrives in
    the meantime forms the next batch. Fair queueing: items are ordered by virtual finish, see
    ``FairQueue``.

    Args:
        work: maps a list of items to as many results.
        limiter: entered while ``work`` runs; batchers that share a device share its limiter.
        max_batch: largest number of items in one call of ``work``.
        max_queue: largest number of waiting items.
        observe: called with every batch that ran.
        labels: attributes of the spans of every request.
    """

    def __init__(
        self,
        work: Callable[[list[T]], Awaitable[list[U]]],
        limiter: CapacityLimiter,
        max_batch: int,
        max_queue: int,
        observe: Callable[[Batch], None] = lambda _: None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._work = work
        self._limiter = limiter
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._observe = observe
        self._labels = labels or {}
        self._queue = FairQueue[Job[T, U]]()
        self._batch_numbers = itertools.count(1)
        self._workers: set[asyncio.Task[None] | None] = set()
        self._entering = 0  # workers that have no slot yet
        self._closed = False
        limiter.call_when_free(self._spawn_workers)

    async def run(self, items: Sequence[T], timing: Timing | None = None) -> list[U]:
        """Queue the items, wait for all of them, and return their results in the same order.

        If the caller is cancelled, its waiting items leave the queue.

        Raises:
            QueueFullError: if not all of them fit into the queue; then none is queued.
            ShuttingDownError: after ``close``.
            InferenceTimeoutError: if ``work`` raised it for a batch that held one of these items.
            Exception: what ``work`` raised for one of these items by itself.
        """
        jobs = self._submit(items, self._max_queue)
        try:
            if len(jobs) == 1:
                return [await jobs[0].future]
            outcomes = await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
        except asyncio.CancelledError:
            self._queue.remove(lambda job: job.future.done())
            raise
        finally:  # also for a request that was cancelled
            if timing is not None and jobs:
                record_timing(timing, jobs, self._labels)
        results: list[U] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            results.append(outcome)
        return results

    async def stream(
        self, items: Sequence[T], timing: Timing | None = None, first: int = 1
    ) -> AsyncGenerator[U, None]:
        """The result of each item in order, as soon as it and those before it are there.

        The items are queued in groups: the first ``first``, then 2, 4 and ``MAX_GROUP`` at a time,
        each when a result of the group before it is there. So the first result comes early, the
        model works while the caller uses what it has, and of a caller that is slow few results
        wait. Only the first group can be refused. Close it (``aclosing``): its waiting items then
        leave the queue.

        Raises:
            QueueFullError, ShuttingDownError, InferenceTimeoutError, Exception: as ``run``.
        """
        current = self._submit(items[:first], self._max_queue)
        following: list[Job[T, U]] = []
        submitted, size = len(current), 2
        try:
            while current:
                for i, job in enumerate(current):
                    result = await job.future
                    if i == 0:
                        following = self._submit(items[submitted : submitted + size], sys.maxsize)
                        submitted, size = submitted + size, min(2 * size, MAX_GROUP)
                    yield result
                if timing is not None:
                    record_timing(timing, current, self._labels)
                current, following = following, []
        finally:
            self._abandon([*current, *following])

    async def run_now(self, items: Sequence[T]) -> list[U]:
        """The results of a batch that does not queue; the caller holds a slot of the limiter.

        Raises:
            Exception: what ``work`` raised.
        """
        return await self._work(list(items))

    def _submit(self, items: Sequence[T], limit: int) -> list[Job[T, U]]:
        """Queue items, all of them or none, while at most ``limit`` wait."""
        if self._closed:
            raise ShuttingDownError("the service is stopping")
        loop, now = asyncio.get_running_loop(), time.perf_counter()
        jobs: list[Job[T, U]] = [Job(item, loop.create_future(), now) for item in items]
        self._queue.push(jobs, limit)
        self._spawn_workers()
        return jobs

    def _abandon(self, jobs: Sequence[Job[T, U]]) -> None:
        """Take jobs out of the queue whose results nobody waits for any more."""
        for job in jobs:
            if not job.future.cancel() and not job.future.cancelled():
                job.future.exception()  # seen, so that asyncio does not log it
        if jobs:
            self._queue.remove(lambda job: job.future.done())

    @property
    def waiting(self) -> int:
        """Number of items in the queue."""
        return len(self._queue)

    async def close(self) -> None:
        """Accept no more items and wait for those already queued."""
        self._closed = True
        while workers := [worker for worker in self._workers if worker]:
            await asyncio.wait(workers)

    def _spawn_workers(self) -> None:
        """Start a worker for each free slot that has an item, or one to wait for a slot."""
        waiting = len(self._queue)
        wanted = min(waiting, self._limiter.free) - self._entering
        if waiting and not self._workers:
            wanted = max(1, wanted)
        for _ in range(wanted):
            self._entering += 1
            self._workers.add(asyncio.get_running_loop().create_task(self._worker_loop()))

    async def _worker_loop(self) -> None:
        try:
            while True:
                async with self._limiter.call(lambda: len(self._queue)) as batch_size:
                    self._entering -= 1
                    batch = self._take(min(batch_size, self._max_batch))
                    self._spawn_workers()
                    if batch:
                        await self._run_batch(batch)
                    again = bool(self._queue)
                    self._entering += again  # before the limiter says that the slot is free
                if not again:
                    return
        finally:  # at once, so that the next request starts another worker
            self._workers.discard(asyncio.current_task())

    def _take(self, max_count: int) -> list[Job[T, U]]:
        """The next batch, without the items of requests that were cancelled."""
        batch: list[Job[T, U]] = []
        queue, now = self._queue, time.perf_counter()
        while len(batch) < max_count and queue:
            job = queue.pop()
            if not job.future.done():
                job.started_at = now
                batch.append(job)
        return batch

    async def _run_batch(self, batch: list[Job[T, U]]) -> None:
        error = await self._try_batch(batch)
        if error is None:
            return
        if len(batch) == 1 or isinstance(error, InferenceTimeoutError):
            for job in batch:
                fail(job, error)
            return
        for job in batch:  # one bad item must not fail its batch neighbours
            if (error := await self._try_batch([job])) is not None:
                fail(job, error)

    async def _try_batch(self, batch: list[Job[T, U]]) -> Exception | None:
        """Run a batch and set its results; the error if it failed."""
        number, started = next(self._batch_numbers), time.perf_counter()
        concurrent_calls = 1 if self._limiter.exclusive else self._limiter.slots
        for job in batch:
            job.batch_number, job.batch_size = number, len(batch)
        try:
            results = await self._work([job.item for job in batch])
            ended = time.perf_counter()
            self._queue.record_seconds_per_item((ended - started) / len(batch) / concurrent_calls)
            self._observe(Batch([job.started_at - job.queued_at for job in batch], ended - started))
            if len(results) != len(batch):
                raise RuntimeError(f"{len(batch)} items gave {len(results)} results")
        except Exception as error:
            return error
        for job, result in zip(batch, results, strict=True):
            job.ended_at = ended
            if not job.future.done():
                job.future.set_result(result)
        return None
