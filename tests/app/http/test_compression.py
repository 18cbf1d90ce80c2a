"""JSON as gzip."""

import gzip
import json
from typing import Any

import httpx
import pytest

from app.http.compression import accepts_gzip
from tests.app.conftest import DIM, ok, problem

GZIP = {"Accept-Encoding": "gzip"}


def raw(
    client: httpx.Client, method: str, path: str, **options: Any
) -> tuple[dict[str, str], bytes]:
    """The headers and the bytes that were sent."""
    with client.stream(method, path, **options) as response:
        body = b"".join(response.iter_raw())
    return dict(response.headers), body


@pytest.mark.parametrize(
    "path", ["/openapi.json", "/models", "/sample?seed=7&format=json", "/sample?n=9&format=json"]
)
def test_json_is_compressed_for_who_accepts_it(client: httpx.Client, path: str) -> None:
    headers, body = raw(client, "GET", path, headers=GZIP)
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == str(len(body))
    assert "Accept-Encoding" in headers["vary"]
    whole = gzip.decompress(body)
    assert len(body) < 0.8 * len(whole)
    assert isinstance(json.loads(whole), dict)
    plain, same = raw(client, "GET", path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain
    assert "Accept-Encoding" in plain["vary"]
    if "n=9" not in path:  # whose seed is another
        assert same == whole


def test_a_problem_of_some_length_is_compressed(client: httpx.Client) -> None:
    body = json.dumps({"latents": [["x"] * DIM] * 40})
    options: Any = {"content": body, "headers": {**GZIP, "Content-Type": "application/json"}}
    headers, sent = raw(client, "POST", "/decode", **options)
    assert headers["content-type"] == "application/problem+json"
    assert headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(sent))["status"] == 422
    problem(client.post("/decode", **options), 422)


@pytest.mark.parametrize(
    "path", ["/sample?n=9", "/health/live", "/metrics", "/no/such/path", "/sample?seed=1"]
)
def test_images_and_text_and_short_json_are_sent_as_they_are(
    client: httpx.Client, path: str
) -> None:
    headers, body = raw(client, "GET", path, headers=GZIP)
    assert "content-encoding" not in headers
    assert headers["content-length"] == str(len(body))


def test_head_has_the_length_of_the_compressed_body(client: httpx.Client) -> None:
    got, _ = raw(client, "GET", "/models", headers=GZIP)
    head = ok(client.head("/models", headers=GZIP))
    for name in ("content-encoding", "content-length", "vary"):
        assert head.headers[name] == got[name]


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("br, *;q=0.1", True),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("*;q=0", False),
        ("gzip;q=x", False),
        ("gzipped", False),
        ("", False),
    ],
)
def test_gzip_is_accepted_by_its_weight(header: str, accepted: bool) -> None:
    scope = {"type": "http", "headers": [(b"accept-encoding", header.encode())]}
    assert accepts_gzip(scope) == accepted
    assert not accepts_gzip({"type": "http", "headers": []})
