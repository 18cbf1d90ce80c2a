"""JSON, arrays, queries and headers that are broken, or hostile on purpose."""

import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.app.conftest import DIM
from tests.hostile.cases import JSON, Case

POSTS = (
    *("/encode", "/decode", "/reconstruct", "/sample", "/interpolate", "/traverse"),
    *("/arithmetic", "/inpaint", "/score"),
)
ODD_NUMBERS = ("", "NaN", "1e400", "-1", "9" * 400, "1.5", "0x1", "%00", "1,2", "[]", "1&n=x")
DIRECTION = "/directions/mine"
GETS = ("/directions", "/models", "/models/tiny", "/health/live", "/health/ready", "/metrics")


def broken_json() -> Iterator[Case]:
    """What is not JSON, to every endpoint."""
    bodies = {
        "an open brace": b"{",
        "invalid UTF-8": b'{"n": "\xff\xfe"}',
        "overlong UTF-8": b'{"\xc0\xaf": 1}',
        "UTF-16": '{"n": 1}'.encode("utf-16"),
        "a lone surrogate": b'{"\\ud800": 1}',
        "a control character": b'{"a\0b": 1}',
        "NaN": b'{"seed": NaN}',
        "infinity": b'{"temperature": -Infinity}',
        "deep lists": b"[" * 200_000,
        "deep objects": b'{"n":' * 50_000,
        "deep and closed": b'{"n":' + b"[" * 9_999 + b"]" * 9_999 + b"}",
        "an endless number": b'{"n": ' + b"9" * 10**6 + b"}",
        "a comment": b'{"n": 1 /* one */}',
        "a comma too much": b'{"n": 1,}',
        "two objects": b"{}{}",
        "single quotes": b"{'n': 1}",
        "a list": b"[1]",
        "a number": b"1e999",
        "null": b"null",
        "zeros": bytes(1000),
    }
    for method, path in (*(("POST", path) for path in POSTS), ("PUT", DIRECTION)):
        for name, body in bodies.items():
            yield Case(f"{name} to {path}", path, body, JSON, method, bad=True)


def directions() -> Iterator[Case]:
    """Groups that make no direction, and names that no direction can have."""
    seeds = {"with": [{"seed": 1}], "without": [{"seed": 2}]}
    bodies: dict[str, Any] = {
        "a group that is a text": seeds | {"with": "x" * 100_000},
        "groups in groups": seeds | {"with": [[{"seed": 1}]]},
        "a thousand operands": seeds | {"with": [{"seed": 1}] * 1000},
        "latents of every length": seeds | {"with": [{"latent": [0.0] * n} for n in range(1, 40)]},
        "latents without end": seeds | {"with": [{"latent": [1e308] * DIM}]},
        "a long meaning": seeds | {"meaning": "m" * 10**6},
        "a name as a group": seeds | {"label": ["glasses"]},
        "everything held": seeds | {"hold": ["glasses"] * 5000},
        "SQL as a label": {"with": [{"seed": 1}], "label": "x'; DROP TABLE directions; --"},
    }
    for name, body in bodies.items():
        yield Case(
            f"{name} to {DIRECTION}", DIRECTION, json.dumps(body).encode(), JSON, "PUT", True
        )
    body = json.dumps(seeds).encode()
    for name in ("a%00b", "..%2F..", "a'b", "%F0%9F%91%93", "a" * 10_000, "glasses%20", "-"):
        for method in ("PUT", "DELETE", "GET"):
            path = f"/directions/{name}"
            yield Case(f"{method} of {name[:40]}", path, body, JSON, method, bad=True)


