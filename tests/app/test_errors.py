import asyncio
import base64
import io
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from httpx import Client, Response

from app.settings import Settings
from tests.app.conftest import DIM, file, picture, serving

A = file(picture(1))
JSON = {"Content-Type": "application/json"}
NPY = {"Content-Type": "application/x-npy"}
LATENT = [0.0] * DIM


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_header(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


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


def problem(answer: Response, status: int, *words: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:lorgnette:")
    assert body["title"]
    assert body["instance"] == answer.headers["x-request-id"]
    for word in words:
        assert word in body["detail"], body["detail"]
    return body


@pytest.mark.parametrize(
    ("path", "request_", "status", "words"),
    [
        ("/sample", {"content": b"{", "headers": JSON}, 400, ["not JSON"]),
        ("/sample", {"content": b"\xff\xfe", "headers": JSON}, 400, ["not JSON"]),
        ("/sample", {"content": b'{"seed": NaN}', "headers": JSON}, 400, ["not JSON"]),
        ("/sample", {"content": b"[" * 100_000, "headers": JSON}, 400, ["not JSON"]),
        ("/sample", {"content": b"[1]", "headers": JSON}, 422, ["object"]),
        ("/sample", {"data": {"n": 1}}, 415, ["urlencoded", "application/json"]),
        ("/sample", {"json": {"n": 0}}, 422, ["#/n"]),
        ("/sample", {"json": {"n": 65}}, 422, ["#/n", "64"]),
        ("/sample", {"json": {"temperature": 2.1}}, 422, ["#/temperature"]),
        ("/sample", {"json": {"seed": 2**53}}, 422, ["#/seed"]),
        ("/sample", {"json": {"n": 2, "seed": 2**53 - 1}}, 422, ["seed"]),
        ("/sample", {"json": {"prior": "uniform"}}, 422, ["#/prior", "fitted"]),
        ("/sample", {"json": {"colour": "red"}}, 422, ["#/colour"]),
        ("/sample?n=two", {}, 422, ["#/n"]),
        ("/sample?model=cats", {}, 404, ["cats", "tiny"]),
        ("/sample?format=gif", {}, 406, ["gif", "png"]),
        ("/sample", {"headers": {"Accept": "text/html"}}, 406, ["text/html", "image/png"]),
        ("/decode", {"json": {"latents": [[0.0] * (DIM + 1)]}}, 422, ["9 values", "8"]),
        ("/decode", {"json": {"latents": []}}, 422, ["#/latents"]),
        ("/decode", {"json": {"latents": [["a"] * DIM]}}, 422, ["#/latents/0/0"]),
        ("/decode", {"json": {"latents": [[1e7] * DIM]}}, 422, ["#/latents/0/0"]),
        ("/decode", {"json": {"latents": [LATENT] * 65}}, 413, ["65", "64"]),
        ("/decode", {"content": npy(np.zeros((2, 3))), "headers": NPY}, 422, ["(2, 3)", "(N, 8)"]),
        ("/decode", {"content": npy(np.zeros((1, DIM), int)), "headers": NPY}, 422, ["int64"]),
        ("/decode", {"content": npy(np.full((1, DIM), np.nan)), "headers": NPY}, 422, ["#/lat"]),
        ("/decode", {"content": npy_header("(10**9, 8)"), "headers": NPY}, 400, ["npy"]),
        ("/decode", {"content": npy_header("(999999999, 8)"), "headers": NPY}, 400, ["promises"]),
        ("/decode", {"content": b"PK\x03\x04", "headers": NPY}, 400, ["npy"]),
        ("/decode", {"content": A, "headers": {"Content-Type": "image/png"}}, 415, ["image/png"]),
        ("/encode", {"files": {"image": b"hello"}}, 415, ["PNG", "AVIF"]),
        ("/encode", {"files": {"image": A[:200]}}, 400, ["corrupt or truncated"]),
        ("/encode", {"files": {"picture": A}}, 422, ["#/picture"]),
        ("/encode", {"json": {"image": "%%%"}}, 422, ["base64"]),
        ("/encode", {"json": {"image": "data:text/plain,hi"}}, 422, ["data:"]),
        ("/encode", {"json": {}}, 422, ["#/image"]),
        ("/encode", {"files": [("image", A)] * 65}, 413, ["64"]),
        ("/encode", {"files": {"image": bomb(30_000)}}, 413, ["30000 x 30000"]),
        (
            "/encode",
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            400,
            ["form"],
        ),
        (
            "/encode",
            {"content": b"x", "headers": {"Content-Type": "text/plain"}},
            415,
            ["text/plain"],
        ),
        ("/interpolate", {"files": {"start": A}}, 422, ["#/end"]),
        ("/interpolate", {"files": [("start", A), ("start", A), ("end", A)]}, 422, ["twice"]),
        ("/interpolate", {"files": {"start": A}, "data": {"end": "her"}}, 422, ["#/end", "file"]),
        (
            "/interpolate",
            {"json": {"start": {"seed": 1, "latent": LATENT}, "end": {"seed": 1}}},
            422,
            ["#/start", "exactly one"],
        ),
        (
            "/interpolate",
            {"json": {"start": {"seed": 1}, "end": {"seed": 1}, "steps": 1}},
            422,
            ["#/steps"],
        ),
        ("/arithmetic", {"json": {"expression": "me"}}, 422, ["'me'", "glasses, smile"]),
        ("/arithmetic", {"json": {"expression": ""}}, 422, ["character 1", "the end"]),
        ("/arithmetic", {"json": {"expression": "glasses + 2 smile"}}, 422, ["character 13"]),
        ("/arithmetic", {"json": {"expression": "glasses + + smile"}}, 422, ["character 11"]),
        ("/arithmetic", {"json": {"expression": "glasses/2"}}, 422, ["'/'", "character 8"]),
        (
            "/arithmetic",
            {"json": {"expression": "glasses", "operands": {"me": {"seed": 1}}}},
            422,
            ["does not use 'me'"],
        ),
        (
            "/arithmetic",
            {"json": {"expression": "glasses", "preserve": 0.5}},
            422,
            ["preserve"],
        ),
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


def test_wrong_method(client: Client) -> None:
    answer = client.get("/sample")
    problem(answer, 405, "GET")
    assert answer.headers["allow"] == "POST"


def test_every_bad_field_is_pointed_at(client: Client) -> None:
    body = problem(client.post("/sample", json={"n": 0, "temperature": -1}), 422)
    assert {e["pointer"] for e in body["errors"]} == {"#/n", "#/temperature"}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_truncated_picture_is_never_an_error_of_ours(client: Client, kind: str) -> None:
    whole = file(picture(4, (64, 48)), kind)
    assert client.post("/encode", files={"image": whole}).status_code == 200
    for share in range(16):
        answer = client.post("/encode", files={"image": whole[: len(whole) * share // 16]})
        assert answer.status_code in (200, 400, 413, 415)


def test_a_huge_picture_of_one_colour_is_refused_before_it_is_decoded(client: Client) -> None:
    started = time.perf_counter()
    problem(client.post("/encode", files={"image": bomb(30_000)}), 413)
    assert time.perf_counter() - started < 2


@pytest.fixture(scope="module")
def strict(settings: Callable[..., Settings]) -> Iterator[Client]:
    limits = {"max_body_bytes": 20_000, "max_picture_bytes": 8_000, "max_pictures": 3}
    with serving(settings(**limits, max_picture_pixels=5_000)) as client:
        yield client


def test_limits_of_bytes(strict: Client) -> None:
    noise = np.random.default_rng(0).bytes(30_000)
    image = {"Content-Type": "image/png"}
    problem(strict.post("/encode", content=noise, headers=image), 413, "20000")
    problem(strict.post("/encode", content=iter([noise]), headers=image), 413, "20000")
    problem(strict.post("/encode", files={"image": noise}), 413, "20000")
    problem(strict.post("/encode", content=noise[:9_000], headers=image), 413, "9000", "8000")
    problem(strict.post("/encode", files={"image": noise[:9_000]}), 413, "9000", "8000")
    many = {"image": [base64.b64encode(noise[:9_000]).decode()]}
    problem(strict.post("/encode", json=many), 413, "9000", "8000")


def test_limits_of_counts(strict: Client) -> None:
    small = file(picture(1, (8, 8)))
    problem(strict.post("/encode", files=[("image", small)] * 4), 413)
    problem(strict.post("/encode", json={"image": [base64.b64encode(small).decode()] * 4}), 413)
    problem(strict.post("/sample", json={"n": 4}), 413, "4", "3")
    seeds = [{"seed": i} for i in range(4)]
    operands = {"expression": "a", "operands": {"a": seeds}}
    problem(strict.post("/arithmetic", json=operands), 413, "4", "3")
    wide = file(picture(1, (100, 60)))
    problem(strict.post("/encode", files={"image": wide}), 413, "100 x 60", "5000")


def test_a_full_queue_says_when_to_come_back(settings: Callable[..., Settings]) -> None:
    with serving(settings(max_queue=64, max_batch=1)) as client:
        url = str(client.base_url)

        async def crowd() -> list[Response]:

            async with httpx.AsyncClient(base_url=url, timeout=60) as many:
                requests = (many.post("/sample", json={"n": 40, "seed": 1}) for _ in range(8))
                return list(await asyncio.gather(*requests))

        answers = asyncio.run(crowd())
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            problem(answer, 503, "64")
            assert int(answer.headers["retry-after"]) >= 1
