"""The store of directions, on both kinds of database."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.store import directions
from app.store.database import StoreError
from app.store.directions import DirectionStore, SavedDirection, TooManyDirectionsError
from tests.app.processes import ROOT
from tests.app.store.conftest import PostgreSQL

MODEL, OTHER = "a" * 64, "b" * 64
FRAME = SavedDirection("frame", (1.5, -0.25, 2.0**-30), "our frame", "difference of means", 40)

WRITER = """
import asyncio, sys
from app.store.directions import DirectionStore, SavedDirection

async def main(url, first):
    store = DirectionStore(url)
    for i in range(first, first + 10):
        await store.save("a" * 64, SavedDirection(f"d{i}", (float(i),), "m", "t", 1))
        await store.save("a" * 64, SavedDirection("shared", (float(i),) * 100, "m", "t", 1))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
KILLED = """
import os, signal, sys
from sqlalchemy import delete
from app.store.database import Database
from app.store.tables import directions

with Database(sys.argv[1]).transaction(write=True) as connection:
    connection.execute(delete(directions))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def with_store(url: str, scenario: Callable[[DirectionStore], Awaitable[None]]) -> None:
    async def run() -> None:
        store = DirectionStore(url)
        await scenario(store)
        store.close()

    asyncio.run(run())


def script(source: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", source, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_what_is_saved_is_found_exactly_by_every_process(url: str) -> None:
    async def save(store: DirectionStore) -> None:
        assert await store.find(MODEL) == {}
        assert await store.save(MODEL, FRAME) is True
        assert (
            await store.save(MODEL, replace(FRAME, vector=(0.5,), subspace_rows=(1.0, 2.0)))
            is False
        )

    async def find(store: DirectionStore) -> None:
        found = await store.find(MODEL, {"frame", "other"})
        assert found == {"frame": replace(FRAME, vector=(0.5,), subspace_rows=(1.0, 2.0))}
        assert await store.find(MODEL, {"other"}) == {}
        assert await store.find(OTHER) == {}
        assert await store.delete(OTHER, "frame") is False
        assert await store.delete(MODEL, "frame") is True
        assert await store.delete(MODEL, "frame") is False
        assert await store.find(MODEL) == {}

    with_store(url, save)
    with_store(url, find)


def test_a_model_has_so_many_and_no_more(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "MAX_DIRECTIONS", 2)

    async def scenario(store: DirectionStore) -> None:
        for name in ("a", "b", "b"):
            await store.save(MODEL, replace(FRAME, name=name))
        with pytest.raises(TooManyDirectionsError, match="2 saved directions"):
            await store.save(MODEL, replace(FRAME, name="c"))
        await store.save(OTHER, FRAME)
        assert list(await store.find(MODEL)) == ["a", "b"]

    with_store(url, scenario)


def test_processes_that_write_at_once_lose_nothing(url: str) -> None:
    writers = [script(WRITER, url, str(first)) for first in (0, 10, 20)]
    errors = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], errors

    async def scenario(store: DirectionStore) -> None:
        found = await store.find(MODEL)
        assert set(found) == {f"d{i}" for i in range(30)} | {"shared"}
        assert all(found[f"d{i}"].vector == (float(i),) for i in range(30))
        assert len(set(found["shared"].vector)) == 1  # of one writer, not of two

    with_store(url, scenario)


def test_a_writer_that_is_killed_leaves_what_was_there(url: str) -> None:
    async def save(store: DirectionStore) -> None:
        await store.save(MODEL, FRAME)

    async def scenario(store: DirectionStore) -> None:
        assert await store.find(MODEL) == {"frame": FRAME}
        assert await store.save(MODEL, replace(FRAME, name="next")) is True

    with_store(url, save)
    writer = script(KILLED, url)
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    with_store(url, scenario)


def test_reading_creates_no_file(tmp_path: Path) -> None:
    async def scenario(store: DirectionStore) -> None:
        assert await store.find(MODEL) == {}
        assert await store.delete(MODEL, "frame") is False

    with_store(f"sqlite:///{tmp_path}/directions.sqlite3", scenario)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_no_database(tmp_path: Path) -> None:
    async def scenario(store: DirectionStore) -> None:
        with pytest.raises(StoreError, match="does not respond"):
            await store.save(MODEL, FRAME)

    with_store(f"sqlite:///{tmp_path}/none/directions.sqlite3", scenario)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database " * 100)

    async def scenario(store: DirectionStore) -> None:
        with pytest.raises(StoreError):
            await store.find(MODEL)
        with pytest.raises(StoreError):
            await store.save(MODEL, FRAME)

    with_store(f"sqlite:///{file}", scenario)
    assert file.read_text() == "not a database " * 100


def test_a_server_that_comes_back_is_used_again(postgresql: PostgreSQL) -> None:
    async def scenario(store: DirectionStore) -> None:
        await store.save(MODEL, FRAME)
        postgresql.stop()
        for work in (lambda: store.save(MODEL, FRAME), lambda: store.find(MODEL)):
            with pytest.raises(StoreError) as caught:
                await work()
            assert str(postgresql.port) not in str(caught.value)
        postgresql.start()
        assert await store.find(MODEL, {"frame"}) == {"frame": FRAME}

    with_store(postgresql.url, scenario)
