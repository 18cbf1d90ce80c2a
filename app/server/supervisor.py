"""Several processes behind one port, each with its own model: ``--workers``.

Every worker is ``python -m app`` with its own listening socket on the shared port (SO_REUSEPORT:
the kernel spreads connections over them). This process only watches them.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from tempfile import TemporaryDirectory
from types import FrameType

from prometheus_client import multiprocess

from app.settings import Settings

STARTUP_FAILURE = 3  # exit status, as of uvicorn's own command
MAX_RESTARTS = 4  # that are made good ...
RESTART_WINDOW_SECONDS = 60.0  # ... in this time
RESTART_BACKOFF_SECONDS = 60.0  # before a worker that could not come back is tried again

log = logging.getLogger("lorgnette")


def run_workers(settings: Settings, gpus: int) -> int:
    """Keep ``settings.workers`` processes alive until told to stop; the exit status.

    A worker that dies is started anew, unless they die too often. One that cannot start ends them
    all; but where another had been in its place (its GPU may have failed, or memory be full for a
    moment), it is tried again after a pause, as long as others serve. The first SIGTERM or SIGINT
    is handed on and the workers finish what they accepted; so is the second, and they end at once.

    Args:
        settings: of every worker.
        gpus: CUDA devices to spread the workers over; 0 shares out the cores instead.
    """
    # Bound but not listening: it holds the port, and gets no connections.
    with shared_socket(settings.host, settings.port) as holder, TemporaryDirectory() as counts:
        port = holder.getsockname()[1]
        shared = {"LORGNETTE_PORT": str(port), "PROMETHEUS_MULTIPROC_DIR": counts}
        places = [shared | place for place in _places(settings, gpus)]
        return Supervisor(places, counts).run()


def shared_socket(host: str, port: int) -> socket.socket:
    """A bound socket whose port other processes of the same user may bind too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound


def end_with_parent() -> None:
    """Stop gracefully when the process at the other end of standard input is gone."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin, whose lock would trouble the interpreter's end
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _places(settings: Settings, gpus: int) -> list[dict[str, str]]:
    """What sets each worker apart: its GPU, or its share of the cores."""
    if gpus:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        devices = (visible.split(",") if visible else [str(i) for i in range(gpus)])[:gpus]
        # A worker whose GPU is gone must not become one on the CPU.
        return [
            {"CUDA_VISIBLE_DEVICES": devices[i % len(devices)], "LORGNETTE_DEVICE": "cuda"}
            for i in range(settings.workers)
        ]
    cores = len(os.sched_getaffinity(0))
    threads = settings.model_threads or max(1, cores // settings.workers)
    return [{"LORGNETTE_MODEL_THREADS": str(threads)}] * settings.workers


class Supervisor:
    """Starts worker processes and restarts those that die."""

    def __init__(self, places: list[dict[str, str]], counts: str) -> None:
        self._places, self._counts = places, counts
        self._workers: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}  # by process id
        self._deaths: deque[float] = deque(maxlen=MAX_RESTARTS)
        self._replaced: set[int] = set()  # places whose first worker has died
        self._paused: dict[int, float] = {}  # places that wait for a worker, and until when
        self._stopping = False

    def run(self) -> int:
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._on_signal)
        for place in range(len(self._places)):
            self._start(place)
        status = 0
        while self._workers:
            pid, waited = self._wait()
            if pid in self._workers:
                status = max(status, self._ended(pid, os.waitstatus_to_exitcode(waited)))
        return status

    def _wait(self) -> tuple[int, int]:
        """The next process that ends, and how; meanwhile pauses end too."""
        while self._paused:
            pid, waited = os.waitpid(-1, os.WNOHANG)
            if pid:
                return pid, waited
            for place, until in list(self._paused.items()):
                if until < time.monotonic() and self._paused.pop(place, 0.0):
                    self._start(place)
            time.sleep(0.1)
        return os.wait()  # goes on by itself after a signal

    def _start(self, place: int) -> None:
        worker = subprocess.Popen(  # nosec B603  # ourselves, no shell
            [sys.executable, "-m", "app", "--worker"],
            env=os.environ | self._places[place],
            stdin=subprocess.PIPE,  # its other end closes with this process, however it ends
            start_new_session=True,  # so that a signal at the terminal does not reach it twice
        )
        self._workers[worker.pid] = (place, worker)
        if self._stopping:
            worker.terminate()

    def _ended(self, pid: int, code: int) -> int:
        """Take note of a worker's end, and start another if that may help; its status, if final."""
        place, worker = self._workers.pop(pid)
        worker.returncode = code
        multiprocess.mark_process_dead(pid, self._counts)  # type: ignore[no-untyped-call]
        if self._stopping:  # a worker that had no handler yet dies of the signal, as it should
            return 0 if code == -signal.SIGTERM else abs(code)
        now = time.monotonic()
        if code == STARTUP_FAILURE and place not in self._replaced:
            log.error("worker %d could not start; stopping the others", place)
            self._stop()
            return code
        if len(self._deaths) == MAX_RESTARTS and now - self._deaths[0] < RESTART_WINDOW_SECONDS:
            log.error("workers keep dying (worker %d with status %d); stopping", place, code)
            self._stop()
            return 1
        self._deaths.append(now)
        self._replaced.add(place)
        if code == STARTUP_FAILURE and self._workers:
            log.error(
                "worker %d cannot start anew; trying in %g seconds", place, RESTART_BACKOFF_SECONDS
            )
            self._paused[place] = now + RESTART_BACKOFF_SECONDS
            return 0
        if code == STARTUP_FAILURE:
            log.error("worker %d cannot start anew, and no other serves; stopping", place)
            self._stop()
            return 1
        log.error("worker %d ended with status %d; starting another", place, code)
        self._start(place)
        return 0

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        self._stopping = True
        self._paused.clear()
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
