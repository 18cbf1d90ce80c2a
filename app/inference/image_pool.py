"""Threads that decode and encode images, away from the event loop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

from app.inference.errors import OutOfMemoryError, ShuttingDownError
from app.inference.fair_queue import FairQueue
from app.inference.heap import trim_heap
from app.inference.thread_pool import run_job

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Job(Generic[R]):
    work: Callable[[], R]
    future: asyncio.Future[R]


class FairThreadPool:
    """Threads behind a fair queue.

    Args:
        threads: how many.
        name: of the threads.
        after_each: called on the thread after every job.
    """

    def __init__(
        self, threads: int, name: str, after_each: Callable[[], object] = lambda: None
    ) -> None:
        self._after_each = after_each
        self._queue = FairQueue[_Job[object]]()
        self._lock = Lock()  # of the queue
        self._closed = False
        self._wakeups = SimpleQueue[bool]()  # True for each job, False to end a thread
        self._threads = [Thread(target=self._serve, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, works: Sequence[Callable[[], R]], limit: int) -> list[asyncio.Future[R]]:
        """Queue the work of one request, all of it or nothing.

        Raises:
            QueueFullError: if more than ``limit`` jobs would wait.
            ShuttingDownError: after ``close``.
        """
        if self._closed:
            raise ShuttingDownError("the service is stopping")
        loop = asyncio.get_running_loop()
        jobs: list[_Job[R]] = [_Job(work, loop.create_future()) for work in works]
        with self._lock:
            self._queue.push(jobs, limit)  # type: ignore[arg-type]
        for _ in jobs:
            self._wakeups.put(True)
        return [job.future for job in jobs]

    def remove_cancelled(self) -> None:
        """Remove the jobs whose futures were cancelled; those that run go on."""
        with self._lock:
            self._queue.remove(lambda job: job.future.done())

    def close(self) -> None:
        """Accept no more jobs, finish those that wait and end the threads."""
        self._closed = True
        for _ in self._threads:
            self._wakeups.put(False)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while self._wakeups.get():
            with self._lock:
                job = self._queue.pop() if self._queue else None
            if job is None:  # it was cancelled
                continue
            self._run(job)
            del job  # an idle thread keeps nothing alive
            self._after_each()

    def _run(self, job: _Job[object]) -> None:
        started = time.perf_counter()
        result, error = run_job(job.work)
        if isinstance(error, MemoryError):
            error = OutOfMemoryError("no memory to decode or encode an image")
        seconds = time.perf_counter() - started
        with suppress(RuntimeError):  # the event loop has ended without waiting for this job
            job.future.get_loop().call_soon_threadsafe(self._resolve, job, result, error, seconds)
        # The traceback of the error refers to this frame: a cycle would keep what the job used.
        del job, result, error

    def _resolve(
        self, job: _Job[object], result: object, error: Exception | None, seconds: float
    ) -> None:
        self._queue.record_seconds_per_item(seconds / len(self._threads))
        if job.future.done():
            return
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)


class ImagePool:
    """Runs image work on threads, with fair queueing between requests.

    Large images are processed one at a time, on a thread of their own, since their memory adds up.

    The queue that accepts images keeps ``max_queue`` further slots free for responses: a response
    is not refused, after its model call, because of images that others upload.

    Args:
        threads: number of threads.
        max_queue: largest number of images that wait to be decoded; also of responses that wait to
            be encoded, and of large images.
    """

    def __init__(self, threads: int, max_queue: int) -> None:
        self._max_queue = max_queue
        self._parallel = FairThreadPool(threads, "image")
        self._serial = FairThreadPool(1, "large-image", after_each=trim_heap)

    async def run(self, work: Callable[[], R]) -> R:
        """The result of ``work``, the single item of a request, such as its response.

        Raises:
            QueueFullError: if the queue is full.
            ShuttingDownError: after ``close``.
            OutOfMemoryError: if ``work`` raised ``MemoryError``.
            Exception: what ``work`` raised.
        """
        [future] = self._parallel.submit([work], 2 * self._max_queue)
        try:
            return await future
        except asyncio.CancelledError:
            self._parallel.remove_cancelled()
            raise
        finally:
            del future  # as in ``FairThreadPool._run``

    async def map(
        self, work: Callable[[T], R], items: Sequence[T], *, serial: bool = False
    ) -> list[R]:
        """The result of ``work`` for each item of one request, in the order of the items.

        When one fails, or the caller is cancelled, the waiting ones leave the queue.

        Args:
            work: called on a thread with one item.
            items: of one request.
            serial: for large images: one at a time over the whole process; the heap is trimmed
                after each.

        Raises:
            QueueFullError: if not all items fit into the queue; then none is queued.
            ShuttingDownError: after ``close``.
            OutOfMemoryError: if ``work`` raised ``MemoryError``.
            Exception: what ``work`` raised first.
        """
        if not items:
            return []
        pool = self._serial if serial else self._parallel
        futures = pool.submit([partial(work, item) for item in items], self._max_queue)
        try:
            return await asyncio.gather(*futures)
        except BaseException:
            while futures:
                futures.pop().cancel()
            pool.remove_cancelled()
            raise
        finally:
            del futures  # as in ``FairThreadPool._run``

    def close(self) -> None:
        """Accept no more work, finish what waits and end the threads."""
        self._parallel.close()
        self._serial.close()
