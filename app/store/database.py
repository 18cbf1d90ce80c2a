"""The connection to the database: SQLite by default, PostgreSQL for several machines."""

import logging
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

log = logging.getLogger("lorgnette")

BUSY_SECONDS = 5  # for the lock of another writer
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 5000
MIGRATION_LOCK = 0x1095_7E77  # of PostgreSQL's advisory locks; any number that others do not use
LOG_BYTES = 65_536  # of a write-ahead log and its index, at least
DISK_FULL = ("disk is full", "No space left")  # SQLite, PostgreSQL
DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


class StoreError(Exception):
    """The database cannot be used at the moment; the message says why."""


class StoreFullError(StoreError):
    """The disk of the database is full."""


class Database:
    """Connections to the database of a URL; nothing is connected or created before it is needed.

    An SQLite file is created by the first write. Each process brings the tables to the newest
    version before its first use.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://...``.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._is_sqlite = parsed.get_backend_name() == "sqlite"
        self._file = Path(parsed.database or "") if self._is_sqlite else None
        options = {"timeout": BUSY_SECONDS} if self._is_sqlite else POSTGRESQL
        self._engine = create_engine(
            parsed.set(drivername=DRIVERS[parsed.get_backend_name()]),
            connect_args=options,
            **({"poolclass": NullPool} if self._is_sqlite else {"pool_pre_ping": True}),
        )
        if self._is_sqlite:
            _prepare_sqlite(self._engine)
        self._migration = threading.Lock()
        self._migrated = False

    @property
    def exists(self) -> bool:
        """Whether there is anything to read: false before an SQLite file is created."""
        return self._file is None or self._file.exists()

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        """A connection in a transaction, which is committed at the end, or not at all.

        Args:
            write: whether it writes; writers of an SQLite file wait for each other at the begin.

        Raises:
            StoreError: if the database cannot be reached or used.
        """
        try:
            self._migrate()
            with self._engine.execution_options(write=write).begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._store_error(error) from None

    def close(self) -> None:
        """End all connections."""
        self._engine.dispose()

    def _store_error(self, error: SQLAlchemyError) -> StoreError:
        """What clients are told; the log has the reason, which may name hosts and files."""
        reason = str(error.orig).splitlines()[0] if isinstance(error, DBAPIError) else str(error)
        log.warning("the database of saved directions: %s", reason)
        if any(text in reason for text in DISK_FULL) or self._has_no_space():
            return StoreFullError("the disk of the database of saved directions is full")
        return StoreError(
            "the database of saved directions does not respond; everything else is served"
        )

    def _has_no_space(self) -> bool:
        """Whether SQLite cannot make its log; it says no more then than that a file failed."""
        if self._file is None or not self._file.parent.is_dir():
            return False
        return shutil.disk_usage(self._file.parent).free < LOG_BYTES

    def _migrate(self) -> None:
        """Bring the tables to the newest version, while other processes wait."""
        with self._migration:
            if self._migrated and self.exists:
                return
            config = Config()
            config.set_main_option("script_location", "app.store:migrations")
            newest = ScriptDirectory.from_config(config).get_current_head()
            with self._engine.execution_options(write=False).begin() as connection:
                if MigrationContext.configure(connection).get_current_revision() != newest:
                    self._upgrade(config)
            self._migrated = True

    def _upgrade(self, config: Config) -> None:
        with self._engine.execution_options(write=True).begin() as connection:
            if not self._is_sqlite:
                lock = text("SELECT pg_advisory_xact_lock(:key)")
                connection.execute(lock, {"key": MIGRATION_LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


POSTGRESQL = {
    "connect_timeout": CONNECT_SECONDS,
    "options": f"-c statement_timeout={STATEMENT_MILLISECONDS}",
}


def _prepare_sqlite(engine: Engine) -> None:
    """A write-ahead log, so that readers never wait; and transactions that lock when they begin."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions too late
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options()["write"]
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
