"""``GET /sample``: as POST, with its fields in the query."""

import httpx
import pytest

from tests.app.conftest import ok, problem

BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"  # for <img>


def test_it_is_post_with_the_fields_in_the_query(client: httpx.Client) -> None:
    fields: dict[str, str | float] = {"seed": 7, "n": 4, "temperature": 0.5, "detail": 0}
    fields["prior"] = "standard"
    posted = ok(client.post("/sample", json=fields))
    got = ok(client.get("/sample", params=fields))
    assert got.content == posted.content
    for name in ("content-type", "lorgnette-seed", "lorgnette-model", "etag", "cache-control"):
        assert got.headers[name] == posted.headers[name]


def test_an_image_element_gets_an_image(client: httpx.Client) -> None:
    response = ok(client.get("/sample?seed=7", headers={"Accept": BROWSER}))
    assert response.headers["content-type"].startswith("image/")


def test_without_a_seed_each_image_is_another_and_none_is_kept(client: httpx.Client) -> None:
    responses = [ok(client.get("/sample")) for _ in range(2)]
    assert len({response.headers["lorgnette-seed"] for response in responses}) == 2
    assert {response.headers["cache-control"] for response in responses} == {"no-store"}


def test_head_has_the_headers_of_the_image(client: httpx.Client) -> None:
    head, got = ok(client.head("/sample?seed=7")), ok(client.get("/sample?seed=7"))
    assert head.content == b""
    for name in ("content-length", "content-type", "etag", "cache-control", "lorgnette-seed"):
        assert head.headers[name] == got.headers[name]
    again = client.head("/sample?seed=7", headers={"If-None-Match": head.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("seed=x", "#/seed"), ("n=65", "#/n"), ("temperature=nan", "#/temperature"), ("x=1", "#/x")],
)
def test_a_bad_field_is_named(client: httpx.Client, query: str, pointer: str) -> None:
    body = problem(client.get(f"/sample?{query}"), 422, pointer)
    assert [error["pointer"] for error in body["errors"]] == [pointer]


@pytest.mark.parametrize("content_type", ["image/png", "application/json", "multipart/form-data"])
def test_its_body_is_not_read(client: httpx.Client, content_type: str) -> None:
    response = client.request(
        "GET", "/sample?seed=7", content=b"{", headers={"Content-Type": content_type}
    )
    assert ok(response).headers["lorgnette-seed"] == "7"
