"""What form libraries, shells and shops send in place of what the documentation shows."""

import base64
import gzip
import json
from typing import Any

import numpy as np
import pytest
from httpx import Client
from PIL import Image

from tests.app.conftest import SIZE, file, images, means, ok, problem, random_image
from tests.app.images.test_helper_image import BLUE, HEIC, ORANGE

A = file(random_image(1))
JSON = {"Content-Type": "application/json"}
PNG = {"Content-Type": "image/png"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
PLAIN_TEXT = b'Content-Disposition: form-data; name="image"'


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """A form of parts: headers and content."""
    return b"".join(b"--b\r\n" + h + b"\r\n\r\n" + c + b"\r\n" for h, c in parts) + b"--b--\r\n"


@pytest.fixture(scope="module")
def expected(client: Client) -> Any:
    return means(client, A)[0].tolist()


@pytest.mark.parametrize("size", [7, 10**6])
@pytest.mark.parametrize(
    "headers",
    [
        PLAIN_TEXT,
        PLAIN_TEXT + b"\r\nContent-Type: image/png",
        PLAIN_TEXT + b"; filename*=UTF-8''me%20too.png",
        PLAIN_TEXT + b"\r\nContent-Type: application/octet-stream",
    ],
)
def test_a_part_without_a_filename_is_an_image_if_it_begins_like_one(
    client: Client, expected: Any, headers: bytes, size: int
) -> None:
    body = form((headers, A))
    chunks = (body[i : i + size] for i in range(0, len(body), size))
    response = client.post("/encode", content=chunks, headers=FORM)
    assert ok(response).json()["latents"][0]["mean"] == expected


def test_an_operand_without_a_filename(client: Client) -> None:
    part = b'Content-Disposition: form-data; name="me"', A
    expression = b'Content-Disposition: form-data; name="expression"', b"me + 0.5*glasses"
    ok(client.post("/arithmetic", content=form(part, expression), headers=FORM))


def test_parts_without_a_filename_count_as_files(client: Client) -> None:
    response = client.post("/encode", content=form(*[(PLAIN_TEXT, A)] * 65), headers=FORM)
    problem(response, 413, "64 files")


@pytest.mark.parametrize(
    ("path", "data", "name"),
    [
        ("/encode", {"image": "a.jpg"}, "image"),
        ("/arithmetic", {"expression": "me", "me": "pictures/a.JPG"}, "me"),
        ("/interpolate", {"start": "a.heic", "end": '{"seed": 1}'}, "start"),
    ],
)
def test_a_forgotten_at_sign_is_told(
    client: Client, path: str, data: dict[str, str], name: str
) -> None:
    fields = [(key, (None, value)) for key, value in data.items()]
    found = problem(client.post(path, files=fields), 422, f"-F {name}=@{data[name]}")
    assert found["errors"][0]["pointer"] == f"#/{name}"


TEXT = base64.b64encode(A).decode()
URL_SAFE = base64.urlsafe_b64encode(A).decode()
LINES = base64.encodebytes(A).decode()
LARGE = base64.b64encode(file(random_image(2, (400, 400)), compress_level=0))


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        URL_SAFE,
        URL_SAFE.rstrip("="),
        TEXT.rstrip("="),
        "data:image/png;charset=utf-8;name=me.png;base64," + TEXT,
        "DATA:image/png;BASE64," + TEXT,
        "data:;base64," + TEXT,
        "data:image/png;base64," + TEXT.replace("+", "%2B").replace("/", "%2f"),
        "data:image/png;base64," + LINES.replace("\n", "%0A"),
    ],
)
def test_base64_as_it_is_written(client: Client, expected: Any, text: str) -> None:
    response = client.post("/encode", json={"image": text})
    assert ok(response).json()["latents"][0]["mean"] == expected


def test_long_base64_in_lines(client: Client) -> None:
    """A text that the JSON parser is not given."""
    assert len(LARGE) > 2**16
    lines = "\r\n".join(LARGE.decode()[i : i + 76] for i in range(0, len(LARGE), 76))
    whole, broken = (
        ok(client.post("/encode", json={"image": text})).json()["latents"]
        for text in (LARGE.decode(), lines)
    )
    assert whole == broken


