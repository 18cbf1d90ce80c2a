"""The threads that run models: given up and replaced when a call does not come back."""

import asyncio
import logging
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

from app.inference.batcher import DeviceLostError, InferenceTimeoutError

T = TypeVar("T")

MAX_REPLACEMENTS = 3

log = logging.getLogger("lorgnette")


class _Worker:
    """A thread, and the calls that it makes in turn until one is None.

    It is a daemon: one that hangs does not keep the process from ending.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = SimpleQueue[Callable[[], None] | None]()
        self.thread = threading.Thread(target=self._serve, name="model", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while (call := self.calls.get()) is not None:
            call()


class InferenceThreadPool:
    """Runs one call at a time on each thread, away from the event loop.

    A call that takes longer than it may is given up with its thread, which is replaced. After the
    fourth such loss in a row, and at once when a call finds its device lost, nothing is run any
    more and ``on_fatal`` is called. Calls that ran together and were all lost are one loss. The
    same happens once more threads hang than such losses leave behind, whatever others answered.

    Args:
        count: of the threads; no more calls may run at the same time.
        inference_timeout_seconds: most time for one call.
        on_given_up: called once, on the event loop, when there is no more hope.
        on_lost: called likewise for every call that is lost.
    """

    def __init__(
        self,
        count: int,
        inference_timeout_seconds: float,
        on_fatal: Callable[[], None],
        on_lost: Callable[[], object] = lambda: None,
    ) -> None:
        self.consecutive_timeouts = 0  # in a row
        self._count = count
        self._lost_at = -math.inf  # by the event loop's clock
        self.fatal = False  # for good; calls are refused
        self._inference_timeout_seconds = inference_timeout_seconds
        self._on_given_up, self._on_lost = on_fatal, on_lost
        self._abandoned: list[threading.Thread] = []
        self._device_lost = False
        self._idle = [_Worker(number) for number in range(count)]

    @property
    def has_hung_threads(self) -> bool:
        """Whether the interpreter's end would trip: on a thread in a call, or a lost device."""
        in_call = len(self._idle) < self._count
        return self._device_lost or in_call or any(t.is_alive() for t in self._abandoned)

    async def run(self, call: Callable[[], T], limited: bool = True) -> T:
        """The answer of ``call``, made on an idle thread.

        Args:
            call: what to run.
            limited: whether it may not take longer than ``inference_timeout_seconds``.

        Raises:
            LostError: if it took longer, or there is no hope any more.
            DeviceLostError: if ``call`` raised it.
            Exception: what ``call`` raised.
        """
        if self.fatal:
            raise InferenceTimeoutError("the model was lost for good; the service is ending")
        # A single call is always made on the same one: OpenMP keeps a team for each thread that had
        # one, and teams wait less eagerly where they have more threads than there are cores.
        worker = min(self._idle, key=lambda idle: idle.number)
        self._idle.remove(worker)
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(outcome: T | None, error: Exception | None) -> None:
            if answer.done():
                return
            self._idle.append(worker)
            if error is None:
                answer.set_result(outcome)  # type: ignore[arg-type]
            else:
                answer.set_exception(error)

        def made() -> None:
            outcome: T | None = None
            error: Exception | None = None
            try:
                outcome = call()
            except StopIteration as raised:  # which no future takes
                error = RuntimeError(f"the call raised {raised!r}")
            except Exception as raised:
                error = raised
            except BaseException as raised:  # which would end the event loop
                error = RuntimeError(f"the call raised {raised!r}")
            with suppress(RuntimeError):  # the loop has ended without waiting for this
                loop.call_soon_threadsafe(settle, outcome, error)

        worker.calls.put(made)
        done, _ = await asyncio.wait(
            {answer}, timeout=self._inference_timeout_seconds if limited else None
        )
        if done:
            self.consecutive_timeouts = 0
            if isinstance(answer.exception(), DeviceLostError):
                self._device_lost = True
                self._fail("the device is lost")
            return answer.result()
        answer.cancel()
        if began >= self._lost_at:
            self.consecutive_timeouts, self._lost_at = self.consecutive_timeouts + 1, loop.time()
        self._replace_hung(worker)
        raise InferenceTimeoutError(
            f"the model did not answer within {self._inference_timeout_seconds:g} seconds"
        )

    def close(self) -> None:
        """End the threads, whose calls are done, so that they do not outlive the interpreter."""
        for worker in self._idle:
            worker.calls.put(None)
        for worker in self._idle:
            worker.thread.join(self._inference_timeout_seconds)

    def _replace_hung(self, worker: _Worker) -> None:
        worker.calls.put(None)  # the thread ends if it ever comes back
        self._on_lost()
        hanging = [thread for thread in self._abandoned if thread.is_alive()]
        self._abandoned = [*hanging, worker.thread]
        if self.consecutive_timeouts > MAX_REPLACEMENTS:
            self._fail(f"the model was lost {self.consecutive_timeouts} times")
        elif len(self._abandoned) > (MAX_REPLACEMENTS + 1) * self._count:
            self._fail(f"{len(self._abandoned)} threads of the model hang")
        else:
            log.error("the model was lost; loss %d, it has a new thread", self.consecutive_timeouts)
            self._idle.append(_Worker(worker.number))

    def _fail(self, why: str) -> None:
        if self.fatal:
            return
        self.fatal = True
        log.critical("%s; giving up", why)
        self._on_given_up()
