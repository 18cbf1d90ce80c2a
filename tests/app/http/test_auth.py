"""Keys at the door of a real server."""

import hashlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.routing import Route

from app.http.auth import ApiKeyAuth, InvalidApiKeyError, MissingApiKeyError, RateLimitExceededError
from app.http.routes import router
from app.settings import Settings
from tests.app.conftest import ok, problem, serving

MINE, YOURS = "my key, of any letters", "yours"
HASHES = tuple(hashlib.sha256(key.encode()).hexdigest() for key in (MINE, YOURS))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def locked(settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    with serving(settings(api_keys=HASHES)) as client:
        yield client


def test_each_key_is_let_in(locked: httpx.Client) -> None:
    for key in (MINE, YOURS):
        ok(locked.post("/sample", headers=bearer(key)))
    ok(locked.get("/models", headers={"Authorization": f"bearer   {MINE}"}))


@pytest.mark.parametrize("header", ["", "Bearer", "Basic bWU6bWU=", MINE])
def test_who_has_no_key_is_told_how_to_send_one(locked: httpx.Client, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = locked.post("/sample", headers=headers)
    problem(answer, 401, "Authorization: Bearer KEY")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["wrong", HASHES[0], f"{MINE}x", MINE.upper(), "\u00e9".encode()])
def test_a_wrong_key_is_refused(locked: httpx.Client, key: str | bytes) -> None:
    text = key if isinstance(key, bytes) else key.encode()
    problem(locked.post("/sample", headers={b"Authorization": b"Bearer " + text}), 403, "not known")


def test_the_body_of_who_is_refused_is_not_read(locked: httpx.Client) -> None:
    problem(locked.post("/sample", content=b"{", headers=bearer("wrong")), 403)
    problem(locked.post("/sample", content=b"{", headers=bearer(MINE)), 400)


def test_every_endpoint_is_locked(locked: httpx.Client) -> None:
    routes = [route for route in router.routes if isinstance(route, Route)]
    assert {"/sample", "/models/{name}", "/metrics", "/openapi.json"} <= {r.path for r in routes}
    for route in routes:
        for method in route.methods or ():
            if not route.path.startswith("/health/"):
                problem(locked.request(method, route.path.format(name="tiny")), 401)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_needs_no_key(locked: httpx.Client, path: str) -> None:
    ok(locked.get(path))


def test_the_rate_of_one_key_is_not_that_of_another(settings: Callable[..., Settings]) -> None:
    with serving(settings(api_keys=HASHES, requests_per_minute=3)) as client:
        for _ in range(3):
            ok(client.get("/models", headers=bearer(MINE)))
        answer = client.get("/models", headers=bearer(MINE))
        problem(answer, 429, "3 requests a minute")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        ok(client.get("/models", headers=bearer(YOURS)))
        problem(client.get("/models", headers=bearer("wrong")), 403)


def test_without_keys_everybody_is_let_in() -> None:
    ApiKeyAuth((), 1).authenticate(None)


def test_a_doorkeeper_counts_whom_it_lets_in() -> None:
    door = ApiKeyAuth(HASHES[:1], 2)
    for wrong in (None, "Bearer", "Bearer x"):
        with pytest.raises((MissingApiKeyError, InvalidApiKeyError)):
            door.authenticate(wrong)
    door.authenticate(f"Bearer {MINE}")
    door.authenticate(f"Bearer {MINE}")
    with pytest.raises(RateLimitExceededError):
        door.authenticate(f"Bearer {MINE}")
