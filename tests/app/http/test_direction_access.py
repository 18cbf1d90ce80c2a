"""Who may save directions, what is kept of them in caches, and a database that does not work."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx

from app.settings import Settings
from tests.app.conftest import ok, problem, serving
from tests.app.http.test_directions import groups, put


def test_without_a_database_everything_else_is_served(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    database = tmp_path / "directions.sqlite3"
    database.write_bytes(b"damaged " * 1000)
    with serving(settings(directions_database=f"sqlite:///{database}")) as client:
        response = put(client, "new", groups())
        problem(response, 503, "does not respond")
        assert response.headers["retry-after"] == "5"
        body = ok(client.get("/directions")).json()
        assert body["complete"] is False
        assert {d["name"] for d in body["directions"]} == {"glasses", "smile"}
        ok(client.post("/sample"))
        edit = {"expression": "me + smile", "operands": {"me": [{"seed": 1}]}}
        ok(client.post("/arithmetic", json=edit))
        problem(client.post("/arithmetic", json=edit | {"expression": "me + new"}), 503)
        problem(client.delete("/directions/new"), 503)


def test_a_key_for_reading_saves_nothing(settings: Callable[..., Settings], tmp_path: Path) -> None:
    reader, writer = ({"Authorization": f"Bearer {key}"} for key in ("reads", "writes"))
    hashed = {key: (hashlib.sha256(key.encode()).hexdigest(),) for key in ("reads", "writes")}
    keys = {"api_keys": hashed["writes"], "read_only_api_keys": hashed["reads"]}
    database = f"sqlite:///{tmp_path}/directions.sqlite3"
    with serving(settings(directions_database=database, **keys)) as client:
        refused = client.put("/directions/new", json=groups(), headers=reader)
        problem(refused, 403, "may not save")
        assert client.put("/directions/new", json=groups(), headers=writer).status_code == 201
        problem(client.delete("/directions/new", headers=reader), 403, "may not save")
        ok(client.get("/directions/new", headers=reader))
        ok(client.post("/sample", headers=reader))
        problem(client.get("/directions"), 401)


def test_a_response_by_a_saved_direction_is_not_kept(client: httpx.Client) -> None:
    put(client, "kept", groups())
    edit = {"operands": {"me": [{"seed": 1}]}}
    own = ok(client.post("/arithmetic", json=edit | {"expression": "me + smile"}))
    assert "etag" in own.headers
    saved = ok(client.post("/arithmetic", json=edit | {"expression": "me + kept"}))
    assert saved.headers["cache-control"] == "no-store"
    traversed = ok(client.post("/traverse", json={"operand": {"seed": 1}, "along": "kept"}))
    assert traversed.headers["cache-control"] == "no-store"
    assert "etag" in client.post("/traverse", json={"operand": {"seed": 1}, "along": 1}).headers
