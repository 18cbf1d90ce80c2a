"""API keys, at a real server."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.requests import Request
from starlette.routing import Route

from app.http import admin_routes, face_routes, info_routes, routes, sample_routes
from app.http.auth import ApiKeyAuth, InvalidApiKeyError, MissingApiKeyError, RateLimitExceededError
from app.http.guarded_route import RELOAD_PATH
from app.settings import Settings
from tests.app.conftest import ok, problem, serving

MINE, YOURS, ADMIN = "my key, of any letters", "yours", "the admin's"
HASHES = tuple(hashlib.sha256(key.encode()).hexdigest() for key in (MINE, YOURS))
ADMIN_HASH = hashlib.sha256(ADMIN.encode()).hexdigest()
RELOAD = "/models/tiny/reload"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def locked(settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    with serving(settings(api_keys=HASHES, admin_keys=(f"ops:{ADMIN_HASH}",))) as client:
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


def test_a_model_is_loaded_again_with_an_admin_key_and_no_other(locked: httpx.Client) -> None:
    problem(locked.post(RELOAD), 401, "send your admin key")
    problem(locked.post(RELOAD, headers=bearer(MINE)), 401, "not known")
    elsewhere = bearer(ADMIN) | {"X-Forwarded-For": "203.0.113.9"}
    assert ok(locked.post(RELOAD, headers=elsewhere)).json()["outcome"] == "unchanged"
    problem(locked.get("/models", headers=bearer(ADMIN)), 401)  # it is no API key
    problem(locked.get(RELOAD, headers=bearer(ADMIN)), 405)
    assert locked.options(RELOAD).headers["allow"] == "OPTIONS, POST"


def test_the_body_of_a_refused_request_is_not_read(locked: httpx.Client) -> None:
    problem(locked.post("/sample", content=b"{", headers=bearer("wrong")), 401)
    problem(locked.post("/sample", content=b"{", headers=bearer(MINE)), 400)


def test_every_endpoint_is_locked(locked: httpx.Client) -> None:
    endpoints = [
        route
        for module in (routes, sample_routes, face_routes, info_routes, admin_routes)
        for route in module.router.routes
        if isinstance(route, Route) and not route.path.startswith("/health/")
    ]
    paths = {route.path for route in endpoints}
    assert {
        "/sample",
        "/faces",
        "/models/{name}",
        "/metrics",
        "/openapi.json",
        RELOAD_PATH,
    } <= paths
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}  # from here, the metrics need no key
    for route in endpoints:
        for method in route.methods or ():
            path = route.path.format(name="tiny")
            response = locked.request(method, path, headers=elsewhere)
            assert response.status_code == 401
            if method != "HEAD":
                problem(response, 401)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_needs_no_key(locked: httpx.Client, path: str) -> None:
    ok(locked.get(path))


def test_a_response_that_can_be_kept_is_for_its_caller_alone(locked: httpx.Client) -> None:
    response = ok(locked.get("/sample?seed=7", headers=bearer(MINE)))
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
    problem(locked.get("/sample?seed=7", headers={"If-None-Match": "*"}), 401)


def test_options_need_no_key(locked: httpx.Client) -> None:
    assert locked.options("/sample").status_code == 204


HERE, ELSEWHERE = ("127.0.0.1", 4711), ("203.0.113.9", 4711)


@pytest.mark.parametrize(
    ("metrics_keys", "client", "headers", "key", "name"),
    [
        ((), HERE, {}, None, None),
        ((), ("::1", 1), {}, None, None),
        ((), ("::ffff:127.0.0.1", 1), {}, None, None),
        ((), ELSEWHERE, {}, MINE, HASHES[0][:8]),
        ((f"prometheus:{HASHES[1]}",), HERE, {}, YOURS, "prometheus"),
        ((f"prometheus:{HASHES[1]}",), ELSEWHERE, {}, YOURS, "prometheus"),
    ],
)
def test_metrics_have_keys_of_their_own_or_are_open_on_this_machine(
    metrics_keys: tuple[str, ...],
    client: tuple[str, int],
    headers: dict[str, str],
    key: str | None,
    name: str | None,
) -> None:
    assert scrape(metrics_keys, client, headers, key) == name


@pytest.mark.parametrize(
    ("metrics_keys", "client", "headers", "key", "error"),
    [
        ((), ELSEWHERE, {}, None, MissingApiKeyError),
        ((), ELSEWHERE, {}, "wrong", InvalidApiKeyError),
        ((), None, {}, None, MissingApiKeyError),
        ((), HERE, {"x-forwarded-for": "203.0.113.9"}, None, MissingApiKeyError),
        ((), HERE, {"forwarded": "for=127.0.0.1"}, None, MissingApiKeyError),
        ((HASHES[1],), HERE, {}, None, MissingApiKeyError),
        ((HASHES[1],), HERE, {}, MINE, InvalidApiKeyError),
    ],
)
def test_metrics_are_refused_without_their_key(
    metrics_keys: tuple[str, ...],
    client: tuple[str, int] | None,
    headers: dict[str, str],
    key: str | None,
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        scrape(metrics_keys, client, headers, key)


def scrape(
    metrics_keys: tuple[str, ...],
    client: tuple[str, int] | None,
    headers: dict[str, str],
    key: str | None,
) -> str | None:
    """The name of the key of five scrapes, with an API key that may make one request a minute."""
    auth = ApiKeyAuth(HASHES[:1], 1, metrics_keys=metrics_keys)
    sent = headers | ({} if key is None else {"authorization": f"Bearer {key}"})
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    request = Request({"type": "http", "client": client, "headers": raw})
    [name] = {asyncio.run(auth.authenticate_scrape(request)) for _ in range(5)}
    return name


def test_a_key_of_the_metrics_is_no_api_key() -> None:
    with pytest.raises(InvalidApiKeyError):
        ApiKeyAuth(HASHES[:1], 0, metrics_keys=HASHES[1:]).authenticate(YOURS)


def test_without_any_keys_metrics_are_open() -> None:
    request = Request({"type": "http", "client": ELSEWHERE, "headers": []})
    assert asyncio.run(ApiKeyAuth((), 0).authenticate_scrape(request)) is None


def test_a_key_has_a_name() -> None:
    auth = ApiKeyAuth((f"shop:{HASHES[0]}", HASHES[1]), 0)
    assert auth.authenticate(MINE) == "shop"
    assert auth.authenticate(YOURS) == HASHES[1][:8]


def test_the_rate_of_one_key_is_not_that_of_another(settings: Callable[..., Settings]) -> None:
    with serving(settings(api_keys=HASHES, requests_per_minute=3)) as client:
        for _ in range(3):
            ok(client.get("/models", headers=bearer(MINE)))
        response = client.get("/models", headers=bearer(MINE))
        problem(response, 429, "3 requests a minute")
        assert 1 <= int(response.headers["retry-after"]) <= 60
        ok(client.get("/models", headers=bearer(YOURS)))
        problem(client.get("/models", headers=bearer("wrong")), 401)
        elsewhere = {"X-Forwarded-For": "203.0.113.9"}
        ok(client.get("/metrics", headers=bearer(MINE) | elsewhere))


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
