"""Entity tags, and responses that are not made again."""

import json
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.app.conftest import DIM, file, ok, problem, random_image, text

Z = [0.1] * DIM
# Requests whose responses depend on seeds and latents alone.
REPRODUCIBLE: dict[str, dict[str, Any]] = {
    "/sample": {"seed": 7, "n": 2},
    "/decode": {"latents": [Z]},
    "/interpolate": {"start": {"seed": 7}, "end": {"latent": Z}, "steps": 2},
    "/arithmetic": {"expression": "a + b", "operands": {"a": {"seed": 1}, "b": {"latent": Z}}},
}
IMAGE = {"image": text(file(random_image()))}
OTHERS: dict[str, dict[str, Any]] = {
    "/sample": {"n": 2},
    "/interpolate": {"start": {"seed": 7}, "end": IMAGE, "steps": 2},
    "/arithmetic": {"expression": "a + b", "operands": {"a": {"seed": 1}, "b": IMAGE}},
    "/reconstruct": {"image": IMAGE["image"]},
    "/encode": {"image": IMAGE["image"]},
}


def tag(client: httpx.Client, path: str, **changes: Any) -> str:
    value: str = ok(client.post(path, json=REPRODUCIBLE[path] | changes)).headers["etag"]
    return value


def decoded(client: httpx.Client) -> float:
    """How many images the decoder has made."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = (s for f in families for s in f.samples if s.name == "lorgnette_batch_size_sum")
    return sum(s.value for s in samples if s.labels["operation"] == "decode")


@pytest.mark.parametrize("path", REPRODUCIBLE)
def test_a_response_of_seeds_and_latents_is_kept_and_not_made_again(
    client: httpx.Client, path: str
) -> None:
    body = REPRODUCIBLE[path]
    first = ok(client.post(path, json=body))
    assert first.headers.get_list("cache-control") == ["public, max-age=31536000, immutable"]
    assert "Accept" in first.headers["vary"]
    etag = first.headers["etag"]
    assert etag.startswith('"')
    assert ok(client.post(path, json=body)).headers["etag"] == etag
    made = decoded(client)
    again = client.post(path, json=body, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "lorgnette-model"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert decoded(client) == made


@pytest.mark.parametrize("path", OTHERS)
def test_any_other_response_is_not_kept(client: httpx.Client, path: str) -> None:
    response = ok(client.post(path, json=OTHERS[path], headers={"If-None-Match": "*"}))
    assert "etag" not in response.headers
    assert response.headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"a,b" ,  W/"x", {tag}', 304),
        ("*", 304),
        ('"other"', 200),
        ('"{bare}x"', 200),
        ("{bare}", 200),
        ('"*"', 200),
        ("", 200),
    ],
)
def test_tags_are_compared_weakly(client: httpx.Client, header: str, status: int) -> None:
    etag = tag(client, "/sample")
    sent = header.format(tag=etag, bare=etag.strip('"'))
    response = client.get("/sample?seed=7&n=2", headers={"If-None-Match": sent})
    assert response.status_code == status


def test_tags_may_be_in_several_headers(client: httpx.Client) -> None:
    several = [("If-None-Match", '"x"'), ("If-None-Match", tag(client, "/sample"))]
    assert client.get("/sample?seed=7&n=2", headers=several).status_code == 304


def test_a_tag_is_of_the_model_the_fields_and_the_form(client: httpx.Client) -> None:
    etag = tag(client, "/sample")
    for change in ({"seed": 8}, {"n": 3}, {"temperature": 0.5}, {"prior": "standard"}):
        assert tag(client, "/sample", **change) != etag
    for query in ("model=grey", "format=json"):
        other = ok(client.post(f"/sample?{query}", json=REPRODUCIBLE["/sample"]))
        assert other.headers["etag"] != etag
    assert tag(client, "/sample", temperature=1.0, prior="fitted", detail=0) == etag
    assert tag(client, "/sample", temperature=1) == etag
    for query in ("model=tiny", "format=png", "temperature=1.00"):
        same = ok(client.get(f"/sample?seed=7&n=2&{query}"))
        assert same.headers["etag"] == etag


def test_the_order_of_names_makes_no_other_tag(client: httpx.Client) -> None:
    operands = REPRODUCIBLE["/arithmetic"]["operands"]
    turned = dict(reversed(operands.items()))
    assert list(turned) != list(operands)
    assert tag(client, "/arithmetic", operands=turned) == tag(client, "/arithmetic")


def test_a_compressed_response_has_a_tag_of_its_own(client: httpx.Client) -> None:
    tags = set()
    for coding in ("gzip", "identity"):
        headers = {"Accept-Encoding": coding}
        response = ok(client.get("/sample?seed=7&format=json", headers=headers))
        tags.add(response.headers["etag"])
        headers["If-None-Match"] = response.headers["etag"]
        again = client.get("/sample?seed=7&format=json", headers=headers)
        assert again.status_code == 304
        assert again.headers["vary"] == response.headers["vary"] == "Accept, Accept-Encoding"
    assert len(tags) == 2


def test_a_bad_request_is_no_match(client: httpx.Client) -> None:
    headers = {"If-None-Match": "*"}
    response = client.get("/sample?seed=7&n=0", headers=headers)
    problem(response, 422, "#/n")
    assert response.headers.get_list("cache-control") == ["no-store"]
    response = client.get("/sample?seed=7&format=mp4", headers=headers)
    problem(response, 406)
    assert "etag" not in response.headers


def test_a_model_can_be_named_with_its_hash(client: httpx.Client) -> None:
    named = ok(client.get("/sample?seed=7&model=grey"))
    exact = named.headers["lorgnette-model"]
    pinned = ok(client.get("/sample", params={"seed": 7, "model": exact}))
    assert (pinned.content, pinned.headers["etag"]) == (named.content, named.headers["etag"])
    problem(client.get("/sample?seed=7&model=grey@000000000000"), 404, "grey@000000000000")


def test_another_detail_is_another_image(client: httpx.Client) -> None:
    body = json.dumps(REPRODUCIBLE["/sample"] | {"detail": 1})
    response = client.post("/sample", content=body, headers={"If-None-Match": "*"})
    assert problem(response, 422)["type"] == "urn:lorgnette:no-detail"
