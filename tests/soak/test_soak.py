"""The soak in short: every kind of fault once, and a few seconds of overload."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.soak import faults, overload
from tests.soak.rounds import ROUNDS


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_kind_of_fault_once(models: Path, tmp_path: Path) -> None:
    found = asyncio.run(faults.run(models / "tiny", tmp_path, len(ROUNDS), seed=1))
    assert found["kinds"].keys() == ROUNDS.keys()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_four_times_what_it_can_serve(models: Path, tmp_path: Path) -> None:
    asyncio.run(overload.run(models / "tiny", tmp_path, 8.0)).check()


def test_the_same_seed_is_the_same_soak() -> None:
    first, second, other = (faults.schedule(20, random.Random(seed)) for seed in (3, 3, 4))
    assert first == second != other
    assert set(first[:8]) == set(ROUNDS)
