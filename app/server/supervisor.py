"""Several worker processes behind one port, each with its own models: ``--workers``.

Every worker is ``python -m app`` with its own listening socket on the shared port (SO_REUSEPORT:
the kernel spreads connections over them). This process only supervises them. Why uvicorn's own
supervisor is not used: docs/decisions/0024.
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
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from prometheus_client import multiprocess
from uvicorn.config import STARTUP_FAILURE

from app.settings import Settings

MAX_RESTARTS = 4  # within RESTART_WINDOW_SECONDS; at the next end of a worker all are stopped
RESTART_WINDOW_SECONDS = 60.0
RESTART_BACKOFF_SECONDS = 60.0  # before another attempt, where a replacement could not start

log = logging.getLogger("lorgnette")


def run_workers(settings: Settings, gpus: int) -> int:
    """Run ``settings.workers`` processes until a signal stops them; the exit status.

    A worker that ends is restarted, up to ``MAX_RESTARTS`` times in ``RESTART_WINDOW_SECONDS``. If
    the first worker of a slot cannot start, all workers are stopped. If a replacement cannot start
    (its GPU may have failed, or memory be full for a moment), it is tried again after
    ``RESTART_BACKOFF_SECONDS``, as long as other workers serve. SIGTERM and SIGINT are passed on:
    at the first, workers finish the requests that they accepted; at the second, they end at once.
    SIGHUP is passed on too: each worker loads the models again whose files have changed.

    Args:
        settings: of every worker.
        gpus: CUDA devices to spread the workers over; with 0 they split the CPU cores.
    """
    # This socket is bound but does not listen: it reserves the port, and gets no connections.
    with (
        shared_socket(settings.host, settings.port) as reserved,
        TemporaryDirectory(prefix="lorgnette-") as worker_dir,
    ):
        metrics_dir = Path(worker_dir) / "metrics"
        metrics_dir.mkdir()
        shared = {
            "LORGNETTE_PORT": str(reserved.getsockname()[1]),
            "LORGNETTE_WORKER_DIR": worker_dir,
            "PROMETHEUS_MULTIPROC_DIR": str(metrics_dir),
        }
        worker_envs = [shared | own for own in _worker_envs(settings, gpus)]
        return Supervisor(worker_envs, metrics_dir).run()


def shared_socket(host: str, port: int) -> socket.socket:
    """A bound socket whose port other processes of the same user may bind too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound


def end_with_parent() -> None:
    """Stop gracefully when the process at the other end of standard input has ended."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin, whose lock would block the interpreter's exit
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _worker_envs(settings: Settings, gpus: int) -> list[dict[str, str]]:
    """The environment variables in which workers differ: their GPU, or their number of threads."""
    if gpus:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        devices = (visible.split(",") if visible else [str(i) for i in range(gpus)])[:gpus]
        # A worker whose GPU has failed must not restart on the CPU.
        return [
            {"CUDA_VISIBLE_DEVICES": devices[i % len(devices)], "LORGNETTE_DEVICE": "cuda"}
            for i in range(settings.workers)
        ]
    cores = len(os.sched_getaffinity(0))
    threads = settings.model_threads or max(1, cores // settings.workers)
    return [{"LORGNETTE_MODEL_THREADS": str(threads)}] * settings.workers


class Supervisor:
    """Starts one worker process a slot, and restarts those that end.

    Args:
        worker_envs: environment variables of each slot's worker, beside those of this process.
        metrics_dir: where the workers write their metrics.
    """

    def __init__(self, worker_envs: list[dict[str, str]], metrics_dir: Path) -> None:
        self._worker_envs, self._metrics_dir = worker_envs, metrics_dir
        self._workers: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}  # slots, by process id
        self._restarts: deque[float] = deque(maxlen=MAX_RESTARTS)  # when, by the monotonic clock
        self._restarted: set[int] = set()  # slots whose first worker has ended
        self._backoff: dict[int, float] = {}  # slots without a worker, and when to start one
        self._stopping = False

    def run(self) -> int:
        """Supervise until all workers have ended; the exit status."""
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_reload)
        for slot in range(len(self._worker_envs)):
            self._start(slot)
        status = 0
        while self._workers:
            pid, wait_status = self._wait()
            if pid in self._workers:
                status = max(status, self._on_exit(pid, os.waitstatus_to_exitcode(wait_status)))
        return status

    def _wait(self) -> tuple[int, int]:
        """The id and wait status of the next process that ends; starts workers after a backoff."""
        while self._backoff:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
            if pid:
                return pid, wait_status
            for slot, until in list(self._backoff.items()):
                if until < time.monotonic() and self._backoff.pop(slot, 0.0):
                    self._start(slot)
            time.sleep(0.1)
        return os.wait()  # continues after a signal

    def _start(self, slot: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # app.__main__ unblocks it
        worker = subprocess.Popen(  # nosec B603  # ourselves, no shell
            [sys.executable, "-m", "app", "--worker"],
            env=os.environ | self._worker_envs[slot],
            stdin=subprocess.PIPE,  # its other end closes with this process, however it ends
            start_new_session=True,  # so that a signal at the terminal does not reach it twice
        )
        self._workers[worker.pid] = (slot, worker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        if self._stopping:
            worker.terminate()

    def _on_exit(self, pid: int, code: int) -> int:
        """Restart a worker that has ended, if that may help; the exit status if not, else 0."""
        slot, worker = self._workers.pop(pid)
        worker.returncode = code
        multiprocess.mark_process_dead(  # type: ignore[no-untyped-call]
            pid, str(self._metrics_dir)
        )
        if self._stopping:  # before it handles signals, a worker is ended by SIGTERM: no failure
            return 0 if code == -signal.SIGTERM else abs(code)
        if code == STARTUP_FAILURE and slot not in self._restarted:
            return self._give_up(f"worker {slot} could not start; stopping the others", code)
        now = time.monotonic()
        if len(self._restarts) == MAX_RESTARTS and now - self._restarts[0] < RESTART_WINDOW_SECONDS:
            return self._give_up(f"workers keep ending, worker {slot} with status {code}; stopping")
        self._restarts.append(now)
        self._restarted.add(slot)
        if code != STARTUP_FAILURE:
            log.error("worker %d ended with status %d; restarting it", slot, code)
            self._start(slot)
        elif self._workers:
            seconds = RESTART_BACKOFF_SECONDS
            log.error("worker %d could not restart; next attempt in %g seconds", slot, seconds)
            self._backoff[slot] = now + seconds
        else:
            return self._give_up(f"worker {slot} could not restart, and no other serves; stopping")
        return 0

    def _give_up(self, reason: str, status: int = 1) -> int:
        log.error(reason)
        self._stop()
        return status

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self._stop()

    def _on_reload(self, _: int, __: FrameType | None) -> None:
        self._kill(signal.SIGHUP)

    def _stop(self) -> None:
        self._stopping = True
        self._backoff.clear()
        self._kill(signal.SIGTERM)

    def _kill(self, sig: signal.Signals) -> None:
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
