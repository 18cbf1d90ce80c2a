"""Four times the load that a server can serve: what it serves of it, and what becomes of it."""

import asyncio
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.soak.load import Answer, Crowd, arrivals, ask, statuses
from tests.soak.server import Server

BATCH, QUEUE = 4, 16
PACE = 0.2  # seconds of every model call, slept, so that the processor does not set the capacity
TIMES = 4
SETTINGS = {
    "MODEL_THREADS": "1",  # one call at a time, so that the clients who fill it can be counted
    "MAX_BATCH": str(BATCH),
    "MAX_QUEUE": str(QUEUE),
    "MAX_PICTURES": str(QUEUE),
}


@dataclass(frozen=True)
class Overload:
    """What was measured; rates are answers a second."""

    seconds: float
    peak: float
    offered: float
    goodput: float
    statuses: dict[str, int]
    p99_seconds: float
    bound_seconds: float
    memory_before: int
    memory_after: int

    def summary(self) -> dict[str, Any]:
        ratio = {"goodput_of_peak": round(self.goodput / self.peak, 3)}
        rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return rounded | ratio

    def check(self) -> None:
        """Assert what is promised."""
        assert self.offered > 0.75 * TIMES * self.peak, "the load was not what it should be"
        assert self.statuses.keys() == {"200", "503"}, self.statuses
        assert self.goodput >= 0.9 * self.peak, self
        assert self.p99_seconds <= self.bound_seconds, self
        assert self.memory_after <= 1.05 * self.memory_before + 16 * 2**20, self


async def run(model: Path, folder: Path, seconds: float) -> Overload:
    """Measure the peak for a quarter of the time, then four times that for all of it."""
    async with Server(model, folder, **SETTINGS) as server:
        server.begin("pace", str(PACE))
        peak = await _peak(server.port, max(2.0, seconds / 4))
        await arrivals(server.port, TIMES * peak, 1.0)  # every connection and buffer, once
        before = server.memory
        started = time.monotonic()
        answers = await arrivals(server.port, TIMES * peak, seconds)
        took = time.monotonic() - started
        await _calm(server)
        return _judged(answers, peak, took, (before, server.memory))


async def _peak(port: int, seconds: float) -> float:
    """Answers a second to as many clients as keep every batch full and none refused."""
    async with Crowd(port, 2 * BATCH, rest=0.0) as crowd:
        await crowd.served()
        begun, started = len(crowd.answers), time.monotonic()
        await asyncio.sleep(seconds)
        answers = crowd.answers[begun:]
        assert {answer.status for answer in answers} == {200}, statuses(answers)
        return len(answers) / (time.monotonic() - started)


async def _calm(server: Server) -> None:
    """The service is at once what it was: nothing waits, and a request is served."""
    assert await server.waiting("decode") == 0
    assert (await ask(server.port, "/sample", {})).status == 200


def _judged(answers: list[Answer], peak: float, took: float, memory: tuple[int, int]) -> Overload:
    served = sorted(answer.seconds for answer in answers if answer.status == 200)
    assert all((a.retry_after or 0) > 0 for a in answers if a.status == 503)
    batches_waited = QUEUE / BATCH + 2  # those in the queue, the one before them, its own
    return Overload(
        seconds=took,
        peak=peak,
        offered=len(answers) / (max(a.sent for a in answers) - min(a.sent for a in answers)),
        goodput=len(served) / took,
        statuses=statuses(answers),
        p99_seconds=served[int(0.99 * (len(served) - 1))],
        bound_seconds=batches_waited * BATCH / peak,
        memory_before=memory[0],
        memory_after=memory[1],
    )
