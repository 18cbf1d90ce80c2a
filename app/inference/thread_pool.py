"""The threads that run models; a thread whose call does not return is replaced."""

import asyncio
import logging
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from app.inference.errors import DeviceLostError, InferenceTimeoutError

T = TypeVar("T")

MAX_REPLACEMENTS = 3  # in a row

log = logging.getLogger("lorgnette")


def run_job(job: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """The result of a job or its error, as one that a future accepts."""
    try:
        return job(), None
    except StopIteration as error:  # a future refuses it
        return None, RuntimeError(f"the job raised {error!r}")
    except Exception as error:
        return None, error
    except BaseException as error:  # it would end the event loop
        return None, RuntimeError(f"the job raised {error!r}")


class _Worker:
    """A thread, and the jobs that it runs in turn until one is None.

    It is a daemon thread: one that hangs does not keep the process from exiting.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.abandoned = False
        self.jobs = SimpleQueue[Callable[[], None] | None]()
        self.thread = threading.Thread(target=self._serve, name="model", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()
            del job  # an idle thread keeps nothing alive


class InferenceThreadPool:
    """Runs one job at a time on each thread, away from the event loop.

    A job that exceeds the timeout is abandoned together with its thread, which is replaced. After
    four timeouts in a row, and at once when a job finds its device lost, the pool fails for good:
    it refuses all jobs and calls ``on_fatal``. Jobs that ran at the same time and all timed out
    count as one timeout. The pool also fails once more threads hang than four such timeouts leave
    behind, whatever other jobs returned.

    Args:
        count: number of threads; no more jobs may run at the same time.
        inference_timeout_seconds: longest time for one job.
        on_fatal: called once, on the event loop, when the pool fails for good.
        on_timeout: called on the event loop for every job that exceeds the timeout.

    Attributes:
        consecutive_timeouts: since the last job that returned.
        fatal: whether the pool has failed for good.
    """

    def __init__(
        self,
        count: int,
        inference_timeout_seconds: float,
        on_fatal: Callable[[], None],
        on_timeout: Callable[[], object] = lambda: None,
    ) -> None:
        self.consecutive_timeouts = 0
        self.fatal = False
        self._count = count
        self._timeout = inference_timeout_seconds
        self._on_fatal, self._on_timeout = on_fatal, on_timeout
        self._last_timeout_at = -math.inf  # by the clock of the event loop
        self._abandoned: list[threading.Thread] = []
        self._device_lost = False
        self._idle = [_Worker(number) for number in range(count)]

    @property
    def has_hung_threads(self) -> bool:
        """Whether the interpreter cannot exit cleanly: a thread is in a job, or a device lost."""
        in_job = len(self._idle) < self._count
        return self._device_lost or in_job or any(t.is_alive() for t in self._abandoned)

    @property
    def is_healthy(self) -> bool:
        """Whether the last job returned in time and every idle thread is alive."""
        return (
            not self.fatal
            and self.consecutive_timeouts == 0
            and all(worker.thread.is_alive() for worker in self._idle)
        )

    async def run(self, job: Callable[[], T], limited: bool = True) -> T:
        """The result of ``job``, run on an idle thread.

        Args:
            job: the function to run.
            limited: whether ``inference_timeout_seconds`` applies.

        Raises:
            InferenceTimeoutError: if it exceeded the timeout, or the pool has failed for good.
            DeviceLostError: if ``job`` raised it.
            Exception: what ``job`` raised.
        """
        if self.fatal:
            raise InferenceTimeoutError("the model failed for good; the service is ending")
        # The lowest number: OpenMP keeps a team for each thread that had one, and teams wait less
        # eagerly where they have more threads than there are cores.
        worker = min(self._idle, key=lambda idle: idle.number)
        self._idle.remove(worker)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        worker.jobs.put(partial(self._run, worker, future, job))
        timer = None
        if limited:
            timer = loop.call_later(self._timeout, self._time_out, worker, future, loop.time())
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            del future  # as in ``_run``

    def _run(self, worker: _Worker, future: asyncio.Future[T], job: Callable[[], T]) -> None:
        """Run a job on its thread."""
        result, error = run_job(job)
        with suppress(RuntimeError):  # the event loop has ended without waiting for this job
            loop = future.get_loop()
            loop.call_soon_threadsafe(self._resolve, worker, future, result, error)
        # The traceback of the error refers to this frame: a cycle would keep the job's batch.
        del job, future, result, error

    def close(self) -> None:
        """End the idle threads, so that they do not outlive the interpreter."""
        for worker in self._idle:
            worker.jobs.put(None)
        for worker in self._idle:
            worker.thread.join(self._timeout)

    def _resolve(
        self, worker: _Worker, future: asyncio.Future[T], result: T | None, error: Exception | None
    ) -> None:
        if worker.abandoned:
            return
        self._idle.append(worker)
        self.consecutive_timeouts = 0
        if isinstance(error, DeviceLostError):
            self._device_lost = True
            self._fail("the device is lost")
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]
        else:
            future.set_exception(error)

    def _time_out(self, worker: _Worker, future: asyncio.Future[T], started: float) -> None:
        """Abandon a job that began at ``started``, and replace its thread."""
        if started >= self._last_timeout_at:
            self.consecutive_timeouts += 1
            self._last_timeout_at = asyncio.get_running_loop().time()
        self._replace_hung(worker)
        if not future.done():
            message = f"the model did not respond within {self._timeout:g} s"
            future.set_exception(InferenceTimeoutError(message))

    def _replace_hung(self, worker: _Worker) -> None:
        worker.abandoned = True
        worker.jobs.put(None)  # the thread ends if its job ever returns
        self._on_timeout()
        hung = [thread for thread in self._abandoned if thread.is_alive()]
        self._abandoned = [*hung, worker.thread]
        if self.consecutive_timeouts > MAX_REPLACEMENTS:
            self._fail(f"{self.consecutive_timeouts} model calls in a row timed out")
        elif len(self._abandoned) > (MAX_REPLACEMENTS + 1) * self._count:
            self._fail(f"{len(self._abandoned)} model threads hang")
        else:
            timeouts = self.consecutive_timeouts
            log.error("a model call timed out (%d in a row); its thread is replaced", timeouts)
            self._idle.append(_Worker(worker.number))

    def _fail(self, reason: str) -> None:
        if self.fatal:
            return
        self.fatal = True
        log.critical("%s; the service is ending", reason)
        self._on_fatal()
