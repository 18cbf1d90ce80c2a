"""The command line, and the server of one process."""

import argparse
import asyncio
import logging.config
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from app.application import create_app
from app.inference.engine import device_count
from app.observability import logs
from app.observability.tracing_config import TracingConfigError, tracing_enabled
from app.server.environment import SettingsError, load_settings, unknown_variables
from app.server.http_protocol import protocol_class
from app.server.supervisor import end_with_parent, run_workers, shared_socket
from app.settings import Settings

CONFIGURATION_ERROR = 2  # exit status, as for a wrong command line

log = logging.getLogger("lorgnette")


class Server(uvicorn.Server):
    """Stops gracefully at the first signal, and at once at the second.

    On SIGTERM, readiness is refused for ``drain_seconds`` before connections are. On SIGHUP, models
    whose files have changed are loaded again.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._app, self._drain_seconds = app, drain_seconds
        self._drained_at: float | None = None  # by the monotonic clock; None before a signal
        self._reload_requested = False
        self._reload: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM or SIGINT."""
        if self.should_exit or self._drained_at is not None:
            _exit_now(_exit_status(self._app) or 128 + sig)
        drains = sig == signal.SIGTERM and self.started and not _exit_status(self._app)
        if drains and self._drain_seconds:
            self._app.state.draining = True
            self._drained_at = time.monotonic() + self._drain_seconds
        else:
            super().handle_exit(sig, frame)

    def handle_reload(self, _: int, __: FrameType | None) -> None:
        """Handle SIGHUP; before the models are loaded, it waits until they are."""
        self._reload_requested = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; whether the server stops."""
        if self._reload_requested and (self._reload is None or self._reload.done()):
            self._reload_requested = False
            self._reload = asyncio.create_task(self._app.state.service.models.reload_all())
        if self._drained_at is not None and time.monotonic() >= self._drained_at:
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)


def main(arguments: Sequence[str] = ()) -> None:
    """Run the server until a signal stops it."""
    options = _parse(arguments)
    try:
        settings = load_settings(
            **({} if options.workers is None else {"workers": options.workers})
        )
        tracing_enabled()
    except (SettingsError, TracingConfigError) as error:
        print(error, file=sys.stderr)
        sys.exit(CONFIGURATION_ERROR)
    logging.config.dictConfig(logs.config(settings.log_format, settings.log_level))
    if options.worker:
        _serve(settings, worker=True)
        return
    for line in unknown_variables():
        log.warning(line)
    if settings.workers > 1:
        sys.exit(run_workers(settings, device_count(settings.device)))
    _serve(settings, worker=False)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m app", description="Serve models over HTTP.")
    parser.add_argument("--workers", type=int, help="overrides LORGNETTE_WORKERS")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol_class(settings),
        ws="none",
        log_config=None,
        access_log=False,  # the application logs responses with their request ids
        timeout_graceful_shutdown=settings.graceful_shutdown_seconds,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        root_path=settings.root_path,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
    )


def _serve(settings: Settings, worker: bool) -> None:
    """Serve in this process, alone or as one worker of several."""
    app = create_app(settings)
    # After a graceful shutdown uvicorn raises the signal again. To stop by a signal is no failure;
    # to stop because of a fatal error of the models is one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _exit(app))
    server = Server(server_config(app, settings), app, settings.drain_seconds)
    signal.signal(signal.SIGHUP, server.handle_reload)
    if worker:
        end_with_parent()
        server.run([shared_socket(settings.host, settings.port)])
    else:
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _exit_status(app: FastAPI) -> int:
    """1 if the application stopped itself after a fatal error."""
    return int(getattr(app.state, "fatal", False))


def _exit(app: FastAPI) -> NoReturn:
    """End the process after a graceful shutdown."""
    service = getattr(app.state, "service", None)
    hung = service is not None and service.models.executor.has_hung_threads
    # The interpreter's own exit would abort on a thread inside the model, or one that writes a log
    # line which is never read.
    if hung or not logs.flush():
        os._exit(_exit_status(app))
    sys.exit(_exit_status(app))


def _exit_now(status: int) -> NoReturn:
    logs.flush()
    os._exit(status)
