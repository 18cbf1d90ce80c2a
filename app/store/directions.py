"""The directions that users saved, each bound to the model in whose latent space it is."""

import asyncio
import struct
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from app.store.database import Database
from app.store.tables import directions

MAX_DIRECTIONS = 1000  # of a model
THREADS = 4

T = TypeVar("T")


class TooManyDirectionsError(Exception):
    """The model has as many saved directions as it may have."""


@dataclass(frozen=True)
class SavedDirection:
    """A direction as the database has it.

    Attributes:
        name: letters, digits and underscores.
        vector: D values, exact as float32.
        meaning: one line for users.
        method: how it was computed.
        images: it was computed from.
        subspace_rows: of its within-label subspace, ``K * D`` values; empty if it has none.
        subspace_centre: K values.
    """

    name: str
    vector: tuple[float, ...]
    meaning: str
    method: str
    images: int
    subspace_rows: tuple[float, ...] = ()
    subspace_centre: tuple[float, ...] = ()


class DirectionStore:
    """Reads and writes directions on threads, so that the event loop never waits for the database.

    Every read asks the database, because another process may have written to it.

    Args:
        url: of the database, see ``Database``.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")

    async def find(
        self, model: str, names: Collection[str] | None = None
    ) -> dict[str, SavedDirection]:
        """The directions of a model by name, in alphabetical order.

        Args:
            model: SHA-256 of its checkpoint.
            names: of the directions; None finds all.

        Raises:
            StoreError: if the database does not work.
        """
        if names is not None and not names:
            return {}
        return await self._run(lambda: self._find(model, names))

    async def save(self, model: str, direction: SavedDirection) -> bool:
        """Save a direction in place of one with the same name; whether there was none.

        Args:
            model: SHA-256 of its checkpoint.
            direction: of this model.

        Raises:
            TooManyDirectionsError: if the model has ``MAX_DIRECTIONS`` others.
            StoreError: if the database does not work; then nothing was saved.
        """
        return await self._run(lambda: self._save(model, direction))

    async def delete(self, model: str, name: str) -> bool:
        """Delete a direction; whether there was one.

        Raises:
            StoreError: if the database does not work.
        """
        return await self._run(lambda: self._delete(model, name))

    def close(self) -> None:
        """Finish what has begun, then end the threads and connections."""
        self._threads.shutdown(cancel_futures=True)
        self._database.close()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _find(self, model: str, names: Collection[str] | None) -> dict[str, SavedDirection]:
        if not self._database.exists:
            return {}
        query = select(directions).where(directions.c.model_sha256 == model)
        if names is not None:
            query = query.where(directions.c.name.in_(names))
        with self._database.transaction(write=False) as connection:
            rows = connection.execute(query.order_by(directions.c.name)).all()
        return {row.name: _direction(row) for row in rows}

    def _save(self, model: str, direction: SavedDirection) -> bool:
        values = {
            name: _packed(value) if isinstance(value, tuple) else value
            for name, value in vars(direction).items()
        }
        of_model = directions.c.model_sha256 == model
        with self._database.transaction(write=True) as connection:
            others = select(func.count()).where(of_model, directions.c.name != direction.name)
            if connection.execute(others).scalar_one() >= MAX_DIRECTIONS:
                raise TooManyDirectionsError(
                    f"the model has {MAX_DIRECTIONS} saved directions already; delete one first"
                )
            is_sqlite = connection.dialect.name == "sqlite"
            insert = sqlite_insert if is_sqlite else postgresql_insert
            replaced = connection.execute(
                update(directions)
                .where(of_model, directions.c.name == direction.name)
                .values(**values, saved_at=func.now())
            ).rowcount
            if not replaced:  # two writers may be here at once
                statement = insert(directions).values(model_sha256=model, **values)
                keys = [directions.c.model_sha256, directions.c.name]
                connection.execute(
                    statement.on_conflict_do_update(index_elements=keys, set_=values)
                )
        return not replaced

    def _delete(self, model: str, name: str) -> bool:
        if not self._database.exists:
            return False
        row = (directions.c.model_sha256 == model) & (directions.c.name == name)
        with self._database.transaction(write=True) as connection:
            return bool(connection.execute(delete(directions).where(row)).rowcount)


def _packed(vector: tuple[float, ...]) -> bytes:
    return struct.pack(f"<{len(vector)}f", *vector)


def _direction(row: Row[Any]) -> SavedDirection:
    return SavedDirection(
        name=row.name,
        vector=_unpacked(row.vector),
        meaning=row.meaning,
        method=row.method,
        images=row.images,
        subspace_rows=_unpacked(row.subspace_rows),
        subspace_centre=_unpacked(row.subspace_centre),
    )


def _unpacked(data: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(data) // 4}f", data)
