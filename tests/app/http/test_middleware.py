"""The headers that every response has."""

from collections.abc import Callable

import httpx
import pytest

from app.settings import Settings
from tests.app.conftest import DIM, ok, problem, serving
from vae.model import VAE


@pytest.mark.parametrize("sent", ["mine-1", "~" * 128])
def test_the_request_id_is_the_callers(client: httpx.Client, sent: str) -> None:
    for path in ("/health/live", "/no/such/path"):
        assert client.get(path, headers={"X-Request-ID": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "\u00e9".encode()])
def test_a_request_id_that_is_not_printable_is_replaced(
    client: httpx.Client, sent: str | bytes
) -> None:
    headers = {b"X-Request-ID": sent if isinstance(sent, bytes) else sent.encode()}
    found = {client.get("/health/live", headers=headers).headers["x-request-id"] for _ in range(2)}
    assert len(found) == 2
    assert all(len(text) == 32 for text in found)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/sample", 200),
        ("POST", "/sample?n=0", 422),
        ("POST", "/sample?format=mp4", 406),
        ("POST", "/encode", 415),
        ("POST", "/sample?model=grey&n=0", 422),
        ("GET", "/directions", 200),
        ("GET", "/directions?model=grey", 200),
        ("GET", "/models/tiny", 200),
        ("HEAD", "/models/tiny", 200),
    ],
)
def test_a_response_of_a_model_names_it_errors_too(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    name = "grey" if "grey" in path else "tiny"
    [model] = response.headers.get_list("lorgnette-model")
    assert model == client.get(f"/models/{name}").json()["id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sample?model=cats"),
        ("GET", "/models/cats"),
        ("PUT", "/sample"),
        ("GET", "/models"),
        ("GET", "/health/live"),
        ("GET", "/no/such/path"),
    ],
)
def test_a_response_of_no_model_names_none(client: httpx.Client, method: str, path: str) -> None:
    assert "lorgnette-model" not in client.request(method, path).headers


def test_an_internal_error_names_the_model(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: VAE, z: object) -> None:
        raise ValueError("unlucky")

    with serving(settings()) as client:
        monkeypatch.setattr(VAE, "decode_logits", broken)
        response = client.post("/decode", json={"latents": [[13.0] * DIM]})
        problem(response, 500)
        assert response.headers["lorgnette-model"].startswith("tiny@")


@pytest.mark.parametrize(
    "path",
    [
        "/models",
        "/models/tiny",
        "/directions",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
    ],
)
def test_head_is_get_without_the_body(client: httpx.Client, path: str) -> None:
    whole, head = ok(client.get(path)), ok(client.head(path))
    assert head.content == b""
    volatile = {"date", "x-request-id", "content-length"}
    for name in whole.headers.keys() - volatile:
        assert head.headers[name] == whole.headers[name]
    if path != "/metrics":  # which have counted the request before
        assert head.headers["content-length"] == whole.headers["content-length"]


def test_head_of_an_error_has_no_body(client: httpx.Client) -> None:
    for path, status in (("/models/cats", 404), ("/decode", 405), ("/no/such/path", 404)):
        response = client.head(path)
        assert (response.status_code, response.content) == (status, b"")
