"""Databases for the tests: an SQLite file, and a PostgreSQL server on the loopback address."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.app.processes import free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
USER = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root


@dataclass
class PostgreSQL:
    """A server that can be stopped and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://lorgnette@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = [
            "-p",
            str(self.port),
            "-h",
            "127.0.0.1",
            "-k",
            str(self.folder),
            "-c",
            "fsync=off",
        ]
        command = [str(PROGRAMS[-1] / "postgres"), "-D", str(self.folder / "data"), *options]
        self.process = subprocess.Popen(command, user=USER, stderr=subprocess.DEVNULL)
        ready = [str(PROGRAMS[-1] / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, stdout=subprocess.DEVNULL).returncode:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # its clients are disconnected
            self.process.wait(60)
            self.process = None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="lorgnette-postgresql-"))
    if USER is not None:
        shutil.chown(folder, USER)
    initdb = [str(PROGRAMS[-1] / "initdb"), "-D", str(folder / "data"), "-U", "lorgnette"]
    options = ["-A", "trust", "--no-sync"]
    subprocess.run([*initdb, *options], user=USER, check=True, stdout=subprocess.DEVNULL)
    server = PostgreSQL(folder, free_port())
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/directions.sqlite3"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    drop = ["-c", "DROP TABLE IF EXISTS directions, alembic_version"]
    subprocess.run(["psql", "-q", server.url, *drop], check=True, stderr=subprocess.DEVNULL)
    return server.url
