"""Runs wrk on one work of one server and gives its figures."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("load.lua")
RESPONSE_SECONDS = 65  # that the last responses may take; 140 sheets take 55 s


@dataclass(frozen=True)
class Bounds:
    """When the load ends, in time and in count; wrk then waits for all responses.

    Attributes:
        seconds: requests are sent for at least this long,
        each: and until every connection has sent this many,
        longest: but for at most so many seconds,
        most: and at most so many requests.
    """

    seconds: float
    each: int = 2
    longest: float = 10.0
    most: int = 1_000_000


@dataclass(frozen=True)
class Target:
    """What is requested.

    Attributes:
        url: of the endpoint.
        bodies: a folder with the files ``0``, ``1``, ...: bodies to send in turn.
        count: how many there are.
        content_type: of every body.
        width: of the image that is expected, in pixels.
        height: likewise.
    """

    url: str
    bodies: Path
    count: int
    content_type: str
    width: int
    height: int


class LoadError(Exception):
    """wrk did not run to its end."""


def run(target: Target, connections: int, bounds: Bounds) -> dict[str, Any]:
    """Load the target from so many connections, each with one request at a time.

    Returns:
        ``requests``, ``seconds`` from the first request to the last response, ``p50_ms``,
        ``p95_ms``, ``p99_ms``, ``max_ms`` and ``errors``: responses that were not the expected
        image, requests without a response, and socket errors. A server may close idle connections
        after some seconds; a request that was on its way to one counts as without a response.

    Raises:
        LoadError: if wrk fails or prints no figures.
    """
    least = bounds.each * connections
    numbers = (bounds.seconds, least, bounds.longest, bounds.most)
    size = (str(target.width), str(target.height))
    script = [str(target.bodies), str(target.count), target.content_type, *size, *map(str, numbers)]
    limit = int(bounds.longest + RESPONSE_SECONDS)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{limit}s", f"--timeout={RESPONSE_SECONDS}s"]
    command += ["-s", str(SCRIPT), target.url, "--", *script]
    try:
        ran = subprocess.run(  # nosec B603  # noqa: S603 -- a fixed program, no shell
            command, capture_output=True, text=True, timeout=limit + 30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LoadError(f"wrk on {target.url}: {error}") from None
    return _figures(ran.stdout.splitlines(), target.url)


def _figures(lines: Sequence[str], url: str) -> dict[str, Any]:
    line_of_figures = next((line for line in reversed(lines) if line.startswith("{")), None)
    if line_of_figures is None:
        raise LoadError(f"wrk on {url} gave no figures: {lines[-3:]}")
    found = json.loads(line_of_figures)
    faults = {name: found[name] for name in ("wrong", "connect", "write", "timeout")}
    faults["lost"] = max(0, found["sent"] - found["responses"])
    return {
        "requests": found["responses"] - found["wrong"],
        "seconds": found["seconds"],
        "bytes": found["bytes"],
        **{name: found[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")},
        "errors": {name: count for name, count in faults.items() if count},
    }
