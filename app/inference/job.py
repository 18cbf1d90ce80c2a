"""One item of a request in a batcher."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.observability.timing import Span, Timing

T = TypeVar("T")
U = TypeVar("U")


@dataclass(slots=True, eq=False)
class Job(Generic[T, U]):
    """One item of a request; times are those of ``time.perf_counter``, 0 until they are known."""

    item: T
    future: asyncio.Future[U]
    queued_at: float
    started_at: float = 0.0
    ended_at: float = 0.0
    batch_number: int = 0
    batch_size: int = 0


def record_timing(timing: Timing, jobs: Sequence[Job[T, U]], labels: Mapping[str, str]) -> None:
    """Add the queue time, the model time and the spans of these jobs, as far as they ran."""
    now = time.perf_counter()
    queued, started = jobs[0].queued_at, max(job.started_at or now for job in jobs)
    timing.queue += started - queued
    timing.spans.append(Span("queue", queued, started, {**labels, "items": len(jobs)}))
    batches: dict[int, list[Job[T, U]]] = {}
    for job in jobs:
        if job.batch_number:
            batches.setdefault(job.batch_number, []).append(job)
    for number, members in batches.items():
        ended = max(job.ended_at or now for job in members)
        attributes: dict[str, int | str] = {
            **labels,
            "batch.number": number,
            "batch.size": members[0].batch_size,
            "items": len(members),
        }
        timing.spans.append(Span("batch", members[0].started_at, ended, attributes))
    if all(job.ended_at for job in jobs):
        timing.model += max(job.ended_at for job in jobs) - started


def fail(job: Job[T, U], error: Exception) -> None:
    """Give a job an exception object of its own.

    The traceback of one that several requests raise would grow with each, and keep the frames of
    all of them.
    """
    job.ended_at = time.perf_counter()
    if job.future.done():
        return
    own = type(error).__new__(type(error), *error.args)
    own.args, own.__cause__ = error.args, error.__cause__
    own.__dict__.update(error.__dict__)
    job.future.set_exception(own.with_traceback(error.__traceback__))
