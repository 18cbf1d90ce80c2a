"""What pages of other origins may do, for the origins of the settings."""

import asyncio
from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app.http.cross_origin import CrossOriginMiddleware
from app.settings import Settings
from tests.app.conftest import DIM, ok, problem, serving
from vae.model import VAE

SHOP = "https://shop.example"
DIGEST = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"  # of "key"
KEY = {"Authorization": "Bearer key"}
EXPOSED = {
    *("etag", "lorgnette-model", "lorgnette-seed", "lorgnette-strength"),
    *("retry-after", "server-timing", "x-request-id"),
}


@pytest.fixture(scope="module")
def shared(settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    origins = (SHOP, "http://localhost:3000")
    with serving(settings(cors_origins=origins, api_keys=(DIGEST,))) as client:
        yield client


def preflight(
    client: httpx.Client, origin: str, method: str = "POST", headers: str = "content-type"
) -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    return client.options("/sample", headers=asked)


@pytest.mark.parametrize("origin", [SHOP, "http://localhost:3000"])
@pytest.mark.parametrize(
    ("method", "headers"),
    [("POST", "authorization,content-type"), ("GET", "if-none-match"), ("GET", "x-request-id")],
)
def test_a_preflight_needs_no_key(
    shared: httpx.Client, origin: str, method: str, headers: str
) -> None:
    response = ok(preflight(shared, origin, method, headers))
    assert response.headers["access-control-allow-origin"] == origin
    assert method in response.headers["access-control-allow-methods"].split(", ")
    allowed = response.headers["access-control-allow-headers"].lower().split(", ")
    assert set(headers.split(",")) <= set(allowed)
    assert "access-control-allow-credentials" not in response.headers
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://shop.example.evil.example", "POST", "content-type"),
        ("http://shop.example", "POST", "content-type"),
        ("null", "POST", "content-type"),
        (SHOP, "PATCH", "content-type"),
        (SHOP, "POST", "x-other"),
    ],
)
def test_a_preflight_that_is_refused_is_a_problem(
    shared: httpx.Client, origin: str, method: str, headers: str
) -> None:
    response = preflight(shared, origin, method, headers)
    assert problem(response, 400, "LORGNETTE_CORS_ORIGINS")["type"] == "urn:lorgnette:cors"
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/sample?seed=7", KEY, 200),
        ("/sample?seed=7", KEY | {"If-None-Match": "*"}, 304),
        ("/sample?n=0", KEY, 422),
        ("/sample", {}, 401),
        ("/no/such/path", {}, 404),
    ],
)
def test_a_page_reads_responses_and_errors(
    shared: httpx.Client, path: str, headers: dict[str, str], status: int
) -> None:
    response = shared.get(path, headers={"Origin": SHOP, **headers})
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == SHOP
    exposed = response.headers["access-control-expose-headers"].lower().split(", ")
    assert set(exposed) == EXPOSED
    assert "Origin" in response.headers["vary"]
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"


def test_a_page_reads_an_error_of_ours(
    shared: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: VAE, z: object) -> None:
        raise ValueError("unlucky")

    monkeypatch.setattr(VAE, "decode_logits", broken)
    body = {"latents": [[13.0] * DIM]}
    response = shared.post("/decode", json=body, headers={"Origin": SHOP, **KEY})
    problem(response, 500)
    assert response.headers["access-control-allow-origin"] == SHOP


def test_no_other_page_reads_anything(shared: httpx.Client) -> None:
    for origin in ("https://elsewhere.example", "null"):
        response = ok(shared.get("/sample?seed=7", headers={"Origin": origin, **KEY}))
        assert "access-control-allow-origin" not in response.headers
    # A cache must not give the response to one origin to another, nor one without a page to any.
    assert "Origin" in ok(shared.get("/sample?seed=7", headers=KEY)).headers["vary"]


def test_every_origin_may_be_allowed() -> None:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("hello")(scope, receive, send)

    async def responses() -> list[httpx.Response]:
        transport = httpx.ASGITransport(CrossOriginMiddleware(respond, ("*",)))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
            return [
                await client.options("/", headers=asked),
                await client.get("/", headers={"Origin": SHOP}),
            ]

    for response in asyncio.run(responses()):
        assert ok(response).headers["access-control-allow-origin"] == "*"
