"""Ctrl-C and SIGTERM: noted during the training, so that the run stops between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A command that a signal stopped.

    Attributes:
        signum: number of the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class StopSignals:
    """While this context is open, the first signal is noted; a second acts as it did before.

    A signal that was ignored stays ignored. Outside the main thread nothing is noted.

    Attributes:
        received: number of the signal, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        for signum in _handled():
            self._before[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before.clear()

    def _note(self, signum: int, _: FrameType | None) -> None:
        self.received = signum
        self.__exit__()


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """While this context is open, SIGTERM raises ``Stopped``, as Ctrl-C raises its base."""

    def stop(signum: int, _: FrameType | None) -> None:
        raise Stopped(signum)

    if signal.SIGTERM not in _handled():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _handled() -> list[signal.Signals]:
    """The signals whose handlers this thread can set, and that are not ignored."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return [s for s in SIGNALS if signal.getsignal(s) not in (signal.SIG_IGN, None)]
