"""A large body must not keep the event loop from other requests."""

import asyncio
import base64
import binascii
import gc
import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pydantic_core
import pytest
from PIL import Image

from app.http import base64_image, json_body
from app.http.base64_image import LongString
from app.settings import Settings
from tests.app import asgi
from tests.app.conftest import file

JSON = "application/json"


def large_images() -> bytes:
    """31 MiB of JSON: two images that nearly fill the body, as base64."""
    noise = np.random.default_rng(0).integers(0, 256, (2030, 2030, 3), dtype=np.uint8)
    image = base64.b64encode(file(Image.fromarray(noise), compress_level=0)).decode()
    return json.dumps({"image": [image, image]}).encode()


def test_others_are_answered_while_a_large_body_is_parsed(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    others_answered = threading.Event()

    def from_json(data: bytes, **options: Any) -> Any:
        assert others_answered.wait(60), "the event loop waits for the parser"
        return pydantic_core.from_json(data, **options)

    parser = type("Parser", (), {"from_json": staticmethod(from_json)})
    monkeypatch.setattr(json_body, "pydantic_core", parser)
    body = large_images()
    assert len(body) > 30 * 2**20

    async def scenario() -> None:
        async with asgi.started(settings()) as app:
            client = asgi.Client(app)
            large = asyncio.create_task(client.post("/encode", body, JSON))
            for _ in range(5):
                assert (await client.get("/health/live")).status == 200
            assert not large.done()
            others_answered.set()
            response = await large
            assert response.status == 200, response.body

    asyncio.run(scenario())


def test_a_large_body_is_parsed_on_an_image_thread_and_in_pieces(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[tuple[str, int]] = []
    decoded: list[tuple[str, int]] = []

    def a2b_base64(data: bytes, **options: Any) -> bytes:
        decoded.append((threading.current_thread().name, len(data)))
        return binascii.a2b_base64(data, **options)

    def from_json(data: bytes, **options: Any) -> Any:
        parsed.append((threading.current_thread().name, len(data)))
        return pydantic_core.from_json(data, **options)

    recorder = type("Recorder", (), {"from_json": staticmethod(from_json)})
    monkeypatch.setattr(json_body, "pydantic_core", recorder)
    decoder = type("Decoder", (), {"a2b_base64": staticmethod(a2b_base64)})
    monkeypatch.setattr(base64_image, "binascii", decoder)
    large = json.dumps({"image": base64.b64encode(bytes(2**20)).decode()}).encode()

    async def scenario() -> None:
        async with asgi.started(settings()) as app:
            assert (await asgi.Client(app).post("/encode", large, JSON)).status == 415
            assert (await asgi.Client(app).post("/sample", b'{"seed": 1}', JSON)).status == 200

    asyncio.run(scenario())
    [(thread, size), (main, small)] = parsed
    assert thread == "image"
    assert size < 100  # the image is not among what the parser is given
    assert {thread for thread, _ in decoded} == {"image"}
    assert max(size for _, size in decoded) <= base64_image.PIECE_BYTES + 4
    assert (main, small) == (threading.main_thread().name, len(b'{"seed": 1}'))


def test_a_large_body_that_is_refused_is_not_kept(settings: Callable[..., Settings]) -> None:
    body = b'{"image": "' + b"A" * (2**20 + 1) + b'"}'  # not base64

    async def scenario() -> None:
        async with asgi.started(settings()) as app:
            for _ in range(3):
                assert (await asgi.Client(app).post("/encode", body, JSON)).status == 422
            await asyncio.sleep(0.2)  # the thread returns from the last job
            gc.collect()
            assert [o for o in gc.get_objects() if type(o) is LongString] == []

    asyncio.run(scenario())
