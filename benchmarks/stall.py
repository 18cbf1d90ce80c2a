"""How long a large JSON body keeps the event loop from other requests."""

import asyncio
import base64
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic_core

from app.http import json_body
from benchmarks.markdown import table

IMAGE_BYTES = 11 * 2**20
IMAGES = 2
ROUNDS = 30
RESULT = "stall.json"


def run(out: Path, rounds: int = ROUNDS) -> list[Path]:
    """Measure, and write the raw times and a table of medians to a folder.

    A call into C holds the interpreter's lock, on whichever thread it runs. So a parser that is
    given a whole body stops the event loop as well; ``app.http.json_body`` gives it pieces.
    Both parse the same body on a thread, in turn, in every round.

    Returns:
        the files that were written.
    """
    image = base64.b64encode(os.urandom(IMAGE_BYTES)).decode()
    body = json.dumps({"image": [image] * IMAGES}).encode()
    parsers: dict[str, Callable[[], Any]] = {
        "in pieces": lambda: json_body.from_json(body, IMAGES),
        "whole": lambda: pydantic_core.from_json(body, allow_inf_nan=False),
        "whole, by the standard library": lambda: json.loads(body),
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