def large_json() -> Iterator[Case]:
    """JSON that is much more once it is read."""
    count = 4_000_000
    keys = ",".join(f'"k{i}":1' for i in range(300_000)).encode()
    bodies = {
        "empty lists": b'{"latents":[' + b"[]," * count + b"[]]}",
        "empty objects": b'{"latents":[' + b"{}," * count + b"{}]}",
        "numbers": b'{"latents":[[' + b"0.1," * count + b"1]]}",
        "strings": b'{"latents":["x"' + b',"x"' * count + b"]}",
        "keys": b"{" + keys + b"}",
        "some keys": b"{" + keys[:200_000].rpartition(b",")[0] + b"}",
        "keys within": b'{"start":{' + keys + b"}}",
        "one key twice": b"{" + b'"n":1,' * 10**6 + b'"n":1}',
        "a long key": b'{"' + b"k" * 20_000_000 + b'":1}',
        "a long text": b'{"prior":"' + b"k" * 20_000_000 + b'"}',
        "escapes": b'{"expression":"' + rb"\u0041" * 3_000_000 + b'"}',
        "bad entries": b'{"latents":[' + b'["x"],' * 30_000 + b"[]]}",
        "bad values": b'{"latents":[[' + b'"x",' * 200_000 + b"1]]}",
        "space": b" " * 20_000_000 + b"[]",
    }
    for name, body in bodies.items():
        for path in ("/decode", "/sample", "/arithmetic"):
            yield Case(f"JSON of {name} to {path}", path, body, JSON, bad=True)


def odd_values() -> Iterator[Case]:
    """Every field with every kind of value; some of them are in order."""
    values = [
        *("NaN", "1e400", "-0", "1e308", "-1e-400", "9" * 400, "1.5", "true", "null", '""'),
        *('"\\u0000"', '"x"', "[]", "{}", "[[]]", '{"seed": 1e99}', '"../../etc/passwd"'),
    ]
    fields = {
        "/sample": ("n", "seed", "temperature", "prior", "size", "fps"),
        "/decode": ("latents", "latents\\u0000"),
        "/encode": ("image", "fit", "embedded"),
        "/reconstruct": ("image", "compare"),
        "/interpolate": ("start", "end", "via", "steps", "method", "easing"),
        "/traverse": ("operand", "along", "across", "low", "high", "steps", "rows"),
        "/arithmetic": ("expression", "operands", "preserve", "fit"),
        "/inpaint": ("image", "mask", "n", "seed", "align", "size"),
        "/score": ("image", "fit", "face", "detail"),
    }
    for path, names in fields.items():
        for name in names:
            for value in values:
                body = f'{{"{name}": {value}}}'.encode()
                yield Case(f"{name} is {value[:20]} to {path}", path, body, JSON)


def base64_text() -> Iterator[Case]:
    """Images as text that is not what it says."""
    texts = [
        *("%%%", "A", "AA=A", "====", "AAAA\n", " AAAA", "data:", "data:,", "data:;base64"),
        *("data:image/png,AAAA", "data:image/png;base64;base64,", "http://localhost/", "\u00fc"),
        *("file:///etc/passwd", "A" * 20_000_001, "data:" + "x" * 10**6 + ";base64,A", "-_-_"),
    ]
    for i, text in enumerate(texts):
        bodies = {
            "/encode": {"image": text},
            "/reconstruct": {"image": [text]},
            "/interpolate": {"start": {"image": text}, "end": {"seed": 1}},
            "/arithmetic": {"expression": "a", "operands": {"a": {"image": text}}},
            "/inpaint": {"image": text, "mask": text},
            "/score": {"image": [text]},
        }
        for path, body in bodies.items():
            yield Case(f"base64 {i} to {path}", path, json.dumps(body).encode(), JSON, bad=True)


def expressions() -> Iterator[Case]:
    """Sums that are none, to the longest."""
    texts = [
        *("", "+", "a+", "1*", "((((", "glasses" * 200, "glasses+" * 200, "9" * 900 + "*glasses"),
        *("glasses; import os", "__class__", "glasses\0", "\u0661*glasses", "1e9*glasses", "*"),
        *("9" * 39 + "*glasses", "0x10*glasses", "-" * 999, " " * 1_000_000, "glasses//smile"),
    ]
    for i, text in enumerate(texts):
        body = json.dumps({"expression": text}).encode()
        yield Case(f"expression {i}", "/arithmetic", body, JSON, bad=True)


