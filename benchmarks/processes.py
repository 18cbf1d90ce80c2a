"""A server and all its processes: start, readiness, CPU, memory, stop. Linux only."""

import ctypes
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PR_SET_CHILD_SUBREAPER = 36
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
READY_SECONDS = 600  # a dead server is noticed at once; this is for a busy machine
STOP_SECONDS = 15
SETTLE_SECONDS = 60
SAMPLE_SECONDS = 0.5


class ServerError(Exception):
    """A server did not start, or died."""


class Server:
    """A system under test, which runs from ``with`` to the end of its block.

    Processes that lose their parent become children of this one, so that all descendants of the
    command are counted, orphans too.

    Args:
        command: to run, in the foreground.
        environment: added to ours.
        log: where its output goes.
        ready: called again and again; true when the server responds.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        ready: Callable[[], bool],
    ) -> None:
        self._command, self._environment, self._log = command, environment, log
        self._ready = ready
        self._before: set[int] = set()

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._before = set(_children().get(os.getpid(), []))
        with self._log.open("ab") as log:
            self._root = subprocess.Popen(  # nosec B603  # noqa: S603 -- our own commands, no shell
                self._command,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it and everything it started."""
        self._stop()

    def members(self) -> list[int]:
        """The processes of the system."""
        children = _children()
        own = {c for c in children.get(os.getpid(), []) if c not in self._before}
        waiting = [self._root.pid, *(c for c in own if c != self._root.pid and not _is_load(c))]
        found: list[int] = []
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += children.get(pid, [])
        return found

    def cpu_seconds(self) -> float:
        """User and system time so far, that of children that have ended included."""
        return sum(sum(map(int, fields[11:15])) for fields in map(_stat, self.members())) / TICKS

    def rss(self, members: Sequence[int] | None = None) -> int:
        """Resident bytes, summed over the processes: what they share counts in each."""
        pids = self.members() if members is None else members
        return sum(int(fields[21]) for fields in map(_stat, pids) if fields[0] != "Z") * PAGE

    def pss(self) -> int:
        """Resident bytes where what n processes share counts 1/n in each."""
        total = 0
        for pid in self.members():
            with suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total * 1024

    def settle(self) -> None:
        """Wait until its CPU use says that all workers are up, where the first one responds early.

        Half a core is above what any of the systems uses when idle.
        """
        limit = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < limit:
            before = self.cpu_seconds()
            time.sleep(1.0)
            if self.cpu_seconds() - before < 0.5:
                return

    def _wait(self) -> None:
        limit = time.monotonic() + READY_SECONDS
        while not self._ready():
            if self._root.poll() is not None or time.monotonic() > limit:
                last = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
                raise ServerError(f"{' '.join(self._command)} did not get ready:\n{last}")
            time.sleep(0.2)

    def _stop(self) -> None:
        """End the command, then what it left behind, then by force what is still there."""
        with suppress(ProcessLookupError):
            os.kill(self._root.pid, signal.SIGTERM)
        self._wait_while(lambda: self._root.poll() is None)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._alive():
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            self._wait_while(lambda: bool(self._alive()))

    def _wait_while(self, running: Callable[[], bool]) -> None:
        limit = time.monotonic() + STOP_SECONDS
        while running() and time.monotonic() < limit:
            time.sleep(0.1)

    def _alive(self) -> list[int]:
        """The processes that still run; those that have ended are waited for."""
        self._root.poll()
        alive = []
        for pid in self.members():
            if _stat(pid)[0] not in "ZX":
                alive.append(pid)
            elif pid != self._root.pid:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
        return alive


class MemoryWatch:
    """Samples a server's resident memory while the block runs.

    Attributes:
        samples: pairs of seconds since the start and bytes.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[tuple[float, int]] = []

    @property
    def peak(self) -> int:
        """The largest sample, in bytes."""
        return max(rss for _, rss in self.samples)

    def __enter__(self) -> Self:
        """Begin."""
        self._started = time.monotonic()
        self._sample(self._server.members())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, with a last sample."""
        self._ended.set()
        self._thread.join()
        self._sample(self._server.members())

    def _run(self) -> None:
        members = self._server.members()  # once: walking /proc would cost the systems CPU
        while not self._ended.wait(SAMPLE_SECONDS):
            self._sample(members)

    def _sample(self, members: Sequence[int]) -> None:
        self.samples.append((time.monotonic() - self._started, self._server.rss(members)))


def responds(url: str, body: bytes) -> bool:
    """Whether a POST of JSON gets the status 200.

    Raises:
        ServerError: if the response says that the request is at fault.
    """
    request = urllib.request.Request(  # noqa: S310 -- loopback
        url, body, {"Content-Type": "application/json"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=READY_SECONDS) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        if error.code in (400, 415, 422):
            raise ServerError(f"{url}: {error.code} {error.read()[:300]!r}") from None
        return False
    except OSError:
        return False


def _children() -> dict[int, list[int]]:
    """The children of every process."""
    found: dict[int, list[int]] = {}
    for name in (entry.name for entry in Path("/proc").iterdir()):
        if name.isdigit():
            parent = int(_stat(int(name))[1])
            found.setdefault(parent, []).append(int(name))
    return found


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the state on; as of an ended process if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ["X", *["0"] * 49]
    return text.rpartition(")")[2].split()


def _is_load(pid: int) -> bool:
    """Whether it is the load generator, which is our child too."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() == "wrk"
    return True
