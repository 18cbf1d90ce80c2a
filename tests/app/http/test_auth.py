"""API keys, at a real server."""

import hashlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.routing import Route

from app.http import info_routes, routes
from app.http.auth import ApiKeyAuth, InvalidApiKeyError, MissingApiKeyError, RateLimitExceededError
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


def test_each_key_is_accepted(locked: httpx.Client) -> None:
    for key in (MINE, YOURS):
        ok(locked.post("/sample", headers=bearer(key)))
    ok(locked.get("/models", headers={"Authorization": f"bearer   {MINE}"}))


@pytest.mark.parametrize("header", ["", "Bearer", "Basic bWU6bWU=", MINE])
def test_a_request_without_a_key_is_told_how_to_send_one(locked: httpx.Client, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    response = locked.post("/sample", headers=headers)
    problem(response, 401, "Authorization: Bearer KEY")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["wrong", HASHES[0], f"{MINE}x", MINE.upper(), "\u00e9".encode()])
def test_a_wrong_key_is_an_invalid_token(locked: httpx.Client, key: str | bytes) -> None:
    text = key if isinstance(key, bytes) else key.encode()
    response = locked.post("/sample", headers={b"Authorization": b"Bearer " + text})
    assert problem(response, 401, "not known")["type"] == "urn:lorgnette:wrong-key"
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'  # RFC 6750, 3


def test_the_body_of_a_refused_request_is_not_read(locked: httpx.Client) -> None:
    problem(locked.post("/sample", content=b"{", headers=bearer("wrong")), 401)
    problem(locked.post("/sample", content=b"{", headers=bearer(MINE)), 400)


def test_every_endpoint_is_locked(locked: httpx.Client) -> None:
    endpoints = [
        route
        for route in (*routes.router.routes, *info_routes.router.routes)
        if isinstance(route, Route) and not route.path.startswith("/health/")
    ]
    paths = {route.path for route in endpoints}
    assert {"/sample", "/models/{name}", "/metrics", "/openapi.json"} <= paths
    for route in endpoints:
        for method in route.methods or ():
            response = locked.request(method, route.path.format(name="tiny"))
            assert response.status_code == 401
            if method != "HEAD":
                problem(response, 401)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_needs_no_key(locked: httpx.Client, path: str) -> None:
    ok(locked.get(path))


def test_the_rate_of_one_key_is_not_that_of_another(settings: Callable[..., Settings]) -> None:
    with serving(settings(api_keys=HASHES, requests_per_minute=3)) as client:
        for _ in range(3):
            ok(client.get("/models", headers=bearer(MINE)))
        response = client.get("/models", headers=bearer(MINE))
        problem(response, 429, "3 requests a minute")
        assert 1 <= int(response.headers["retry-after"]) <= 60
        ok(client.get("/models", headers=bearer(YOURS)))
        problem(client.get("/models", headers=bearer("wrong")), 401)


def test_without_keys_every_request_is_accepted() -> None:
    ApiKeyAuth((), 1).authenticate(None)


def test_only_accepted_requests_count() -> None:
    auth = ApiKeyAuth(HASHES[:1], 2)
    for wrong, error in ((None, MissingApiKeyError), ("", MissingApiKeyError)):
        with pytest.raises(error):
            auth.authenticate(wrong)
    for _ in range(3):
        with pytest.raises(InvalidApiKeyError):
            auth.authenticate("x")
    auth.authenticate(MINE)
    auth.authenticate(MINE)
    with pytest.raises(RateLimitExceededError):
        auth.authenticate(MINE)
