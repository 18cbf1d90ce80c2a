"""A disk that is full, or a file that may not grow, while a direction is saved."""

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.app.conftest import ok, problem, serving
from tests.app.processes import running

SIZE = 512 * 1024  # bytes of the disk
GROUPS = {"with": [{"seed": 1}], "without": [{"seed": 2}]}
EDIT = {"expression": "me + kept", "operands": {"me": [{"seed": 3}]}}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all space."""
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(folder).free))
    return ballast


def check_served(client: httpx.Client) -> None:
    """What needs no database is served, and what was saved is still there or not told."""
    ok(client.get("/sample?seed=7"))
    listed = ok(client.get("/directions")).json()
    saved = [direction["name"] for direction in listed["directions"] if direction["saved"]]
    assert saved == (["kept"] if listed["complete"] else [])
    assert client.post("/arithmetic", json=EDIT).status_code == (200 if saved else 503)


def check_recovered(client: httpx.Client) -> None:
    assert client.put("/directions/second", json=GROUPS).status_code == 201
    listed = ok(client.get("/directions")).json()["directions"]
    assert [d["name"] for d in listed if d["saved"]] == ["kept", "second"]


def test_a_full_disk(settings: Callable[..., Settings], models: Path, disk: Path) -> None:
    database = f"sqlite:///{disk}/directions.sqlite3"
    own = settings(models=(str(models / "tiny"),), deterministic=True, directions_database=database)
    with serving(own) as client:
        ballast = fill(disk)
        problem(client.put("/directions/kept", json=GROUPS), 503, "full")
        ok(client.get("/sample?seed=7"))
        ballast.unlink()
        assert client.put("/directions/kept", json=GROUPS).status_code == 201
        ballast = fill(disk)
        for _ in range(2):
            response = client.put("/directions/second", json=GROUPS)
            body = problem(response, 503, "the disk of the database of saved directions is full")
            assert body["type"] == "urn:lorgnette:store-full"
            assert int(response.headers["retry-after"]) > 0
            check_served(client)
        problem(client.delete("/directions/kept"), 503)
        ballast.unlink()
        check_recovered(client)


def test_a_file_that_may_not_grow(models: Path, tmp_path: Path) -> None:
    database = tmp_path / "directions.sqlite3"
    tiny, url = str(models / "tiny"), f"sqlite:///{database}"
    with running(MODELS=tiny, DETERMINISTIC="true", DIRECTIONS_DATABASE=url) as (process, client):
        assert client.put("/directions/kept", json=GROUPS).status_code == 201
        limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, limits[1]))
        problem(client.put("/directions/second", json=GROUPS), 503, "database of saved directions")
        check_served(client)
        assert process.poll() is None
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
        check_recovered(client)
