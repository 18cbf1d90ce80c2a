"""A large body must not keep the event loop from other requests."""

import asyncio
import base64
import gc
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydantic_core
import pytest
from PIL import Image

from app.http import json_body
from app.http.base64_image import LongString
from app.settings import Settings
from tests.app import asgi
from tests.app.conftest import file

JSON = "application/json"
# Before bodies were parsed in pieces it was 190 ms, and 27 ms for latents; now it is below 10 ms.
MAX_STALL_SECONDS = 0.06


def large_images() -> bytes:
    """31 MiB of JSON: two images that nearly fill the body, as base64."""
    noise = np.random.default_rng(0).integers(0, 256, (2030, 2030, 3), dtype=np.uint8)
    image = base64.b64encode(file(Image.fromarray(noise), compress_level=0)).decode()
    return json.dumps({"image": [image, image]}).encode()


def run_queue_seconds() -> float:
    """Time for which threads of this process were ready but had no core."""
    stats = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[1]) for stat in stats) / 1e9


async def longest_stall(work: asyncio.Task[Any]) -> float:
    """The longest time in seconds for which the loop did nothing else while ``work`` ran."""
    longest = 0.0
    while not work.done():
        before, waited = time.perf_counter(), run_queue_seconds()
        await asyncio.sleep(0.001)
        stalled = time.perf_counter() - before - 0.001 - (run_queue_seconds() - waited)
        longest = max(longest, stalled)
    return longest


def test_a_large_body_does_not_stall_the_loop(settings: Callable[..., Settings]) -> None:
    body = large_images()
    assert len(body) > 30 * 2**20

    async def scenario() -> float:
        async with asgi.started(settings()) as app:
            stalls = []
            for _ in range(3):  # the first imports, and another process may take the caches
                work = asyncio.create_task(asgi.Client(app).post("/encode", body, JSON))
                stalls.append(await longest_stall(work))
                assert work.result().status == 200, work.result().body
        return min(stalls)

    assert asyncio.run(scenario()) < MAX_STALL_SECONDS


def test_a_large_body_is_parsed_on_an_image_thread_and_in_pieces(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[tuple[str, int]] = []

    def from_json(data: bytes, **options: Any) -> Any:
        parsed.append((threading.current_thread().name, len(data)))
        return pydantic_core.from_json(data, **options)

    recorder = type("Recorder", (), {"from_json": staticmethod(from_json)})
    monkeypatch.setattr(json_body, "pydantic_core", recorder)
    large = json.dumps({"image": base64.b64encode(bytes(2**20)).decode()}).encode()

    async def scenario() -> None:
        async with asgi.started(settings()) as app:
            assert (await asgi.Client(app).post("/encode", large, JSON)).status == 415
            assert (await asgi.Client(app).post("/sample", b'{"seed": 1}', JSON)).status == 200

    asyncio.run(scenario())
    [(thread, size), (main, small)] = parsed
    assert thread == "image"
    assert size < 100  # the image is not among what the parser is given
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
