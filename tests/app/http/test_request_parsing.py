"""Bodies that are broken, or written to do harm."""

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from httpx import Client

from app.inference.image_pool import FairThreadPool
from app.settings import Settings
from tests.app.conftest import DIM, file, means, ok, problem, random_image, serving

A = file(random_image(1))
JSON = {"Content-Type": "application/json"}
NPY = {"Content-Type": "application/x-npy"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_header(text: str | bytes) -> bytes:
    header = text.encode() if isinstance(text, str) else text
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def shaped(shape: str, descr: str = "'<f4'") -> bytes:
    return npy_header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")


def part(disposition: bytes, data: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + data + b"\r\n"


IMAGE = part(b'name="image"; filename="a"', A)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"n": "\xff"}',
        b'{"\\ud800": 1}',
        b'{"seed": NaN}',
        b'{"seed": Infinity}',
        b'{"n": 1} x',
        b'{"n": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"n": ' * 100_000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_json(client: Client, body: bytes) -> None:
    for path in ("/sample", "/decode", "/arithmetic"):
        problem(client.post(path, content=body, headers=JSON), 400, "not JSON")


@pytest.mark.parametrize("body", [b"[1]", b"1", b"null", b'"x"'])
def test_json_that_is_no_object(client: Client, body: bytes) -> None:
    problem(client.post("/sample", content=body, headers=JSON), 422, "object")


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", '"NaN"', "1e999", "-1e999", '"x"', "null", "1e7"]
)
def test_a_latent_is_of_finite_numbers(client: Client, number: str) -> None:
    latent = f"[{', '.join(['0'] * (DIM - 1))}, {number}]"
    for path, body in {
        "/decode": f'{{"latents": [{latent}]}}',
        "/interpolate": f'{{"start": {{"latent": {latent}}}, "end": {{"seed": 1}}}}',
        "/arithmetic": f'{{"expression": "a", "operands": {{"a": {{"latent": {latent}}}}}}}',
    }.items():
        response = client.post(path, content=body, headers=JSON)
        words = ["not JSON"] if number.strip("-") in ("NaN", "Infinity") else [f"/{DIM - 1}"]
        problem(response, 400 if words == ["not JSON"] else 422, *words)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PK\x03\x04",
        npy(np.zeros((1, DIM)))[:9],
        npy(np.zeros((1, DIM))).replace(b"(1, 8), }   ", b"(True, 8), }"),
        npy(np.zeros((1, DIM)))[:60],
        npy(np.zeros((2, DIM)))[:-1],
        npy(np.zeros((2, DIM))) + b"\0",
        shaped("(10**9, 8)"),
        shaped("(999999999, 8)"),
        shaped("(99999999999999999999, 8)"),
        shaped("(-1, 8)") + bytes(32),
        shaped("(1, 8)", descr="()"),
        shaped("(1, 8)", descr="('<f4', 99999999999999999999)"),
        shaped("(1, 8)", descr="[('a', ())]"),
        npy_header("{"),
        npy_header("'''"),
        npy_header("(" * 5000),
        npy_header("{[]: 1}"),
        npy_header("\n\n  x\n y"),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8), 1: 2}"),
        npy_header(b"\xff\x00\x01"),
        npy_header("{}" + " " * 60_000),
        b"\x93NUMPY\x03\x00" + npy(np.zeros((1, DIM)))[8:],
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{}",
    ],
    ids=lambda body: repr(body[:90]),
)
def test_what_is_no_npy_file(client: Client, body: bytes) -> None:
    problem(client.post("/decode", content=body, headers=NPY), 400, "npy")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (npy(np.zeros((2, 3))), ["(2, 3)", "(N, 8)"]),
        (npy(np.zeros(DIM)), ["(8,)", "(N, 8)"]),
        (npy(np.zeros((1, 1, DIM))), ["(1, 1, 8)"]),
        (npy(np.zeros((0, DIM))), ["#/latents"]),
        (npy(np.zeros((1, DIM), int)), ["int64"]),
        (npy(np.zeros((1, DIM), complex)), ["complex128"]),
        (npy(np.zeros((1, DIM), bool)), ["bool"]),
        (npy(np.zeros((1, DIM), np.longdouble)), ["float128"]),
        (shaped("(1, 8)", descr="'|O'"), ["object"]),
        (npy(np.full((1, DIM), np.nan)), ["#/latents/0/0"]),
        (npy(np.full((1, DIM), -np.inf, np.float16)), ["#/latents/0/0"]),
        (npy(np.full((1, DIM), 1e300)), ["#/latents/0/0"]),
    ],
)
def test_an_npy_array_that_does_not_fit(client: Client, body: bytes, words: list[str]) -> None:
    problem(client.post("/decode", content=body, headers=NPY), 422, *words)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary="),
        (b"x", "multipart/form-data; boundary=b"),
        (b"", "multipart/form-data; boundary=b"),
        (b"x", "multipart/form-data; boundary=" + "b" * 5000),
        (IMAGE, "multipart/form-data; boundary=b"),  # the last boundary is missing
        (IMAGE + IMAGE[:-40], "multipart/form-data; boundary=b"),
        (IMAGE + b"--b-", "multipart/form-data; boundary=b"),
        (b"--b\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (part(b"", A) + b"--b--", "multipart/form-data; boundary=b"),
        (IMAGE + b"--b--", "multipart/form-data; boundary=c"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_broken_form(client: Client, body: bytes, kind: str) -> None:
    headers = {"Content-Type": kind}
    problem(client.post("/encode", content=body, headers=headers), 400, "form")


@pytest.mark.parametrize("end", [b"--b--", b"--b--\r\n", b"--b--\r\nan epilogue\r\n"])
def test_a_whole_form_in_any_number_of_chunks(client: Client, end: bytes) -> None:
    body = IMAGE + end
    expected = means(client, A)[0].tolist()
    for size in (7, 1000, len(body)):
        chunks = (body[i : i + size] for i in range(0, len(body), size))
        response = client.post("/encode", content=chunks, headers=FORM)
        assert ok(response).json()["latents"][0]["mean"] == expected


@pytest.mark.parametrize(
    "field",
    [
        part(b'name="fit"', b"\xff\xfe"),
        part(b'name="\xff\xfe"', b"crop"),
        part(b'name=""', b"crop"),
        part(b'name="fit"', b"crop") * 2,
        part(b'name="fit"; filename="crop"', b"crop"),
        part(b'name="compare"', b"true"),
    ],
)
def test_a_field_that_does_not_fit(client: Client, field: bytes) -> None:
    body = IMAGE + field + b"--b--"
    found = problem(client.post("/encode", content=body, headers=FORM), 422)
    assert found["errors"]


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "utf-16", "hex", "none-such"])
def test_a_form_in_an_odd_charset(client: Client, charset: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}
    for name in (b"+2AA-", b"\\ud800", b"x"):
        body = part(b'name="' + name + b'"', b"x") + b"--b--"
        problem(client.post("/encode", content=body, headers=headers), 422)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/interpolate", [(b'name="start"', b"\\ud800")]),
        ("/interpolate", [(b'name="\\ud800"; filename="a"', b"x")]),
        ("/arithmetic", [(b'name="\\ud800"', b"x")] * 2),
        ("/encode", [(b'name="image"', b"\\ud800")]),
    ],
)
def test_half_a_character_is_no_error_of_ours(
    client: Client, path: str, parts: list[tuple[bytes, bytes]]
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b; charset=unicode_escape"}
    body = b"".join(part(*each) for each in parts) + b"--b--"
    assert client.post(path, content=body, headers=headers).status_code in (415, 422)


def test_options_do_not_count_as_images(settings: Callable[..., Settings]) -> None:
    with serving(settings(max_images=1)) as client:
        data = {"expression": "a", "preserve": "1", "fit": "pad", "embedded": "false"}
        ok(client.post("/arithmetic", files={"a": A}, data=data))
        seeds = [("a", (None, f'{{"seed": {i}}}')) for i in range(2)]
        problem(client.post("/arithmetic", files=seeds, data={"expression": "a"}), 413, "2")
        many: Any = [(f"x{i}", (None, "1")) for i in range(40)]
        problem(client.post("/arithmetic", files=many), 413, "17 fields")
        problem(client.post("/arithmetic", files=[("a", A)] * 2), 413, "1 files")


def test_a_field_of_text_has_its_limit(client: Client) -> None:
    fields = {"expression": (None, "+" * (2**20 + 1))}
    problem(client.post("/arithmetic", files=fields), 413, "1048576")


def test_parsing_waits_where_images_wait_not_where_responses_do(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []
    submit = FairThreadPool.submit

    def noted(self: FairThreadPool, works: Any, limit: int) -> Any:
        limits.append(limit)
        return submit(self, works, limit)

    monkeypatch.setattr(FairThreadPool, "submit", noted)
    with serving(settings(max_image_queue=70)) as client:
        body = json.dumps({"latents": [[0.5] * DIM] * 2000})
        problem(client.post("/decode", content=body, headers=JSON), 413)
    assert limits == [70]  # a response may wait among twice as many
