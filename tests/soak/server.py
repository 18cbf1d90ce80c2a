"""The service with a fault in its model, as a process that dies and is started again."""

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

PATIENCE = 120.0  # seconds
# As on a machine of two cores: two calls at a time.
OF_ALL = {"DEVICE": "cpu", "MODEL_THREADS": "2", "LOG_LEVEL": "error"}
FIGURE = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.MULTILINE)


class Server:
    """One service on one port, whichever process it is at the moment.

    Args:
        model: folder of its checkpoint.
        folder: for its faults and its log.
        settings: of ``LORGNETTE_*``.
    """

    def __init__(self, model: Path, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.log = folder / "log"
        self._faults = folder / "faults"
        self._faults.mkdir()
        given = {"MODELS": str(model), "PORT": str(self.port), **OF_ALL, **settings}
        self._environment = os.environ | {f"LORGNETTE_{k}": v for k, v in given.items()}
        self.process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> "Server":
        try:
            await self.start()
        except BaseException:
            self._killed()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._killed()

    def _killed(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def start(self) -> float:
        """Start a process and wait until it is ready; the answer is how many seconds that took."""
        started = time.monotonic()
        self.process = self._spawned()
        while (await ask(self.port, "/health/ready")).status != 200:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < started + PATIENCE, "the service does not become ready"
            await asyncio.sleep(0.05)
        return time.monotonic() - started

    def _spawned(self) -> subprocess.Popen[bytes]:
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

    def tell(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def ended(self, seconds: float) -> int:
        """Wait for the end of the process; the answer is its status."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, seconds)

    @property
    def consecutive_timeouts(self) -> int:
        """How often it has said that a model call, with its thread, was lost."""
        return self.log.read_text().count("the model was lost")

    @property
    def memory(self) -> int:
        """Bytes that the process has in memory."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(text.partition("VmRSS:")[2].split()[0])

    async def waiting(self, work: str) -> float:
        """Pictures or latents in a queue."""
        answer = await ask(self.port, "/metrics")
        figures = FIGURE.findall(answer.body.decode())
        asked = f'operation="{work}"'
        return sum(
            float(value)
            for name, labels, value in figures
            if name == "lorgnette_queue_depth" and asked in labels
        )
