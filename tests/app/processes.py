"""The service as a process of its own, as a supervisor would start it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*module: str, cwd: Path | str = ROOT, **settings: str) -> subprocess.Popen[str]:
    """A process with settings as ``LORGNETTE_`` variables, given without the prefix."""
    settings = {"DEVICE": "cpu"} | settings  # on CUDA no fault would reach a captured graph
    environment = os.environ | {f"LORGNETTE_{k}": v for k, v in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", *(module or ("app",))],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(
    *module: str, cwd: Path | str = ROOT, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A process that is ready, and a client of it."""
    port = free_port()
    process = start(*module, cwd=cwd, PORT=str(port), **settings)
    host = settings.get("HOST", "127.0.0.1")
    host = f"[{host}]" if ":" in host else host
    try:
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
            deadline = time.monotonic() + 180
            while True:
                assert process.poll() is None
                assert time.monotonic() < deadline
                try:
                    client.get("/health/ready").raise_for_status()
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield process, client
    finally:
        process.kill()
        process.communicate()
