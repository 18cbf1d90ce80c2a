import asyncio
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from httpx import Client, Response

from app.settings import Settings
from tests.app.conftest import DIM, file, problem, random_image, serving, text

A = file(random_image(1))
LATENT = [0.0] * DIM


def bomb(side: int) -> bytes:
    """A PNG of one colour that says it is this large, in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 + side) * 50)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def summed(expression: str, **operands: Any) -> dict[str, Any]:
    return {"json": {"expression": expression, "operands": operands}}


def ends(**changes: Any) -> dict[str, Any]:
    return {"json": {"start": {"seed": 1}, "end": {"seed": 2}, **changes}}


def typed(content: bytes, kind: str) -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Type": kind}}


@pytest.mark.parametrize(
    ("path", "request_", "status", "words"),
    [
        ("/sample", {"data": {"n": 1}}, 415, ["urlencoded", "application/json"]),
        ("/sample", typed(A, "image/png"), 415, ["image/png", "application/json"]),
        ("/sample", {"json": {"n": 0}}, 422, ["#/n"]),
        ("/sample", {"json": {"n": 65}}, 422, ["#/n", "64"]),
        ("/sample", {"json": {"n": 1.5}}, 422, ["#/n"]),
        ("/sample", {"json": {"temperature": 2.1}}, 422, ["#/temperature"]),
        ("/sample", {"json": {"temperature": 3}}, 422, ["#/temperature", "2"]),
        ("/sample", {"json": {"temperature": -0.1}}, 422, ["#/temperature", "0"]),
        ("/sample", {"json": {"seed": -1}}, 422, ["#/seed"]),
        ("/sample", {"json": {"seed": 2**53}}, 422, ["#/seed"]),
        ("/sample", {"json": {"n": 2, "seed": 2**53 - 1}}, 422, ["seed"]),
        ("/sample", {"json": {"prior": "uniform"}}, 422, ["#/prior", "fitted"]),
        ("/sample", {"json": {"colour": "red"}}, 422, ["#/colour"]),
        ("/sample", {"json": {"a/b~c": 1}}, 422, ["#/a~1b~0c"]),
        ("/sample?n=two", {}, 422, ["#/n"]),
        ("/sample?model=cats", {}, 404, ["cats", "tiny"]),
        ("/sample?model=%FF", {}, 404, ["tiny"]),
        ("/sample?format=mp4", {}, 406, ["mp4", "png, jpeg, webp, gif, apng, zip, json, npy"]),
        ("/sample", {"headers": {"Accept": "text/html"}}, 406, ["text/html", "image/png"]),
        ("/arithmetic?format=zip", {"files": {"image": A}}, 406, ["zip", "png, jpeg, webp, json"]),
        ("/decode", {"json": {"latents": [[0.0] * (DIM + 1)]}}, 422, ["9 values", "8"]),
        ("/decode", {"json": {"latents": [LATENT, LATENT[1:]]}}, 422, ["7 values", "8"]),
        ("/decode", {"json": {"latents": []}}, 422, ["#/latents"]),
        ("/decode?modle=tiny", {"json": {"latents": [LATENT]}}, 422, ["#/modle"]),
        ("/decode", {"json": {"latents": [LATENT] * 65}}, 413, ["65", "64"]),
        ("/decode", {"files": {"latents": A}}, 415, ["multipart", "npy"]),
        ("/decode", typed(A, "image/png"), 415, ["image/png", "npy"]),
        ("/encode", {"files": {"image": b"hello"}}, 415, ["PNG", "TIFF"]),
        ("/encode", {"files": {"image": b""}}, 415, ["PNG", "TIFF"]),
        ("/encode", typed(b"hello", "image/png"), 415, ["PNG"]),
        ("/encode", {"json": {"image": text(b"hello")}}, 415, ["PNG"]),
        ("/encode", {"files": {"image": A[:200]}}, 400, ["corrupt or truncated"]),
        ("/encode", {"files": [("image", A), ("image", A[:200])]}, 400, ["truncated"]),
        ("/encode", {"json": {"image": text(A[:200])}}, 400, ["corrupt or truncated"]),
        ("/encode", {"files": {"picture": A}}, 422, ["#/picture"]),
        ("/encode", {"json": {"image": "%%%"}}, 422, ["base64"]),
        ("/encode", {"json": {"image": "ü"}}, 422, ["base64"]),
        ("/encode", {"json": {"image": 3}}, 422, ["#/image"]),
        ("/encode", {"json": {"image": []}}, 422, ["#/image"]),
        ("/encode", {"json": {"image": "data:text/plain,hi"}}, 422, ["data:"]),
        ("/encode", {"json": {"image": "http://localhost/a.png"}}, 422, ["base64"]),
        ("/encode", {"json": {}}, 422, ["#/image"]),
        ("/encode?fit=zoom", {"files": {"image": A}}, 422, ["#/fit", "crop"]),
        ("/encode", {"files": [("image", A)] * 65}, 413, ["64"]),
        ("/encode", {"json": {"image": [text(A)] * 65}}, 413, ["65", "64"]),
        ("/encode", typed(b"x", "text/plain"), 415, ["text/plain", "image/*"]),
        ("/encode", {"content": A}, 415, ["no content type"]),
        ("/interpolate", typed(A, "image/png"), 415, ["image/png"]),
        ("/interpolate", {"files": {"start": A}}, 422, ["#/end"]),
        (
            "/interpolate",
            {"files": [("start", A), ("end", A), *2 * [("steps", (None, "3"))]]},
            422,
            ["#/steps", "twice"],
        ),
        ("/interpolate", {"files": {"start": A}, "data": {"end": "her"}}, 422, ["#/end", "file"]),
        ("/interpolate", {"files": {"start": A, "end": A, "c": A}}, 422, ["#/c"]),
        (
            "/interpolate",
            ends(start={"seed": 1, "latent": LATENT}),
            422,
            ["#/start", "exactly one"],
        ),
        ("/interpolate", ends(start={}), 422, ["#/start", "exactly one"]),
        ("/interpolate", ends(start={"url": "http://localhost/"}), 422, ["#/start/0/url"]),
        ("/interpolate", ends(end={"latent": LATENT[1:]}), 422, ["7 values", "8"]),
        ("/interpolate", ends(steps=1), 422, ["#/steps", "2"]),
        ("/interpolate", ends(steps=65), 422, ["#/steps", "64"]),
        ("/interpolate", ends(method="cubic"), 422, ["#/method", "slerp"]),
        ("/arithmetic", {"json": {}}, 422, ["#/expression"]),
        ("/arithmetic", {"json": {"expression": "me"}}, 422, ["'me'", "glasses, smile"]),
        ("/arithmetic", summed(""), 422, ["character 1", "the end"]),
        ("/arithmetic", summed("glasses + 2 smile"), 422, ["character 13"]),
        ("/arithmetic", summed("glasses/2"), 422, ["'/'", "character 8"]),
        ("/arithmetic", summed("glasses", me={"seed": 1}), 422, ["does not use 'me'"]),
        ("/arithmetic", summed("a", a=[]), 422, ["#/operands/a"]),
        ("/arithmetic", summed("a", a=[{"seed": 1}, {"seed": -1}]), 422, ["#/operands/a/1/seed"]),
        ("/arithmetic", summed("a", a={"latent": LATENT[1:]}), 422, ["7 values"]),
        ("/arithmetic", summed("a", **{"a b": {"seed": 1}}), 422, ["#/operands/a b"]),
        ("/arithmetic", {"json": {"expression": "glasses", "preserve": 1.1}}, 422, ["#/preserve"]),
        ("/arithmetic", {"files": {"me": A}, "data": {"expression": "x"}}, 422, ["'me'"]),
        ("/nowhere", {}, 404, ["/nowhere"]),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    client: Client, path: str, request_: dict[str, Any], status: int, words: list[str]
) -> None:
    body = problem(client.post(path, **request_), status, *words)
    if status == 422:
        assert body["errors"]
        assert all(e["pointer"].startswith("#") and e["detail"] for e in body["errors"])


def test_every_bad_field_is_pointed_at(client: Client) -> None:
    body = problem(client.post("/sample", json={"n": 0, "temperature": -1}), 422)
    assert {e["pointer"] for e in body["errors"]} == {"#/n", "#/temperature"}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_image_is_never_an_error_of_ours(client: Client, kind: str) -> None:
    whole = file(random_image(4, (64, 48)), kind)
    assert client.post("/encode", files={"image": whole}).status_code == 200
    for share in range(16):
        response = client.post("/encode", files={"image": whole[: len(whole) * share // 16]})
        assert response.status_code in (200, 400, 413, 415)
        assert response.status_code != 200 or share > 8


def test_a_huge_image_of_one_colour_is_refused_before_it_is_decoded(client: Client) -> None:
    # Its pixels are not all there: a decode would end in 400.
    problem(client.post("/encode", files={"image": bomb(30_000)}), 413, "30000 x 30000")


@pytest.fixture(scope="module")
def strict(settings: Callable[..., Settings]) -> Iterator[Client]:
    limits = {"max_body_bytes": 20_000, "max_image_bytes": 8_000, "max_images": 3}
    with serving(settings(**limits, max_image_pixels=5_000)) as client:
        yield client


def test_limits_of_bytes(strict: Client) -> None:
    noise = np.random.default_rng(0).bytes(30_000)
    image = {"Content-Type": "image/png"}
    problem(strict.post("/encode", content=noise, headers=image), 413, "20000")
    problem(strict.post("/encode", content=iter([noise]), headers=image), 413, "20000")
    problem(strict.post("/encode", files={"image": noise}), 413, "20000")
    problem(strict.post("/sample", json={"prior": noise.hex()}), 413, "20000")
    problem(strict.post("/encode", content=noise[:9_000], headers=image), 413, "9000", "8000")
    problem(strict.post("/encode", files={"image": noise[:9_000]}), 413, "9000", "8000")
    problem(strict.post("/encode", json={"image": [text(noise[:9_000])]}), 413, "9000", "8000")
    problem(
        strict.post("/arithmetic", **summed("a", a={"image": text(noise[:9_000])})), 413, "9000"
    )


def test_limits_of_counts(strict: Client) -> None:
    small = file(random_image(1, (8, 8)))
    problem(strict.post("/encode", files=[("image", small)] * 4), 413)
    problem(strict.post("/encode", json={"image": [text(small)] * 4}), 413, "4", "3")
    problem(strict.post("/sample", json={"n": 4}), 413, "4", "3")
    problem(strict.post("/interpolate", **ends(steps=4)), 413, "4", "3")
    problem(strict.post("/arithmetic", **summed("a", a=[{"seed": i} for i in range(4)])), 413, "4")
    wide = file(random_image(1, (100, 60)))
    problem(strict.post("/encode", files={"image": wide}), 413, "100 x 60", "5000")


def test_a_full_queue_says_when_to_come_back(settings: Callable[..., Settings]) -> None:
    with serving(settings(max_queue=64, max_batch=1)) as client:
        url = str(client.base_url)

        async def crowd() -> list[Response]:
            async with httpx.AsyncClient(base_url=url, timeout=60) as many:
                requests = (many.post("/sample", json={"n": 40, "seed": 1}) for _ in range(8))
                return list(await asyncio.gather(*requests))

        responses = asyncio.run(crowd())
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {200, 503}
    for response in responses:
        if response.status_code == 503:
            problem(response, 503, "64")
            assert int(response.headers["retry-after"]) >= 1


def test_an_error_of_ours_says_nothing_but_its_id(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(settings()) as client:

        def broken(*_: object) -> list[Any]:
            raise RuntimeError("secret")

        monkeypatch.setattr("app.inference.runners.to_float", broken)
        response = client.post("/encode", files={"image": A}, headers={"X-Request-ID": "mine-1"})
    assert problem(response, 500)["instance"] == "mine-1"
    assert response.headers["connection"] == "close"  # as it will be; else the next request is lost
    assert "secret" not in response.text
    assert "Traceback" not in response.text
