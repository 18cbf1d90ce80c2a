"""Methods of paths: OPTIONS, and what 405 names."""

import httpx
import pytest

from tests.app.conftest import problem

ALLOWED = {
    "/sample": "GET, HEAD, OPTIONS, POST",
    "/decode": "OPTIONS, POST",
    "/faces": "OPTIONS, POST",
    "/models/tiny": "GET, HEAD, OPTIONS",
    "/health/live": "GET, HEAD, OPTIONS",
    "/metrics": "GET, HEAD, OPTIONS",
    "/openapi.json": "GET, HEAD, OPTIONS",
}


@pytest.mark.parametrize("path", ALLOWED)
def test_options_and_405_name_the_methods_of_a_path(client: httpx.Client, path: str) -> None:
    response = client.options(path)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["allow"] == ALLOWED[path]
    assert response.headers["x-request-id"]
    refused = client.delete(path)
    problem(refused, 405, f"DELETE is not allowed at {path}")
    assert refused.headers["allow"] == ALLOWED[path]


def test_a_path_with_nothing_has_no_methods(client: httpx.Client) -> None:
    problem(client.options("/no/such/path"), 404)
