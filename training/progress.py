"""Progress of long work: which tasks run, how far each one is, and what it measured last.

Work states what it does with ``task`` and ``counted``. ``watch`` gives a display the running tasks;
where nothing watches, nothing is shown.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

RATE_SECONDS = 60.0  # the rate is the mean over this time
SAMPLE_SECONDS = 0.5  # between two measurements of it

Part = TypeVar("Part", bound=Sized)
Item = TypeVar("Item")


@dataclass(eq=False)
class Task:
    """Work that runs.

    Attributes:
        name: of the work; empty for a part of a task that has one.
        total: units to do, or None if that is not known.
        done: units done.
        unit: what is counted.
        images_per_unit: for the number of images a second.
        terms: what was measured last, such as losses, by name.
        started: when, in seconds of ``time.monotonic``.
    """

    name: str
    total: int | None = None
    done: int = 0
    unit: str = "images"
    images_per_unit: int = 1
    terms: Mapping[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._done_before = self.done
        self._samples = deque([(self.started, self.done)])

    def update(self, done: int, terms: Mapping[str, float] | None = None) -> None:
        """Set the number of units done, and what was measured."""
        self.done, self.terms = done, terms or {}
        now = time.monotonic()
        if now - self._samples[-1][0] >= SAMPLE_SECONDS:
            self._samples.append((now, done))
        while len(self._samples) > 1 and now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()

    def advance(self, count: int) -> None:
        """Add to the number of units done."""
        self.update(self.done + count)

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """Items of one unit each; one is done when the next is asked for."""
        for item in items:
            yield item
            self.advance(1)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def text(self) -> str:
        """How far it is, its speed, what was measured, and the time left, or else elapsed."""
        since, before = self._samples[0]
        rate = (self.done - before) / max(time.monotonic() - since, 1e-9)
        parts = self._parts(rate)
        if self.total is not None and rate > 0:
            parts.append(f"{_clock((self.total - self.done) / rate)} left")
        else:
            parts.append(f"{_clock(self.elapsed)} so far")
        return ", ".join(parts)

    def summary(self) -> str:
        """Its name, what was done and in which time."""
        rate = (self.done - self._done_before) / max(self.elapsed, 1e-9)
        return f"{self.name}: {', '.join([*self._parts(rate), f'took {_clock(self.elapsed)}'])}"

    def _parts(self, rate: float) -> list[str]:
        counts = [] if self.total is None else [f"{self.done:,} of {self.total:,} {self.unit}"]
        speed = [f"{rate * self.images_per_unit:.1f} images/s"] if rate > 0 else []
        return [*counts, *speed, *(f"{name} {value:.4g}" for name, value in self.terms.items())]


@dataclass(frozen=True)
class _Watch:
    running: list[Task]
    on_end: Callable[[Task], None]


_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watch(on_end: Callable[[Task], None]) -> Iterator[Sequence[Task]]:
    """The tasks that run inside this context, the outermost first; it changes while they run.

    Args:
        on_end: called with each outermost task when it has ended without an error.
    """
    running: list[Task] = []
    token = _watch.set(_Watch(running, on_end))
    try:
        yield running
    finally:
        _watch.reset(token)


@contextmanager
def task(
    name: str,
    total: int | None = None,
    done: int = 0,
    unit: str = "images",
    images_per_unit: int = 1,
) -> Iterator[Task]:
    """Work with a name that runs inside this context; see ``Task``."""
    started = Task(name, total, done, unit, images_per_unit)
    watched = _watch.get()
    if watched is None:
        yield started
        return
    outermost = not watched.running
    watched.running.append(started)
    try:
        yield started
    finally:
        watched.running.remove(started)
    if outermost:
        watched.on_end(started)


def counted(parts: Iterable[Part], total: int) -> Iterator[Part]:
    """The batches of a running task, while their images are counted.

    Args:
        parts: batches.
        total: images in all of them.
    """
    with task("", total) as running:
        for part in parts:
            yield part
            running.advance(len(part))


def line(running: Sequence[Task]) -> str:
    """Tasks that run, the outermost first, in one line."""
    return "; ".join(f"{t.name}: {t.text()}" if t.name else t.text() for t in running)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))