def arrays() -> Iterator[Case]:
    """``.npy`` bodies whose header lies."""

    def header(shape: str, descr: str = "'<f4'") -> bytes:
        text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
        return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text

    def saved(array: npt.NDArray[Any]) -> bytes:
        stream = io.BytesIO()
        np.save(stream, array)
        return stream.getvalue()

    good = saved(np.zeros((2, DIM), np.float32))
    bodies = {f"cut at {i}/16": good[: len(good) * i // 16] for i in range(16)}
    bodies |= {
        "of a million rows": saved(np.zeros((10**6, DIM), np.float16)),
        "of a huge hexadecimal shape": header(f"(0x{'f' * 8000}, {DIM})"),
        "of a huge hexadecimal width": header(f"(1, 0x{'f' * 8000})"),
        "of a negative shape": header(f"(-1, {DIM})") + bytes(32),
        "of 10**18 rows": header(f"({10**18}, {DIM})"),
        "of no dimensions": header("()") + bytes(4),
        "of objects": header(f"(1, {DIM})", "'|O'") + bytes(64),
        "of deep brackets": header("(" * 2_000),
        "of NaN": saved(np.full((1, DIM), np.nan)),
        "of infinity": saved(np.full((1, DIM), np.inf, np.float16)),
        "of text": saved(np.array([["a"] * DIM])),
        "of no rows": saved(np.zeros((0, DIM))),
        "of code": header(f"(__import__('os').getpid(), {DIM})"),
    }
    for name, body in bodies.items():
        headers = {"Content-Type": "application/x-npy"}
        yield Case(f"npy {name}", "/decode", body, headers, bad=True)


def queries() -> Iterator[Case]:
    """Queries and paths that are not of this service."""
    tails = [
        *("?model=%00", "?model=%ff%fe", "?model=" + "x" * 9_000, "?model[]=tiny", "?=", "?&&&=&"),
        *("?" + "a&" * 9_000, "?format=%0d%0aX:%20y", "?format=../../a", "?model=tiny&model=x"),
    ]
    for path in (*POSTS, *GETS):
        for tail in tails:
            method = "POST" if path in POSTS else "GET"
            yield Case(f"{path}{tail[:20]}", path + tail, b"{}", JSON, method)
    fields = [f"?{name}={value}" for name in ("seed", "n") for value in ODD_NUMBERS]
    for tail in (*tails, *fields):
        for method in ("GET", "OPTIONS"):
            yield Case(f"{method} /sample{tail[:20]}", "/sample" + tail, method=method)
    places = [
        *("/models/..%2f..%2fetc%2fpasswd", "/models/%00", "/models/%ff", "/%2e%2e/%2e%2e/etc"),
        *("//encode", "/encode/", "/ENCODE", "/encode;a=b", "/" + "a/" * 9_000, "/%0d%0aX:y", "/*"),
        *("/models/" + "%41" * 9_000, "/a.js", "/.git/config", "/docs", "/models/%00/reload"),
    ]
    for place in places:
        for method in ("GET", "POST", "DELETE"):
            yield Case(f"{method} {place[:30]}", place, method=method, bad=True)


def headers() -> Iterator[Case]:
    """Headers with what they should not hold."""
    odd = {
        "Accept": ["*" * 9_000, "a/b;q=nan", "image/png;q=1e999", "," * 9_000, "\xff", "text/html"],
        "Content-Type": [
            "",
            ";",
            "image/",
            "\xff/\xfe",
            "application/json;charset=utf-7",
            "a" * 9_000,
        ],
        "X-Request-ID": ["a" * 9_000, "a b", "\xff", "{}"],
        "Authorization": ["Bearer", "Bearer " + "a" * 9_000, "\xff", "Basic Og=="],
        "Host": ["", "[", "a/health/?", "a b", "\xff", "a" * 9_000, "@", "x:99999"],
        "Content-Encoding": ["gzip", "br, br, br"],
        "Transfer-Encoding": ["gzip, chunked"],
        "Expect": ["200-ok"],
        "Range": ["bytes=0-0,-1"],
        "Upgrade": ["websocket", "h2c"],
        "If-None-Match": ["*", '"' * 9_000, 'W/"', "," * 9_000, "\xff"],
        "Accept-Encoding": ["gzip;q=" + "9" * 9_000, "*;q=nan", "," * 9_000, "\xff", "gzip;q="],
        "Origin": ["null", "a b", "\xff", "https://" + "a" * 9_000],
        "Access-Control-Request-Method": ["a b", "\xff", "POST"],
        "Cookie": ["a=b; " * 9_000],
        "X-Forwarded-For": ["127.0.0.1, [", "\xff"],
    }
    for name, values in odd.items():
        for value in values:
            for path in ("/sample", "/encode", "/models"):
                body, method = (b"", "GET") if path == "/models" else (b"{}", "POST")
                sent = {**({} if method == "GET" else JSON), name: value}
                yield Case(f"{name}: {value[:20]!r} to {path}", path, body, sent, method)
