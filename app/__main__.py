"""Serve: ``python -m app``. Settings come from the environment (``LORGNETTE_*``)."""

import argparse
import logging.config
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from app.application import create_app
from app.inference.engine import device_count
from app.observability import logs
from app.server import http_protocol as connections
from app.server.supervisor import STARTUP_FAILURE, end_with_parent, run_workers, shared_socket
from app.settings import Settings


class Server(uvicorn.Server):
    """Stops gracefully at the first signal, and at once at the second."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal."""
        if self.should_exit:
            os._exit(_status(self._app) or 128 + sig)
        super().handle_exit(sig, frame)


def main(arguments: Sequence[str] = ()) -> None:
    """Run the server until it is told to stop."""
    words = _command_line(arguments)
    try:
        settings = Settings() if words.workers is None else Settings(workers=words.workers)
    except ValidationError as error:
        for problem in error.errors():
            place = f"LORGNETTE_{problem['loc'][0]}".upper() if problem["loc"] else "settings"
            print(f"{place}: {problem['msg'].removeprefix('Value error, ')}", file=sys.stderr)
        sys.exit(2)
    if settings.workers > 1 and not words.worker:
        logging.config.dictConfig(logs.config(settings.log_format, settings.log_level))
        sys.exit(run_workers(settings, device_count(settings.device)))
    _serve(settings, words.worker)


def _command_line(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m app", description="Serve models over HTTP.")
    parser.add_argument("--workers", type=int, help="as LORGNETTE_WORKERS")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _serve(settings: Settings, worker: bool) -> None:
    """Serve in this process, alone or as a worker of several."""
    app = create_app(settings)
    # After a graceful stop uvicorn raises the signal anew; having been asked to stop is no failure,
    # but having stopped because the model was lost for good is one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _exit(app))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=connections.limited(settings),
        ws="none",
        log_config=logs.config(settings.log_format, settings.log_level),
        access_log=False,  # app.main logs answers with their request ids
        timeout_graceful_shutdown=settings.graceful_shutdown_seconds,
        server_header=False,
    )
    server = Server(config, app)
    if worker:
        end_with_parent()
        server.run([shared_socket(settings.host, settings.port)])
    else:
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _status(app: FastAPI) -> int:
    return int(getattr(app.state, "given_up", False))


def _exit(app: FastAPI) -> NoReturn:
    status = _status(app)
    service = getattr(app.state, "service", None)
    if service is not None and service.models.threads.has_hung_threads:
        os._exit(status)  # the interpreter's own end would abort on a thread inside the model
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
