"""The service with faults in its model, as a process that ends and is restarted."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.app.processes import ROOT, free_port
from tests.soak.load import ask

START_TIMEOUT_SECONDS = 120.0
# As on a machine of two cores: two calls at a time.
COMMON_SETTINGS = {"DEVICE": "cpu", "MODEL_THREADS": "2", "LOG_LEVEL": "error"}
SAMPLE_LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.MULTILINE)


class Server:
    """One service on one port; its process may change.

    Args:
        model: folder of its checkpoint.
        folder: for the switches of its faults and its log.
        settings: of ``LORGNETTE_*``.
    """

    def __init__(self, model: Path, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.log = folder / "log"
        self._faults = folder / "faults"
        self._faults.mkdir()
        environment = {"MODELS": str(model), "PORT": str(self.port), **COMMON_SETTINGS, **settings}
        self._environment = os.environ | {f"LORGNETTE_{k}": v for k, v in environment.items()}
        self.process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> "Server":
        try:
            await self.start()
        except BaseException:
            self._kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kill()

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def start(self) -> float:
        """Start a process and wait until it is ready; the seconds that it took."""
        started = time.monotonic()
        self.process = self._spawn()
        while (await ask(self.port, "/health/ready")).status != 200:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < started + START_TIMEOUT_SECONDS, (
                "the service does not become ready"
            )
            await asyncio.sleep(0.05)
        return time.monotonic() - started

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.app.faulty", str(self._faults)],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def begin(self, fault: str, value: str = "") -> None:
        (self._faults / fault).write_text(value)

    def end(self, fault: str) -> None:
        (self._faults / fault).unlink(missing_ok=True)

    def has(self, fault: str) -> bool:
        return (self._faults / fault).exists()

    def send_signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def ended(self, seconds: float) -> int:
        """Wait for the end of the process; its exit status."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, seconds)

    @property
    def timeouts(self) -> int:
        """How many model calls have timed out, by the log."""
        return self.log.read_text().count("a model call timed out")

    @property
    def memory(self) -> int:
        """Resident memory in bytes."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(text.partition("VmRSS:")[2].split()[0])

    async def waiting(self, operation: str) -> float:
        """Number of items in a queue."""
        response = await ask(self.port, "/metrics")
        samples = SAMPLE_LINE.findall(response.body.decode())
        label = f'operation="{operation}"'
        return sum(
            float(value)
            for name, labels, value in samples
            if name == "lorgnette_queue_depth" and label in labels
        )
