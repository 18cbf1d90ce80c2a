"""Four times the load that a server can serve: its goodput, latency and memory."""

import asyncio
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.soak.load import Clients, Response, ask, open_loop, statuses
from tests.soak.server import Server

BATCH, QUEUE = 4, 16
SECONDS_PER_BATCH = 0.2  # slept, so that the processor does not limit the capacity
OVERLOAD_FACTOR = 4
SETTINGS = {
    "MODEL_THREADS": "1",  # one call at a time, so that a known number of clients fills it
    "MAX_BATCH": str(BATCH),
    "MAX_QUEUE": str(QUEUE),
    "MAX_IMAGES": str(QUEUE),
}


@dataclass(frozen=True)
class Overload:
    """The measurements; rates are responses per second."""

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
        """Assert what holds on a machine of any speed: the statuses, and the limit of memory."""
        assert self.statuses.keys() == {"200", "503"}, self.statuses
        assert self.memory_after <= 1.05 * self.memory_before + 16 * 2**20, self

    def check_times(self) -> None:
        """Assert the limits of times, which hold on a machine with nothing else to do."""
        assert self.offered > 0.75 * OVERLOAD_FACTOR * self.peak, "too few requests were sent"
        assert self.goodput >= 0.9 * self.peak, self
        assert self.p99_seconds <= self.bound_seconds, self


async def run(model: Path, folder: Path, seconds: float) -> Overload:
    """Measure the peak for a quarter of the time, then four times that for all of it."""
    async with Server(model, folder, **SETTINGS) as server:
        server.begin("pace", str(SECONDS_PER_BATCH))
        peak = await _peak(server.port, max(2.0, seconds / 4))
        await open_loop(server.port, OVERLOAD_FACTOR * peak, 1.0)  # opens connections
        before = server.memory
        started = time.monotonic()
        responses = await open_loop(server.port, OVERLOAD_FACTOR * peak, seconds)
        duration = time.monotonic() - started
        await _check_recovered(server)
        return _measured(responses, peak, duration, (before, server.memory))


async def _peak(port: int, seconds: float) -> float:
    """Responses per second to as many clients as fill every batch without a refusal."""
    async with Clients(port, 2 * BATCH, pause_seconds=0.0) as clients:
        await clients.served()
        begun, started = len(clients.responses), time.monotonic()
        await asyncio.sleep(seconds)
        responses = clients.responses[begun:]
        assert {response.status for response in responses} == {200}, statuses(responses)
        return len(responses) / (time.monotonic() - started)


async def _check_recovered(server: Server) -> None:
    """Nothing waits any more, and a request is served."""
    assert await server.waiting("decode") == 0
    assert (await ask(server.port, "/sample", {})).status == 200


def _measured(
    responses: list[Response], peak: float, duration: float, memory: tuple[int, int]
) -> Overload:
    served = sorted(response.seconds for response in responses if response.status == 200)
    assert all((a.retry_after or 0) > 0 for a in responses if a.status == 503)
    batches_waited = QUEUE / BATCH + 2  # those in the queue, the running one, its own
    return Overload(
        seconds=duration,
        peak=peak,
        offered=len(responses) / (max(a.sent for a in responses) - min(a.sent for a in responses)),
        goodput=len(served) / duration,
        statuses=statuses(responses),
        p99_seconds=served[int(0.99 * (len(served) - 1))],
        bound_seconds=batches_waited * BATCH / peak,
        memory_before=memory[0],
        memory_after=memory[1],
    )
