"""A request that is hostile, and the ways to write one around an image."""

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

BOUNDARY = "b0undary"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass(frozen=True)
class Case:
    """One request; ``bad`` if no correct service responds to it with 200."""

    name: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    bad: bool = False


def part(disposition: bytes, data: bytes, more: bytes = b"") -> bytes:
    head = b"Content-Disposition: form-data; " + disposition + b"\r\n" + more
    return f"--{BOUNDARY}\r\n".encode() + head + b"\r\n" + data + b"\r\n"


def closed(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def file_part(name: str, data: bytes, filename: bytes = b"a") -> bytes:
    return part(b'name="' + name.encode() + b'"; filename="' + filename + b'"', data)


def as_form(name: str, data: bytes, bad: bool = False) -> Case:
    body = closed(file_part("image", data))
    return Case(f"{name} in a form", "/encode", body, FORM, bad=bad)


def as_body(name: str, data: bytes, bad: bool = False) -> Case:
    headers = {"Content-Type": "image/png"}
    return Case(f"{name} as the body", "/reconstruct", data, headers, bad=bad)


def as_json(name: str, data: bytes, bad: bool = False) -> Case:
    body = json.dumps({"image": base64.b64encode(data).decode()}).encode()
    return Case(f"{name} in JSON", "/encode", body, JSON, bad=bad)


def as_end(name: str, data: bytes, bad: bool = False) -> Case:
    body = closed(file_part("start", data), part(b'name="end"', b'{"seed": 1}'))
    return Case(f"{name} as an end", "/interpolate?steps=2", body, FORM, bad=bad)


def as_operand(name: str, data: bytes, bad: bool = False) -> Case:
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    operands = {"a": {"image": uri}, "b": [{"seed": 2}]}
    body = json.dumps({"expression": "a + 0.5*b", "operands": operands}).encode()
    return Case(f"{name} as an operand", "/arithmetic", body, JSON, bad=bad)


def as_mask(name: str, data: bytes, bad: bool = False) -> Case:
    body = closed(file_part("image", data), file_part("mask", data))
    return Case(f"{name} as image and mask", "/inpaint", body, FORM, bad=bad)


def as_scored(name: str, data: bytes, bad: bool = False) -> Case:
    return Case(f"{name} to be scored", "/score", data, {"Content-Type": "image/png"}, bad=bad)


THREE_WAYS = (as_form, as_body, as_json)
WAYS = (*THREE_WAYS, as_end, as_operand, as_mask, as_scored)


def in_turn(images: Iterator[tuple[str, bytes]], bad: bool = False) -> Iterator[Case]:
    """Each image in one way, all ways in turn."""
    for (name, data), way in zip(images, itertools.cycle(WAYS), strict=False):
        yield way(name, data, bad)
