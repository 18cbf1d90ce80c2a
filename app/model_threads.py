"""The threads that run models: given up and replaced when a call does not come back."""

import asyncio
import logging
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

from app.batcher import DeviceLostError, LostError

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


class ModelThreads:
    """Runs one call at a time on each thread, away from the event loop.

    A call that takes longer than it may is given up with its thread, which is replaced. After the
    fourth such loss in a row, and at once when a call finds its device lost, nothing is run any
    more and ``on_given_up`` is called. Calls that ran together and were all lost are one loss. The
    same happens once more threads hang than such losses leave behind, whatever others answered.

    Args:
        count: of the threads; no more calls may run at the same time.
        hang_seconds: most time for one call.
        on_given_up: called once, on the event loop, when there is no more hope.
        on_lost: called likewise for every call that is lost.
    """

    def __init__(
        self,
        count: int,
        hang_seconds: float,
        on_given_up: Callable[[], None],
        on_lost: Callable[[], object] = lambda: None,
    ) -> None:
        self.losses = 0  # in a row
        self._count = count
        self._lost_at = -math.inf  # by the event loop's clock
        self.given_up = False  # for good; calls are refused
        self._hang_seconds = hang_seconds
        self._on_given_up, self._on_lost = on_given_up, on_lost
        self._abandoned: list[threading.Thread] = []
        self._device_lost = False
        self._idle = [_Worker(number) for number in range(count)]

    @property
    def abandoned(self) -> bool:
        """Whether the interpreter's end would trip: on a thread in a call, or a lost device."""
        in_call = len(self._idle) < self._count
        return self._device_lost or in_call or any(t.is_alive() for t in self._abandoned)

    async def run(self, call: Callable[[], T], limited: bool = True) -> T:
        """The answer of ``call``, made on an idle thread.

        Args:
            call: what to run.
            limited: whether it may not take longer than ``hang_seconds``.

        Raises:
            LostError: if it took longer, or there is no hope any more.
            DeviceLostError: if ``call`` raised it.
            Exception: what ``call`` raised.
        """
        if self.given_up:
            raise LostError("the model was lost for good; the service is ending")
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
        done, _ = await asyncio.wait({answer}, timeout=self._hang_seconds if limited else None)
        if done:
            self.losses = 0
            if isinstance(answer.exception(), DeviceLostError):
                self._device_lost = True
                self._give_up("the device is lost")
            return answer.result()
        answer.cancel()
        if began >= self._lost_at:
            self.losses, self._lost_at = self.losses + 1, loop.time()
        self._lose(worker)
        raise LostError(f"the model did not answer within {self._hang_seconds:g} seconds")

    def close(self) -> None:
        """End the threads, whose calls are done, so that they do not outlive the interpreter."""
        for worker in self._idle:
            worker.calls.put(None)
        for worker in self._idle:
            worker.thread.join(self._hang_seconds)

    def _lose(self, worker: _Worker) -> None:
        worker.calls.put(None)  # the thread ends if it ever comes back
        self._on_lost()
        hanging = [thread for thread in self._abandoned if thread.is_alive()]
        self._abandoned = [*hanging, worker.thread]
        if self.losses > MAX_REPLACEMENTS:
            self._give_up(f"the model was lost {self.losses} times")
        elif len(self._abandoned) > (MAX_REPLACEMENTS + 1) * self._count:
            self._give_up(f"{len(self._abandoned)} threads of the model hang")
        else:
            log.error("the model was lost; loss %d, it has a new thread", self.losses)
            self._idle.append(_Worker(worker.number))

    def _give_up(self, why: str) -> None:
        if self.given_up:
            return
        self.given_up = True
        log.critical("%s; giving up", why)
        self._on_given_up()
