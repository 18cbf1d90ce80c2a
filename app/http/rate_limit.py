"""The rates of API keys, shared by all worker processes of a service."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from limits.storage import MovingWindowSupport, Storage

from app.settings import Settings

FILE_NAME = "rates.sqlite"
BUSY_SECONDS = 0.25  # to wait, on the event loop, for a transaction, which takes microseconds
OPEN_SECONDS = 10.0  # likewise, while several workers create the file
CHECKPOINT_PAGES = 100


def rate_storage(settings: Settings) -> "SQLiteStorage | None":
    """The storage that the workers share; None where there is one process, or no limit."""
    if settings.worker_dir is None or not (settings.needs_key and settings.requests_per_minute):
        return None
    return SQLiteStorage(settings.worker_dir)


class SQLiteStorage(Storage, MovingWindowSupport):
    """A moving window of hits in a SQLite file, for processes of one machine.

    Only what ``limits.strategies.MovingWindowRateLimiter`` needs. Nothing is synced to disk: the
    file lives as long as the service.

    Args:
        folder: that all processes share; the file in it is created if needed.
    """

    STORAGE_SCHEME = None

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._database = sqlite3.connect(
            folder / FILE_NAME, timeout=OPEN_SECONDS, isolation_level=None
        )
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = OFF",
            f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
            "CREATE TABLE IF NOT EXISTS hits (key TEXT NOT NULL, time REAL NOT NULL)",
            "CREATE INDEX IF NOT EXISTS hits_by_key ON hits (key, time)",
        ):
            self._database.execute(statement)
        self._database.execute(f"PRAGMA busy_timeout = {round(1000 * BUSY_SECONDS)}")

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the database raises."""
        return sqlite3.Error

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add ``amount`` hits if the last ``expiry`` seconds have at most ``limit`` with them."""
        now = time.time()
        with closing(self._database.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")  # so that no two processes count the same hits
            try:
                cursor.execute("DELETE FROM hits WHERE key = ? AND time <= ?", (key, now - expiry))
                cursor.execute("SELECT count(*) FROM hits WHERE key = ?", (key,))
                (count,) = cursor.fetchone()
                accepted = bool(count + amount <= limit)
                if accepted:
                    cursor.executemany("INSERT INTO hits VALUES (?, ?)", [(key, now)] * amount)
            finally:
                cursor.execute("COMMIT")
        return accepted

    def get_moving_window(
        self,
        key: str,
        limit: int,  # noqa: ARG002 -- of the interface
        expiry: int,
    ) -> tuple[float, int]:
        """The time of the first hit of the window, and the number of hits in it."""
        now = time.time()
        first, count = self._database.execute(
            "SELECT min(time), count(*) FROM hits WHERE key = ? AND time > ?", (key, now - expiry)
        ).fetchone()
        return (now if first is None else first), count

    def check(self) -> bool:
        """Whether the database responds."""
        return bool(self._database.execute("SELECT 1").fetchone() == (1,))

    def reset(self) -> int:
        """Forget all hits; how many there were."""
        return self._database.execute("DELETE FROM hits").rowcount

    def clear(self, key: str) -> None:
        """Forget the hits of a key."""
        self._database.execute("DELETE FROM hits WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Not supported: for fixed windows."""
        raise NotImplementedError("only moving windows are stored")

    def get(self, key: str) -> int:
        """Not supported: for fixed windows."""
        raise NotImplementedError("only moving windows are stored")

    def get_expiry(self, key: str) -> float:
        """Not supported: for fixed windows."""
        raise NotImplementedError("only moving windows are stored")
