"""A server process under attack: how it responds, how long it takes, what memory it holds."""

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.app.processes import running
from tests.hostile.cases import Case

MIB = 2**20
PATIENCE = 120  # seconds, for a machine that does much else


@dataclass(frozen=True)
class Reply:
    """A response; ``seconds`` leaves out those in which the machine had no core for us."""

    status: int
    kind: str
    body: bytes
    seconds: float


class Server:
    """A process that serves, and its address."""

    def __init__(self, pid: int, port: int) -> None:
        self._proc = Path(f"/proc/{pid}")
        self.address = ("127.0.0.1", port)
        self._connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)

    def send(self, case: Case) -> Reply:
        """The response to a case."""
        waited, started = self._waited(), time.perf_counter()
        try:
            status, kind, body = self._exchange(case)
        except (http.client.RemoteDisconnected, ConnectionError):  # a connection kept too long
            self._connection.close()
            status, kind, body = self._exchange(case)
        seconds = time.perf_counter() - started - (self._waited() - waited)
        return Reply(status, kind, body, seconds)

    def _exchange(self, case: Case) -> tuple[int, str, bytes]:
        connection = self._connection
        connection.putrequest(case.method, case.path, skip_host="Host" in case.headers)
        for name, value in case.headers.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.putheader("Content-Length", str(len(case.body)))
        connection.endheaders()
        with suppress(ConnectionError):  # which ends where it was answered before it was sent
            connection.send(case.body)
        response = connection.getresponse()
        body = response.read()
        return response.status, response.headers.get("content-type", ""), body

    def _waited(self) -> float:
        """Seconds that the threads of both sides have been ready to run and were not."""
        tasks = [*self._proc.glob("task/*"), *Path("/proc/self").glob("task/*")]
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def open_files(self) -> int:
        """File descriptors, sockets among them."""
        return len(list((self._proc / "fd").iterdir()))

    def memory(self) -> float:
        """MiB held now."""
        return self._status("VmRSS")

    def peak(self) -> float:
        """MiB held at most since ``reset_peak``."""
        return self._status("VmHWM")

    def reset_peak(self) -> None:
        """Let ``peak`` begin anew."""
        (self._proc / "clear_refs").write_text("5")

    def _status(self, name: str) -> float:
        lines = (self._proc / "status").read_text().splitlines()
        [line] = [line for line in lines if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024 / MIB


@contextmanager
def serving(model: Path, **settings: str) -> Iterator[Server]:
    """A real process that serves a model and logs errors alone."""
    with running(MODELS=str(model), LOG_LEVEL="error", **settings) as (process, client):
        server = Server(process.pid, client.base_url.port or 0)
        yield server
        server.close()
