"""The systems that are compared: how each is started, and with what."""

import json
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import Server, answers

ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv"
CHECKPOINT = ROOT / "models" / "faces" / "model.safetensors"
OURS, NAIVE, STORED = "lorgnette", "naive", "stored"

# The CPU only; no system may reach the network or report its use.
COMMON = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "1"}
DEEP_QUEUE = "8192"  # 128 clients ask for up to 16 pictures each: more than the default of 512


@dataclass(frozen=True)
class System:
    """One system under test.

    Attributes:
        name: in tables.
        command: with ``{port}`` in it, run by the Python of ``venv``.
        environment: added to ours, likewise.
        venv: its virtual environment.
        package: whose version is reported.
    """

    name: str
    command: tuple[str, ...]
    package: str
    environment: dict[str, str] = field(default_factory=dict)
    venv: Path = VENV

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.venv / "bin" / "python"

    @contextmanager
    def serving(
        self, log: Path, more: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Server, int]]:
        """The running server and its port.

        Args:
            log: where its output goes.
            more: environment for this time.
        """
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="bench-") as home:
            environment = {
                **COMMON,
                "BENCH_CHECKPOINT": str(CHECKPOINT),
                "BENTOML_HOME": home,
                "TMPDIR": home,
                **{k: v.format(port=port) for k, v in self.environment.items()},
                **(more or {}),
            }
            command = [str(self.python), *(part.format(port=port) for part in self.command)]
            url, body = f"http://127.0.0.1:{port}/sample", json.dumps({"n": 1, "seed": 0}).encode()
            with Server(command, environment, log, lambda: answers(url, body)) as server:
                server.settle()
                yield server, port


def uvicorn(module: str) -> tuple[str, ...]:
    """The command that serves an application of ours, with uvicorn's defaults."""
    return ("-m", "uvicorn", f"benchmarks.servers.{module}", "--port", "{port}")


def lorgnette(name: str = OURS, workers: int = 1, settings: dict[str, str] | None = None) -> System:
    """Lorgnette with its default settings, apart from a queue that holds the whole load.

    Args:
        name: in tables.
        workers: processes; one is how it is meant to run.
        settings: further ``LORGNETTE_*`` variables.
    """
    environment = {
        "LORGNETTE_PORT": "{port}",
        "LORGNETTE_DEVICE": "cpu",
        "LORGNETTE_MAX_QUEUE": DEEP_QUEUE,
        "LORGNETTE_MAX_IMAGE_QUEUE": DEEP_QUEUE,
        "LORGNETTE_WORKERS": str(workers),
        **(settings or {}),
    }
    return System(name, ("-m", "app"), "fastapi", environment)


SYSTEMS = {
    system.name: system
    for system in (
        lorgnette(),
        System(NAIVE, uvicorn("naive:app"), "fastapi"),
        System(
            "litserve",
            ("-m", "benchmarks.servers.litserve_server", "{port}"),
            "litserve",
            venv=VENV / "bench" / "litserve",
        ),
        System(
            "bentoml",
            (
                *("-m", "bentoml", "serve", "benchmarks.servers.bentoml_server:Front"),
                *("--host", "127.0.0.1", "--port", "{port}"),
            ),
            "bentoml",
            {"BENTOML_DO_NOT_TRACK": "True"},
            VENV / "bench" / "bentoml",
        ),
        System(
            "ray",
            ("-m", "benchmarks.servers.ray_server", "{port}"),
            "ray",
            {
                "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
                "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",  # for HAProxy alone; on all interfaces
                "RAY_USAGE_STATS_ENABLED": "0",
            },
            VENV / "bench" / "ray",
        ),
    )
}


def stored(picture: Path) -> System:
    """The HTTP limit: a server that answers this file."""
    return System(STORED, uvicorn("stored:app"), "uvicorn", {"BENCH_PICTURE": str(picture)})


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
