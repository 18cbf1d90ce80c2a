"""The page at ``/`` over HTTP; ``tests/playground`` opens it in a browser."""

import gzip
import hashlib
import re
from collections.abc import Callable

import httpx
import pytest

from app.settings import Settings
from tests.app.conftest import ok, problem, serving

FILES = {
    "/": "text/html; charset=utf-8",
    "/playground/playground.js": "text/javascript; charset=utf-8",
    "/playground/style.css": "text/css; charset=utf-8",
    "/playground/icon.svg": "image/svg+xml",
}
MAX_COMPRESSED_BYTES = 150_000


@pytest.mark.parametrize("path", FILES)
def test_the_page_and_what_it_loads(client: httpx.Client, path: str) -> None:
    response = ok(client.get(path, headers={"Accept-Encoding": "identity"}))
    assert response.headers["content-type"] == FILES[path]
    head = client.head(path, headers={"Accept-Encoding": "identity"})
    assert head.content == b""
    assert head.headers["content-length"] == str(len(response.content))


def test_the_page_names_files_that_there_are_and_no_other_host(client: httpx.Client) -> None:
    page = client.get("/").text
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    # Relative, so that a proxy may publish the service under any path.
    assert {f"/{name}" for name in named} == FILES.keys() - {"/"}
    assert "<style" not in page
    assert re.findall(r"<script(?![^>]* src=)", page) == []


def test_the_page_may_load_its_own_files_only(client: httpx.Client) -> None:
    [policy] = client.get("/").headers.get_list("content-security-policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "frame-ancestors": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("path", FILES)
def test_a_file_that_a_browser_has_is_not_sent_again(
    client: httpx.Client, path: str, encoding: str
) -> None:
    headers = {"Accept-Encoding": encoding}
    tag = ok(client.get(path, headers=headers)).headers["etag"]
    again = client.get(path, headers={**headers, "If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"
    other = {"identity": "gzip", "gzip": "identity"}[encoding]
    ok(client.get(path, headers={"Accept-Encoding": other, "If-None-Match": tag}))


def test_it_is_small_and_compressed_where_that_is_accepted(client: httpx.Client) -> None:
    total = 0
    for path in FILES:
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as response:
            body = b"".join(response.iter_raw())
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(body) == plain.content
        total += len(body)
    assert total < MAX_COMPRESSED_BYTES


@pytest.mark.parametrize("name", ["index.html", "missing.js", "..%2fauth.py", "%2e%2e"])
def test_nothing_else_is_served(client: httpx.Client, name: str) -> None:
    problem(client.get(f"/playground/{name}"), 404)


def test_it_needs_no_key_where_the_service_does(settings: Callable[..., Settings]) -> None:
    key = hashlib.sha256(b"key").hexdigest()
    with serving(settings(api_keys=[key])) as client:
        for path in FILES:
            ok(client.get(path))
        problem(client.get("/models"), 401)
