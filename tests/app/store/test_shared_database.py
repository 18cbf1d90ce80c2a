"""Services that share a database of directions, and lose it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.app.conftest import ok, problem, serving
from tests.app.processes import running
from tests.app.store.conftest import PostgreSQL

GROUPS = {"with": [{"seed": 1}], "without": [{"seed": 2}]}
WRITERS, EACH = 4, 3


def saved(client: httpx.Client) -> set[str]:
    """The names of the saved directions; each can be used in an expression."""
    listed = ok(client.get("/directions")).json()
    assert listed["complete"]
    names = {direction["name"] for direction in listed["directions"] if direction["saved"]}
    for name in names:
        edit = {"expression": f"me + {name}", "operands": {"me": [{"seed": 3}]}}
        ok(client.post("/arithmetic", json=edit))
    return names


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_database_that_is_lost_and_comes_back(
    settings: Callable[..., Settings], models: Path, postgresql: PostgreSQL, url: str
) -> None:
    shared = settings(models=(str(models / "tiny"),), directions_database=url)
    with serving(shared) as client:
        assert client.put("/directions/kept", json=GROUPS).status_code == 201
        postgresql.stop()
        response = client.put("/directions/second", json=GROUPS)
        problem(response, 503, "database of saved directions")
        assert int(response.headers["retry-after"]) > 0
        problem(client.delete("/directions/kept"), 503, "database of saved directions")
        ok(client.get("/sample?seed=7"))
        listed = ok(client.get("/directions")).json()
        assert not listed["complete"]
        assert {"glasses", "smile"} <= {direction["name"] for direction in listed["directions"]}
        postgresql.start()
        assert client.put("/directions/second", json=GROUPS).status_code == 201
        assert saved(client) == {"kept", "second"}


def test_services_that_write_at_once_and_are_killed(models: Path, url: str) -> None:
    options = {"MODELS": str(models / "tiny"), "DIRECTIONS_DATABASE": url}
    with running(**options) as (_, first), running(**options) as (killed, second):

        def write(writer: int) -> set[str]:
            """The names that were accepted."""
            client = (first, second)[writer % 2]
            names = [f"writer{writer}_{i}" for i in range(EACH)]
            put = [client.put(f"/directions/{name}", json=GROUPS).status_code for name in names]
            assert put == [201] * EACH
            return set(names)

        with ThreadPoolExecutor(WRITERS) as writers:
            accepted = set().union(*writers.map(write, range(WRITERS)))
        assert saved(first) == saved(second) == accepted

        def write_until_killed(writer: int) -> set[str]:
            names: set[str] = set()
            for i in range(1000):
                name = f"last{writer}_{i}"
                try:
                    response = second.put(f"/directions/{name}", json=GROUPS)
                except httpx.TransportError:
                    return names
                assert response.status_code == 201
                names.add(name)
                if i == EACH:
                    killed.kill()
            raise AssertionError("the service was not killed")

        with ThreadPoolExecutor(2) as writers:
            accepted |= set().union(*writers.map(write_until_killed, range(2)))
        found = saved(first)  # and perhaps the two whose answers were lost
        assert accepted <= found
        assert len(found - accepted) <= 2
        assert first.put("/directions/after", json=GROUPS).status_code == 201
