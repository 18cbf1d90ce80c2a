"""Many rounds of faults, of every kind, at random times, on one server under load."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.app.conftest import apart
from tests.soak.load import Clients, Response, statuses
from tests.soak.rounds import ROUNDS, SETTINGS, Context
from tests.soak.server import Server

CLIENTS = 4


class SoakFailureError(Exception):
    """A round in which the service did not behave as documented."""


@dataclass
class Summary:
    """The results of the rounds of one kind."""

    seconds: list[float] = field(default_factory=list)
    load: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        return {
            "rounds": len(self.seconds),
            "seconds_until_served": {
                "median": round(median(self.seconds), 2),
                "max": round(max(self.seconds), 2),
            },
            "load": dict(sorted(self.load.items())),
        }


def schedule(rounds: int, rng: random.Random) -> list[str]:
    """Every kind equally often, in random order."""
    names: list[str] = []
    while len(names) < rounds:
        names += rng.sample(sorted(ROUNDS), len(ROUNDS))
    return names[:rounds]


async def run(model: Path, folder: Path, rounds: int, seed: int) -> dict[str, Any]:
    """Play the rounds and return their results.

    Raises:
        SoakFailureError: at the first round that fails.
    """
    rng = random.Random(seed)
    summaries: dict[str, Summary] = {}
    started = time.monotonic()
    async with (
        Server(model, folder, **SETTINGS) as server,
        Clients(server.port, CLIENTS, pause_seconds=0.05) as clients,
    ):
        context = Context(server, clients, rng)
        expected = await context.decoded()
        for number, name in enumerate(schedule(rounds, rng), 1):
            try:
                seconds, responses = await _round(context, name)
                assert apart(await context.decoded(), expected) <= 1, "the image has changed"
            except Exception as error:
                log = server.log.read_text()[-2000:]
                raise SoakFailureError(f"round {number}, {name}: {error!r}\n{log}") from error
            kind = summaries.setdefault(name, Summary())
            kind.seconds.append(seconds)
            kind.load.update(statuses(responses))
            print(f"{number}/{rounds} {name}: {seconds:.2f} s", flush=True)
    return {
        "seed": seed,
        "rounds": rounds,
        "seconds": round(time.monotonic() - started),
        "kinds": {name: kind.summary() for name, kind in sorted(summaries.items())},
    }


async def _round(context: Context, name: str) -> tuple[float, list[Response]]:
    """Play one round: seconds until every client was served again, and the responses."""
    play, allowed = ROUNDS[name]
    before = len(context.clients.responses)
    await context.pause()
    started = time.monotonic()
    await play(context)
    await context.clients.served()
    responses = context.clients.responses[before:]
    assert {response.status for response in responses} <= {200} | allowed, statuses(responses)
    return time.monotonic() - started, responses
