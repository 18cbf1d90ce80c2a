"""Many rounds of harm, of every kind, at random times, on one server under load."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.app.conftest import apart
from tests.soak.load import Answer, Crowd, statuses
from tests.soak.rounds import ROUNDS, SETTINGS, Scene
from tests.soak.server import Server

CLIENTS = 4


class BrokenPromiseError(Exception):
    """A round in which the service did not do what it promises."""


@dataclass
class Tally:
    """What the rounds of one kind came to."""

    seconds: list[float] = field(default_factory=list)
    load: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        return {
            "rounds": len(self.seconds),
            "seconds_until_served": {
                "median": round(median(self.seconds), 2),
                "most": round(max(self.seconds), 2),
            },
            "load": dict(sorted(self.load.items())),
        }


def order(rounds: int, chance: random.Random) -> list[str]:
    """Every kind equally often, in any order."""
    names: list[str] = []
    while len(names) < rounds:
        names += chance.sample(sorted(ROUNDS), len(ROUNDS))
    return names[:rounds]


async def run(model: Path, folder: Path, rounds: int, seed: int) -> dict[str, Any]:
    """Play the rounds; the answer is what they came to.

    Raises:
        BrokenPromiseError: at the first round that does not go as it must.
    """
    chance = random.Random(seed)
    tallies: dict[str, Tally] = {}
    started = time.monotonic()
    async with (
        Server(model, folder, **SETTINGS) as server,
        Crowd(server.port, CLIENTS, rest=0.05) as crowd,
    ):
        scene = Scene(server, crowd, chance)
        expected = await scene.decoded()
        for number, name in enumerate(order(rounds, chance), 1):
            try:
                seconds, answers = await _round(scene, name)
                assert apart(await scene.decoded(), expected) <= 1, "another picture than before"
            except Exception as error:
                log = server.log.read_text()[-2000:]
                raise BrokenPromiseError(f"round {number}, {name}: {error!r}\n{log}") from error
            tally = tallies.setdefault(name, Tally())
            tally.seconds.append(seconds)
            tally.load.update(statuses(answers))
            print(f"{number}/{rounds} {name}: {seconds:.2f} s", flush=True)
    return {
        "seed": seed,
        "rounds": rounds,
        "seconds": round(time.monotonic() - started),
        "kinds": {name: tally.summary() for name, tally in sorted(tallies.items())},
    }


async def _round(scene: Scene, name: str) -> tuple[float, list[Answer]]:
    """Play one round: seconds until everybody was served again, and the load's answers."""
    play, allowed = ROUNDS[name]
    before = len(scene.crowd.answers)
    await scene.pause()
    started = time.monotonic()
    await play(scene)
    await scene.crowd.served()
    answers = scene.crowd.answers[before:]
    assert {answer.status for answer in answers} <= {200} | allowed, statuses(answers)
    return time.monotonic() - started, answers
