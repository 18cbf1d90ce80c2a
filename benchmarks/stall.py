"""How long a large JSON body keeps the event loop from other requests."""

import asyncio
import base64
import binascii
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic_core

from app.http import json_body
from app.http.request_parsing import validate
from app.http.schemas import EncodeRequest
from benchmarks.markdown import table

IMAGE_BYTES = 11 * 2**20
IMAGES = 2
ROUNDS = 30
RESULT = "stall.json"


def run(out: Path, rounds: int = ROUNDS) -> list[Path]:
    """Measure, and write the raw times and a table of medians to a folder.

    A call into C holds the interpreter's lock, on whichever thread it runs. So a decoder that is
    given a whole body stops the event loop as well; the service gives it pieces. Each way reads the
    images of the same body on a thread, in turn, in every round.

    Returns:
        the files that were written.
    """
    image = base64.b64encode(os.urandom(IMAGE_BYTES)).decode()
    body = json.dumps({"image": [image] * IMAGES}).encode()
    parsers: dict[str, Callable[[], Any]] = {
        "in pieces": lambda: validate(EncodeRequest, json_body.from_json(body, IMAGES)),
        "whole": lambda: _images_of(pydantic_core.from_json(body)),
        "whole, by the standard library": lambda: _images_of(json.loads(body)),
    }
    stalls: dict[str, list[float]] = {name: [] for name in parsers}
    for _ in range(rounds):
        for name, parser in parsers.items():
            stalls[name].append(asyncio.run(_longest_stall(parser)))
    out.mkdir(parents=True, exist_ok=True)
    raw, page = out / RESULT, out / "stall.md"
    raw.write_text(json.dumps(stalls, indent=1) + "\n")
    page.write_text("\n".join(_page(stalls, len(body), rounds)) + "\n")
    return [raw, page]


def _images_of(parsed: dict[str, list[str]]) -> list[bytes]:
    return [binascii.a2b_base64(text) for text in parsed["image"]]


async def _longest_stall(parser: Callable[[], Any]) -> float:
    """The longest time in seconds for which the loop did nothing while a thread ran the parser."""
    work = asyncio.create_task(asyncio.to_thread(parser))
    longest = 0.0
    while not work.done():
        before = time.perf_counter()
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - before)
    await work
    return longest


def _page(stalls: dict[str, list[float]], size: int, rounds: int) -> list[str]:
    medians = {name: statistics.median(values) for name, values in stalls.items()}
    rows = [
        [name, f"{1000 * median:.1f} ms", f"{median / medians['whole']:.2f}"]
        for name, median in medians.items()
    ]
    return [
        "# The event loop while a large body is parsed",
        "",
        f"A JSON body of {size / 2**20:.0f} MiB is parsed on a thread. The longest time for which",
        f"the event loop did nothing, medians of {rounds} in turn.",
        "",
        table(["parser is given the body", "longest stall", "times that of the whole"], rows),
    ]