@pytest.mark.parametrize("text", ["%%%", "A", "AA=A", "====", "-_-_\0", "data:image/png,AAAA", "é"])
def test_what_is_not_base64_is_told_the_rule(client: Client, text: str) -> None:
    found = problem(client.post("/encode", json={"image": text}), 422)
    assert "base64" in found["errors"][0]["detail"]


@pytest.mark.parametrize("image", [TEXT, LARGE.decode()])
def test_json_with_a_byte_order_mark(client: Client, image: str) -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"image": image}).encode()
    ok(client.post("/encode", content=body, headers=JSON))


@pytest.mark.parametrize("kind", ["application/json", "image/png", FORM["Content-Type"]])
@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_a_content_coding_is_named(client: Client, kind: str, coding: str) -> None:
    headers = {"Content-Type": kind, "Content-Encoding": coding}
    response = client.post("/encode", content=gzip.compress(A), headers=headers)
    assert problem(response, 415, repr(coding))["type"] == "urn:lorgnette:content-coding"
    assert response.headers["accept-encoding"] == "identity"


def test_the_identity_is_no_content_coding(client: Client) -> None:
    ok(client.post("/encode", content=A, headers={"Content-Encoding": "identity"} | PNG))


TRUNCATED, NO_HEIC = A[:-100], b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(20)


@pytest.mark.parametrize("align", ["false", "auto"])
@pytest.mark.parametrize(
    ("bad", "status", "words"),
    [(TRUNCATED, 400, "truncated"), (b"hello", 415, "PNG"), (NO_HEIC, 400, "declares no image")],
)
def test_an_error_in_one_of_several_images_points_at_it(
    client: Client, bad: bytes, status: int, words: str, align: str
) -> None:
    files = [("image", A), ("image", bad), ("image", A)]
    for path in (f"/encode?align={align}", f"/reconstruct?align={align}", "/faces"):
        found = problem(client.post(path, files=files), status, words)
        assert [error["pointer"] for error in found["errors"]] == ["#/image/1"]


def test_an_error_in_one_of_several_operands_points_at_it(client: Client) -> None:
    parts = [("a", A), ("b", A), ("b", TRUNCATED)]
    response = client.post("/arithmetic", files=parts, data={"expression": "a + b"})
    found = problem(response, 400)
    assert [error["pointer"] for error in found["errors"]] == ["#/operands/b/1/image"]


def test_a_file_of_too_many_bytes_is_pointed_at(client: Client) -> None:
    large = b"\x89PNG\r\n\x1a\n" + bytes(16 * 2**20)
    found = problem(client.post("/encode", files=[("image", A), ("image", large)]), 413)
    assert [error["pointer"] for error in found["errors"]] == ["#/image/1"]


def test_pixels_arrive_as_the_file_declares_them(client: Client) -> None:
    """The reader of every endpoint: the original beside its reconstruction."""
    levels = np.linspace(0, 65_535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    data = file(Image.fromarray(levels), "TIFF", tiffinfo={262: 0})  # white is zero
    [compared, _] = images(
        client.post(
            "/reconstruct?compare=true&format=json&align=false&embedded=false",
            content=data,
            headers={"Content-Type": "image/tiff"},
        )
    )
    assert np.abs(compared[:, :, 0].astype(int) - (255 - levels // 257)).max() <= 1


def halves(mode: str = "RGB") -> Image.Image:
    """Blue above orange."""
    image = Image.new("RGB", (64, 64), BLUE)
    image.paste(ORANGE, (0, 32, 64, 64))
    return image.convert(mode)


@pytest.mark.parametrize(
    "data",
    [
        *(file(halves(), kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")),
        HEIC,
        file(halves("P"), "PNG"),
        file(halves("CMYK"), "JPEG"),
        file(halves("RGBA"), "WEBP"),
    ],
    ids=["png", "jpeg", "webp", "bmp", "tiff", "gif", "avif", "heic", "palette", "cmyk", "rgba"],
)
def test_every_format_is_read_by_its_bytes(client: Client, data: bytes) -> None:
    path = "/reconstruct?compare=true&format=json&align=false"
    [compared, _] = images(client.post(path, files={"image": ("photo.txt", data, "text/plain")}))
    for row, color in ((SIZE // 4, BLUE), (3 * SIZE // 4, ORANGE)):
        assert np.abs(compared[row].astype(int) - color).max() <= 16
